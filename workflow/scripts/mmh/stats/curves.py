"""Ranks and intervals: AUC, TPR at a false-positive rate, medians and shares, each with its 95 % interval.

Convention: a *larger* score speaks for the positive class. Bootstrap intervals are percentile intervals over
resampled clusters; a resample is a row of weights (how often each observation was drawn), so that all scores
and their differences are computed on the same draws, by sorting each score once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmh.compute import rng
from mmh.errors import InputError
from mmh.stats.resampling import (
    LEVEL,
    MIN_CLUSTERS,
    Interval,
    draw_weights,
    median_interval,
    percentile_interval,
    weighted_roc,
)

__all__ = [
    "LEVEL",
    "MIN_CLUSTERS",
    "Bootstrap",
    "Interval",
    "auc",
    "cluster_bootstrap",
    "delong_interval",
    "median_interval",
    "paired_auc_difference",
    "percentile_interval",
    "tpr_at_fpr",
    "wilson_interval",
]


@dataclass(frozen=True)
class Bootstrap:
    """Resampled statistics of S scores on the same R resamples, and the estimates on the data themselves."""

    auc: np.ndarray  # (S,)
    tpr: np.ndarray  # (S,)
    auc_resampled: np.ndarray  # (R, S)
    tpr_resampled: np.ndarray  # (R, S)
    n_clusters: int  # of the class with fewer; below `min_clusters` that class was resampled by observation


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve, P(score+ > score-) + P(score+ = score-) / 2, in O(n log n).

    Parameters
    ----------
    score : (n,) float
        Larger speaks for the positive class.
    positive : (n,) bool
        Class of each observation; both must occur.

    Returns
    -------
    float in [0, 1]

    Raises
    ------
    InputError
        If a class is empty or a score is not finite.
    """
    score, positive = _checked(score, positive)
    return float(weighted_roc(score, positive, np.ones((1, len(score))), 0.0)[0][0])


def tpr_at_fpr(score: np.ndarray, positive: np.ndarray, level: float = 0.01) -> float:
    """Largest true-positive rate of a rule `score >= threshold` whose false-positive rate is at most `level`.

    Thresholds are the scores that occur, so there is no interpolation: with fewer than 1/`level` negatives no
    false positive is allowed, and observations tied with a negative are only found together with it.

    Parameters
    ----------
    score, positive : (n,)
        As for `auc`.
    level : float
        False-positive rate, in [0, 1].

    Returns
    -------
    float in [0, 1]

    Raises
    ------
    InputError
        As `auc`; also if `level` lies outside [0, 1].
    """
    score, positive = _checked(score, positive)
    if not 0.0 <= level <= 1.0:
        raise InputError(f"false-positive rate must lie in [0, 1], it is {level}")
    return float(weighted_roc(score, positive, np.ones((1, len(score))), level)[1][0])


def cluster_bootstrap(
    scores: np.ndarray,
    positive: np.ndarray,
    clusters: np.ndarray | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
    ids: Sequence[int] = (),
    fpr: float = 0.01,
    min_clusters: int = MIN_CLUSTERS,
) -> Bootstrap:
    """Bootstrap AUC and TPR of several scores over clusters drawn with replacement.

    Observations of one cluster are drawn together. A class that spans fewer than `min_clusters` clusters is
    drawn by observation instead: so few clusters say nothing about the spread between clusters. Draws that
    miss a class are drawn anew.

    Parameters
    ----------
    scores : (n, S) or (n,) float
        Larger speaks for the positive class.
    positive : (n,) bool
        Class of each observation.
    clusters : (n,) int, optional
        Cluster of each observation; each its own if None.
    resamples : int
        Number of resamples R.
    seed : int
        Root seed; `ids` tell apart bootstraps of one seed.
    ids : sequence of int
        Further keys of the generator.
    fpr : float
        False-positive rate of the TPR.
    min_clusters : int
        See above.

    Returns
    -------
    Bootstrap

    Raises
    ------
    InputError
        As `auc`.
    """
    columns = np.atleast_2d(np.asarray(scores, dtype=np.float64).T)  # (S, n)
    for column in columns:
        _, positive = _checked(column, positive)
    n = len(positive)
    cluster = np.arange(n) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    unit = cluster.astype(np.int64)
    counts = []
    for label in (False, True):
        rows = positive == label
        counts.append(len(np.unique(cluster[rows])))
        if counts[-1] < min_clusters:
            unit[rows] = n * (1 + label) + np.arange(rows.sum())
    estimate = [weighted_roc(column, positive, np.ones((1, n)), fpr) for column in columns]
    draws: tuple[list[Any], list[Any]] = ([], [])
    generator = rng.generator(seed, "cluster-bootstrap", *ids)
    for weight in draw_weights(unit, resamples, generator, positive):
        block = [weighted_roc(column, positive, weight, fpr) for column in columns]
        for kind in (0, 1):
            draws[kind].append(np.stack([b[kind] for b in block], axis=1))
    return Bootstrap(
        auc=np.array([e[0][0] for e in estimate]),
        tpr=np.array([e[1][0] for e in estimate]),
        auc_resampled=np.concatenate(draws[0]),
        tpr_resampled=np.concatenate(draws[1]),
        n_clusters=min(counts),
    )


def paired_auc_difference(
    score: np.ndarray,
    other: np.ndarray,
    positive: np.ndarray,
    clusters: np.ndarray | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
    ids: Sequence[int] = (),
) -> Interval:
    """AUC(score) - AUC(other) on the same observations, with a paired bootstrap interval.

    Parameters
    ----------
    score, other : (n,) float
        The two scores.
    positive, clusters, resamples, seed, ids
        As for `cluster_bootstrap`.

    Returns
    -------
    Interval
        In [-1, 1].

    Raises
    ------
    InputError
        As `auc`.
    """
    both = np.stack([np.asarray(score, np.float64), np.asarray(other, np.float64)], axis=1)
    draws = cluster_bootstrap(both, positive, clusters, resamples=resamples, seed=seed, ids=ids)
    change = draws.auc_resampled[:, 0] - draws.auc_resampled[:, 1]
    return percentile_interval(draws.auc[0] - draws.auc[1], change, len(both))


def delong_interval(score: np.ndarray, positive: np.ndarray) -> Interval:
    """AUC with the interval of DeLong et al. (1988), from midranks (Sun and Xu 2014), clipped to [0, 1].

    Parameters
    ----------
    score, positive : (n,)
        As for `auc`; at least two of each class.

    Returns
    -------
    Interval

    Raises
    ------
    InputError
        As `auc`; also with fewer than two of a class.
    """
    from scipy.stats import norm, rankdata

    score, positive = _checked(score, positive)
    m, k = int(positive.sum()), int((~positive).sum())
    if min(m, k) < 2:
        raise InputError(f"DeLong's interval needs two observations of each class, there are {m} and {k}")
    ranks = rankdata(score)
    v_positive = (ranks[positive] - rankdata(score[positive])) / k  # share of negatives below each positive
    v_negative = 1.0 - (ranks[~positive] - rankdata(score[~positive])) / m
    area = v_positive.mean()
    spread = norm.ppf((1 + LEVEL) / 2) * np.sqrt(v_positive.var(ddof=1) / m + v_negative.var(ddof=1) / k)
    return Interval(float(area), float(max(area - spread, 0)), float(min(area + spread, 1)), m + k)


def wilson_interval(successes: int, n: int) -> Interval:
    """Share of successes with Wilson's score interval.

    Parameters
    ----------
    successes, n : int
        0 <= `successes` <= `n`, `n` >= 1.

    Returns
    -------
    Interval
        In [0, 1].

    Raises
    ------
    InputError
        If the counts are out of range.
    """
    from scipy.stats import norm

    if n < 1 or not 0 <= successes <= n:
        raise InputError(f"a share needs 0 <= successes <= n and n >= 1, got {successes} of {n}")
    z, p = norm.ppf((1 + LEVEL) / 2), successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # At the ends the bound is exact; rounding must not push it past the estimate.
    return Interval(p, float(max(min(centre - half, p), 0)), float(min(max(centre + half, p), 1)), n)


def _checked(score: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    score, positive = np.asarray(score, dtype=np.float64), np.asarray(positive, dtype=bool)
    if score.shape != positive.shape or score.ndim != 1:
        raise InputError(f"scores of shape {score.shape} and classes of shape {positive.shape} do not match")
    if not np.isfinite(score).all():
        raise InputError(f"{(~np.isfinite(score)).sum()} scores are not finite")
    if positive.all() or not positive.any():
        raise InputError(f"both classes are needed, there are {positive.sum()} positive of {positive.size}")
    return score, positive
