"""Bootstrap draws as weights, the statistics of weighted data that they need, and medians with intervals.

A resample is a row of counts: how often each observation was drawn. A score is sorted once for all resamples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mmh.compute import rng
from mmh.errors import InputError

LEVEL = 0.95
MIN_CLUSTERS = 20
MIN_MEDIAN = 6  # below it even (smallest, largest) covers the median with probability < LEVEL: 1 - 2^(1-n)
CHUNK = 100  # resamples per block: bounds memory at about 100 * n doubles per array


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval; `low` and `high` are NaN where the data cannot bound it."""

    estimate: float
    low: float
    high: float
    n: int
    level: float = LEVEL


def percentile_interval(estimate: float, resampled: np.ndarray, n: int) -> Interval:
    """Percentile interval from resampled values.

    Parameters
    ----------
    estimate : float
        Value on the data.
    resampled : (R,) float
        Values on the resamples.
    n : int
        Number of observations.

    Returns
    -------
    Interval
    """
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(estimate), float(low), float(high), int(n))


def median_interval(
    values: np.ndarray,
    other: np.ndarray | None = None,
    *,
    paired: bool = False,
    clusters: np.ndarray | None = None,
    other_clusters: np.ndarray | None = None,
    resamples: int = 1000,
    seed: int = 0,
    ids: Sequence[int] = (),
) -> Interval:
    """Median of `values`, or median(values) - median(other), with a bootstrap interval.

    With fewer than `MIN_MEDIAN` values the interval is NaN: so few cannot bound a median at this level.

    Parameters
    ----------
    values : (n,) float
        Observations.
    other : (m,) float, optional
        Observations to subtract the median of.
    paired : bool
        `other` belongs to the same items in the same order: both are drawn together.
    clusters, other_clusters : (n,) and (m,) int, optional
        Drawn together, unless there are fewer than `MIN_CLUSTERS` of them.
    resamples, seed, ids
        As for `cluster_bootstrap`.

    Returns
    -------
    Interval
        `n` counts both groups unless paired; the estimate is NaN if a group is empty.

    Raises
    ------
    InputError
        If a value is not finite, or paired groups differ in length.
    """
    groups = [np.asarray(g, dtype=np.float64) for g in (values, other) if g is not None]
    sizes = [len(g) for g in groups]
    if not all(np.isfinite(g).all() for g in groups):
        raise InputError("a median of values that are not finite was asked for")
    if paired and len(set(sizes)) > 1:
        raise InputError(f"paired medians need equally many values, got {sizes}")
    total = sizes[0] if paired else sum(sizes)
    if min(sizes) == 0:
        return Interval(np.nan, np.nan, np.nan, total)
    generator = rng.generator(seed, "median-bootstrap", *ids)
    draws: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    for g, c in zip(groups, (clusters, other_clusters), strict=False):
        if not (paired and weights):
            unit = np.arange(len(g))
            if c is not None and len(np.unique(c)) >= MIN_CLUSTERS:
                unit = np.unique(c, return_inverse=True)[1]
            weights = list(draw_weights(unit, resamples, generator))
        draws.append(np.concatenate([weighted_median(g, w) for w in weights]))
    estimates = [float(np.median(g)) for g in groups]
    estimate = estimates[0] - (estimates[1] if len(groups) == 2 else 0.0)
    if min(sizes) < MIN_MEDIAN:
        return Interval(estimate, np.nan, np.nan, total)
    return percentile_interval(estimate, draws[0] - draws[1] if len(groups) == 2 else draws[0], total)


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


def weighted_median(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Median of each draw: the mean of its two middle values, as in ``numpy.median``.

    Parameters
    ----------
    values : (n,) float64
        Observations.
    weight : (R, n) float64
        Draw counts.

    Returns
    -------
    (R,) float64
    """
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weight[:, order], axis=1)
    half = cumulative[:, -1:] / 2
    lower = (cumulative < half).sum(axis=1)
    upper = np.minimum((cumulative <= half).sum(axis=1), len(values) - 1)
    return (values[order][lower] + values[order][upper]) / 2
