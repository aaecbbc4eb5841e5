"""Intervals, bootstrap draws as weights, and the statistics of weighted data that they need.

A resample is a row of counts: how often each observation was drawn. A score is sorted once for all resamples.
What is drawn is a cluster, never a part of one: `mmh.stats.clusters` says what is done with few of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

LEVEL = 0.95
FEW = 40
"""With fewer clusters the bootstrap draws too little of what sets clusters apart; see docs/statistics.md."""
CHUNK = 100  # resamples per block: bounds memory at about 100 * n doubles per array


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval, and how it came about.

    Attributes
    ----------
    estimate : float
        Value on the data; NaN if there is none.
    low, high : float
        Bounds; NaN where the data cannot bound it.
    n : int
        Number of observations.
    level : float
        Nominal coverage.
    n_clusters : int
        Clusters that the interval rests on: of two groups, those of the one with fewer.
    unit : str
        What a cluster is.
    method : str
        How the bounds were found.
    reason : str
        Why there are none; empty if there are.
    df : float
        Degrees of freedom of Student's quantile; infinite where none was taken.
    """

    estimate: float
    low: float
    high: float
    n: int
    level: float = LEVEL
    n_clusters: int = 0
    unit: str = ""
    method: str = ""
    reason: str = ""
    df: float = float("inf")


def percentile_interval(estimate: float, resampled: np.ndarray, n: int, **how: Any) -> Interval:
    """Percentile interval from resampled values.

    Parameters
    ----------
    estimate : float
        Value on the data.
    resampled : (R,) float
        Values on the resamples.
    n : int
        Number of observations.
    **how
        Further attributes of `Interval`.

    Returns
    -------
    Interval
    """
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(estimate), float(low), float(high), int(n), **{"method": "bootstrap", **how})


def weighted_roc(
    score: np.ndarray, positive: np.ndarray, weight: np.ndarray, fpr: float
) -> tuple[np.ndarray, np.ndarray]:
    """AUC and TPR of one score on each weighted copy of the data.

    Parameters
    ----------
    score : (n,) float64
        Larger speaks for the positive class.
    positive : (n,) bool
        Class of each observation.
    weight : (R, n) float64
        Draw counts; each row holds both classes.
    fpr : float
        False-positive rate of the TPR.

    Returns
    -------
    auc, tpr : (R,) float64
        In [0, 1].
    """
    hits, alarms = found_above(score, positive, weight)
    all_hits, all_alarms = hits[:, -1:], alarms[:, -1:]
    # Trapezoids between thresholds: a run of ties counts half.
    steps = np.diff(alarms, axis=1, prepend=0.0)
    before = np.concatenate([np.zeros_like(hits[:, :1]), hits[:, :-1]], axis=1)
    area = ((hits + before) * steps).sum(axis=1) / (2 * all_hits[:, 0] * all_alarms[:, 0])
    allowed = (alarms <= fpr * all_alarms + 1e-9).sum(axis=1)  # 1e-9: fpr * count is rounded
    reached = np.concatenate([np.zeros_like(all_hits), hits], axis=1)[np.arange(len(hits)), allowed]
    return area, reached / all_hits[:, 0]


def found_above(score: np.ndarray, positive: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count what reaches each value of a score, in each weighted copy of the data.

    Parameters
    ----------
    score, positive, weight
        As for `weighted_roc`.

    Returns
    -------
    hits, alarms : (R, values) float64
        Of the positive and of the negative class; values fall from left to right, equal ones are one.
    """
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)  # last of each run of ties
    ordered = weight[:, order]
    hits = np.cumsum(ordered * positive[order], axis=1)[:, last]
    alarms = np.cumsum(ordered * ~positive[order], axis=1)[:, last]
    return hits, alarms


def draw_weights(
    unit: np.ndarray, resamples: int, generator: np.random.Generator, positive: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """Draw units with replacement, as many as there are, and count how often each observation comes.

    Parameters
    ----------
    unit : (n,) int
        Unit of each observation; observations of one unit are drawn together.
    resamples : int
        Number of draws.
    generator : numpy.random.Generator
        Source of randomness.
    positive : (n,) bool, optional
        If given, draws that miss a class are drawn anew.

    Yields
    ------
    (<= CHUNK, n) float64
        Counts.
    """
    unit = np.unique(unit, return_inverse=True)[1]
    k = int(unit.max()) + 1
    for start in range(0, resamples, CHUNK):
        weight = np.zeros((min(CHUNK, resamples - start), len(unit)))
        pending = np.arange(len(weight))
        while len(pending):
            weight[pending] = generator.multinomial(k, np.full(k, 1.0 / k), size=len(pending))[:, unit]
            if positive is None:
                break
            drawn = weight[pending]
            pending = pending[(drawn[:, positive].sum(axis=1) == 0) | (drawn[:, ~positive].sum(axis=1) == 0)]
        yield weight
