"""What few clusters can say: the delete-one-cluster jackknife, its degrees of freedom, and intervals by it.

Observations of one cluster are dependent, so a cluster is left out as a whole. Where clusters differ in size
the t quantile has fewer degrees of freedom than clusters less one. docs/statistics.md has the coverage of
each interval, and what else was tried.
"""

from collections.abc import Iterator

import numpy as np

from mmh.stats.resampling import CHUNK, LEVEL, Interval


def members(clusters: np.ndarray | None, n: int) -> np.ndarray:
    """Number clusters from 0.

    Parameters
    ----------
    clusters : (n,) array, optional
        Cluster of each observation; each its own if None.
    n : int
        Number of observations.

    Returns
    -------
    (n,) int64
    """
    if clusters is None:
        return np.arange(n)
    return np.unique(np.asarray(clusters), return_inverse=True)[1].astype(np.int64)


def effective_df(sizes: np.ndarray) -> float:
    """Degrees of freedom of a variance over clusters of unequal size: their effective number less one.

    (sum m_g)^2 / sum m_g^2 - 1: of a mean whose clusters weigh as much as they have members, as many clusters
    of equal size would weigh alike. For equal sizes that is G - 1.

    Parameters
    ----------
    sizes : (G,) float
        Observations of each cluster, positive.

    Returns
    -------
    float
        At least 1.

    References
    ----------
    Kish (1965), Survey Sampling, for the effective number.
    """
    m = np.asarray(sizes, dtype=np.float64)
    return max(float(m.sum() ** 2 / (m * m).sum()) - 1, 1.0)


def cluster_df(cluster: np.ndarray) -> float:
    """Degrees of freedom by `effective_df`, from the cluster of each observation."""
    return effective_df(np.unique(cluster, return_counts=True)[1])


def t_quantile(df: float, level: float = LEVEL) -> float:
    """Upper quantile of Student's t for a two-sided interval."""
    from scipy.stats import t

    return float(t.isf((1 - level) / 2, df))


def jackknife_variance(left_out: np.ndarray) -> np.ndarray:
    """(G - 1)/G sum (v_g - mean v)^2 along the first axis, v_g the value without cluster g.

    Parameters
    ----------
    left_out : (G, ...) float

    Returns
    -------
    (...) float64
        0 for G = 1: one cluster has no spread.
    """
    values = np.asarray(left_out, dtype=np.float64)
    return np.asarray((len(values) - 1) * values.var(axis=0))


def without_each(cluster: np.ndarray) -> Iterator[np.ndarray]:
    """Weights that leave out one cluster each, for the statistics of weighted data.

    Parameters
    ----------
    cluster : (n,) int
        From `members`.

    Yields
    ------
    (<= CHUNK, n) float64
        1, or 0 in the cluster that is left out; G rows in all.
    """
    for start in range(0, int(cluster.max()) + 1, CHUNK):
        left_out = np.arange(start, min(start + CHUNK, int(cluster.max()) + 1))
        yield (left_out[:, None] != cluster).astype(np.float64)


def mover(one: float, two: float, correlation: float) -> float:
    """Distance of a difference to its bound from those of its terms (MOVER): sqrt(a^2 + b^2 - 2 r a b)."""
    return float(np.sqrt(max(one**2 + two**2 - 2 * correlation * one * two, 0.0)))


def unbounded(estimate: float, n: int, n_clusters: int, unit: str, reason: str) -> Interval:
    """An estimate that the data do not bound, with the reason."""
    return Interval(float(estimate), np.nan, np.nan, int(n), n_clusters=n_clusters, unit=unit, reason=reason)


def one_cluster(unit: str, whose: str = "observations") -> str:
    """Say that a group is one cluster, which tells nothing about others."""
    return f"all {whose} are of one {unit}"


def exact_low(n_clusters: int, level: float = LEVEL) -> float:
    """Lower bound of the share of a rule that held without exception.

    n independent clusters all kept to it, which has the probability p^n; the bound is the p at which that is
    (1 - `level`)/2, the lower end of Clopper and Pearson's interval.

    Parameters
    ----------
    n_clusters : int
        At least 1.
    level : float
        Two-sided.

    Returns
    -------
    float in (0, 1)
    """
    return float(((1 - level) / 2) ** (1 / n_clusters))


def clopper_pearson(hits: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Bounds of a share that cover at least `level` (Clopper, Pearson 1934); `hits` may be effective ones.

    Parameters
    ----------
    hits, n : float
        0 <= `hits` <= `n`, `n` positive.
    level : float
        Two-sided.

    Returns
    -------
    low, high : float
        In [0, 1].
    """
    from scipy.stats import beta

    tail = (1 - level) / 2
    low = float(beta.ppf(tail, hits, n - hits + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, n - hits)) if hits < n else 1.0
    return low, high


def share_interval(
    hit: np.ndarray,
    clusters: np.ndarray | None = None,
    unit: str = "observation",
    *,
    level: float = LEVEL,
) -> Interval:
    """Share of observations with its interval, over clusters.

    Clopper and Pearson's interval at the effective number of observations p (1 - p) / v, v the jackknife's
    variance over clusters, scaled by the squared ratio of the normal and the t quantile (Korn and Graubard).
    Where the share is 0 or 1 there is no variance, and each cluster counts once.

    Parameters
    ----------
    hit : (n,) bool
        n >= 1.
    clusters : (n,) int, optional
        Each observation its own if None.
    unit : str
        What a cluster is.
    level : float
        Two-sided.

    Returns
    -------
    Interval
        In [0, 1].

    References
    ----------
    Korn and Graubard (1998), Survey Methodology 24, 193-201.
    """
    from scipy.stats import norm

    hit = np.asarray(hit, dtype=np.float64)
    n, cluster = len(hit), members(clusters, len(hit))
    p, count = float(hit.mean()), np.bincount(cluster)
    if len(count) < 2:
        return unbounded(p, n, len(count), unit, one_cluster(unit))
    effective, df = float(len(count)), effective_df(count)
    if 0 < p < 1:
        rest = n - count
        variance = float(jackknife_variance((hit.sum() - np.bincount(cluster, hit)) / rest))
        normal, effective = float(norm.isf((1 - level) / 2)), float(n)
        if variance > 0:  # if clusters are more alike than independent values, that counts for nothing
            found = p * (1 - p) / variance * (normal / t_quantile(df, level)) ** 2
            effective = min(effective, found)
    low, high = clopper_pearson(p * effective, effective, level)
    return Interval(p, low, high, n, level, len(count), unit, "Clopper-Pearson, effective n", df=df)
