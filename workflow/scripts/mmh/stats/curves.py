"""Ranks and intervals: AUC, TPR at a false-positive rate, medians and shares, each with its 95 % interval.

Convention: a *larger* score speaks for the positive class. Intervals are over clusters, never over a part of
one: docs/statistics.md says which is used where, and how often each covers.
"""

from dataclasses import dataclass

import numpy as np

from mmh.errors import InputError
from mmh.stats.areas import LeftOut, area_interval, difference_interval, left_out_areas
from mmh.stats.medians import median_interval
from mmh.stats.rates import tpr_interval
from mmh.stats.resampling import FEW, LEVEL, Interval, percentile_interval, weighted_roc

__all__ = [
    "FEW",
    "LEVEL",
    "Comparison",
    "Interval",
    "auc",
    "auc_interval",
    "compare",
    "delong_interval",
    "median_interval",
    "paired_auc_difference",
    "percentile_interval",
    "tpr_at_fpr",
    "tpr_interval",
    "wilson_interval",
]


@dataclass(frozen=True)
class Comparison:
    """AUC of several scores of the same observations.

    Attributes
    ----------
    left_out : LeftOut
        AUC on the data and without each cluster.
    unit : str
        What a cluster is.
    """

    left_out: LeftOut
    unit: str

    def area(self, which: int, level: float = LEVEL) -> Interval:
        """AUC of a score with its interval, see `mmh.stats.areas.area_interval`."""
        return area_interval(self.left_out, which, self.unit, level=level)

    def difference(self, which: int, other: int, level: float = LEVEL) -> Interval:
        """Paired difference of two AUC, see `mmh.stats.areas.difference_interval`."""
        return difference_interval(self.left_out, which, other, self.unit, level=level)


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


def auc_interval(
    score: np.ndarray, positive: np.ndarray, clusters: np.ndarray | None = None, *, unit: str = "observation"
) -> Interval:
    """AUC with its interval over clusters.

    Parameters
    ----------
    score, positive
        As for `auc`.
    clusters : (n,) int, optional
        Cluster of each observation; each its own if None.
    unit : str
        What a cluster is.

    Returns
    -------
    Interval
        As `mmh.stats.areas.area_interval` gives it.

    Raises
    ------
    InputError
        As `auc`.
    """
    score, positive = _checked(score, positive)
    return area_interval(left_out_areas(score, positive, clusters), 0, unit)


def compare(
    scores: np.ndarray, positive: np.ndarray, clusters: np.ndarray | None = None, *, unit: str = "observation"
) -> Comparison:
    """Compare the AUC of several scores of the same observations.

    Parameters
    ----------
    scores : (n, S) or (n,) float
        Larger speaks for the positive class.
    positive : (n,) bool
        Class of each observation.
    clusters : (n,) int, optional
        Cluster of each observation, left out as a whole; each its own if None.
    unit : str
        What a cluster is.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        As `auc`.
    """
    columns = np.atleast_2d(np.asarray(scores, dtype=np.float64).T)  # (S, n)
    for column in columns:
        _, positive = _checked(column, positive)
    return Comparison(left_out_areas(columns.T, positive, clusters), unit)


def paired_auc_difference(
    score: np.ndarray,
    other: np.ndarray,
    positive: np.ndarray,
    clusters: np.ndarray | None = None,
    *,
    unit: str = "observation",
) -> Interval:
    """AUC(score) - AUC(other) on the same observations, with its interval.

    Parameters
    ----------
    score, other : (n,) float
        The two scores.
    positive, clusters, unit
        As for `compare`.

    Returns
    -------
    Interval
        As `mmh.stats.areas.difference_interval` gives it.

    Raises
    ------
    InputError
        As `auc`.
    """
    both = np.stack([np.asarray(score, np.float64), np.asarray(other, np.float64)], axis=1)
    return compare(both, positive, clusters, unit=unit).difference(0, 1)


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
