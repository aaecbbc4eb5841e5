"""True-positive rate at a false-positive rate, with its interval over clusters."""

import numpy as np

from mmh.errors import InputError
from mmh.stats.clusters import (
    effective_df,
    jackknife_variance,
    members,
    one_cluster,
    share_interval,
    t_quantile,
    unbounded,
)
from mmh.stats.resampling import LEVEL, Interval, weighted_roc


def least_negatives(level: float) -> int:
    """Fewest negatives whose largest bounds the threshold of a false-positive rate from above.

    All of n negatives lie below the threshold with probability (1 - level)^n; that must be at most
    (1 - `LEVEL`)/2, or no finite threshold is high enough.

    Parameters
    ----------
    level : float
        False-positive rate, in (0, 1).

    Returns
    -------
    int
        368 for 1 %.
    """
    return int(np.ceil(np.log((1 - LEVEL) / 2) / np.log1p(-level)))


def tpr_interval(
    score: np.ndarray,
    positive: np.ndarray,
    clusters: np.ndarray | None = None,
    *,
    level: float = 0.01,
    unit: str = "observation",
) -> Interval:
    """True-positive rate at a false-positive rate, with the randomness of threshold and positives.

    The threshold lies between two of the largest negatives, by the binomial law of how many exceed it, for
    the effective number of negatives (their number over the design effect of the share above the threshold,
    at least 1). The rates at these two, and the interval of the rate at the threshold itself
    (`mmh.stats.clusters.share_interval`), are combined by squared distances (MOVER).

    Parameters
    ----------
    score : (n,) float
        Finite; larger speaks for the positive class.
    positive : (n,) bool
        Class of each observation; both occur.
    clusters : (n,) int, optional
        Each observation its own if None.
    level : float
        False-positive rate, in (0, 1).
    unit : str
        What a cluster is.

    Returns
    -------
    Interval
        In [0, 1]; the estimate as by `mmh.stats.curves.tpr_at_fpr`. No bounds below `least_negatives`
        effective negatives, or if a class is of one cluster.

    Raises
    ------
    InputError
        If `level` is not in (0, 1).
    """
    from scipy.stats import binom, norm

    if not 0 < level < 1:
        raise InputError(f"an interval needs a false-positive rate in (0, 1), it is {level}")
    score, positive = np.asarray(score, dtype=np.float64), np.asarray(positive, dtype=bool)
    n, cluster = len(score), members(clusters, len(score))
    rate = float(weighted_roc(score, positive, np.ones((1, n)), level)[1][0])
    above, below = score[positive], np.sort(score[~positive])[::-1]
    counts = [len(np.unique(cluster[rows])) for rows in (positive, ~positive)]
    for count, whose in zip(counts, ("positives", "negatives"), strict=True):
        if count < 2:
            return unbounded(rate, n, count, unit, one_cluster(unit, whose))
    design = _design_effect(score, positive, cluster, level, below)
    if counts[1] < len(below):
        df = effective_df(np.unique(cluster[~positive], return_counts=True)[1])
        design *= (t_quantile(df) / float(norm.ppf((1 + LEVEL) / 2))) ** 2
    effective, least = int(len(below) / design), least_negatives(level)
    if effective < least:
        said = f"{len(below)} negatives" + (f" (worth {effective})" if effective < len(below) else "")
        reason = f"{said}: {least} are needed to bound the threshold of {100 * level:g} % false positives"
        return unbounded(rate, n, min(counts), unit, reason)
    tail = (1 - LEVEL) / 2
    most = int(binom.ppf(tail, effective, level)) - 1  # P(count <= most) <= tail: so many lie above at least
    fewest = int(binom.isf(tail, effective, level)) + 1
    scale = len(below) / effective
    # The rate of a rule "above the r-th largest negative" and of "at or above it".
    strict = below[min(int(max(most, 0) * scale), len(below) - 1)]
    loose = below[min(int(np.ceil(fewest * scale)), len(below)) - 1]
    low_rate, high_rate = float((above > strict).mean()), float((above >= loose).mean())
    allowed = int(np.floor(level * len(below) + 1e-9))
    hit = above > below[allowed] if allowed < len(below) else np.ones(len(above), dtype=bool)
    own = share_interval(hit, cluster[positive], unit)
    if not np.isfinite(own.low):
        return unbounded(rate, n, min(counts), unit, own.reason)
    low = rate - np.hypot(max(rate - low_rate, 0.0), max(rate - own.low, 0.0))
    high = rate + np.hypot(max(high_rate - rate, 0.0), max(own.high - rate, 0.0))
    return Interval(
        rate,
        float(max(low, 0.0)),
        float(min(high, 1.0)),
        n,
        n_clusters=min(counts),
        unit=unit,
        method="MOVER of threshold and rate",
    )


def _design_effect(
    score: np.ndarray, positive: np.ndarray, cluster: np.ndarray, level: float, below: np.ndarray
) -> float:
    """Variance of the share of negatives at the threshold, over what independent ones would have."""
    own = np.unique(cluster[~positive], return_inverse=True)[1]
    size = np.bincount(own)
    if (size == 1).all():
        return 1.0
    n = len(own)
    hit = (score[~positive] >= below[max(int(level * n) - 1, 0)]).astype(np.float64)
    share = hit.mean()
    if not 0 < share < 1:
        return float(n / len(size))
    variance = float(jackknife_variance((hit.sum() - np.bincount(own, hit)) / (n - size)))
    return max(1.0, variance * n / (share * (1 - share)))
