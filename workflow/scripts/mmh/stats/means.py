"""Means, and means of paired differences, with intervals over clusters."""

import numpy as np

from mmh.stats.clusters import (
    effective_df,
    exact_low,
    jackknife_variance,
    members,
    one_cluster,
    t_quantile,
    unbounded,
)
from mmh.stats.resampling import LEVEL, Interval


def mean_interval(
    values: np.ndarray,
    clusters: np.ndarray | None = None,
    unit: str = "observation",
    *,
    within: float | None = None,
    level: float = LEVEL,
) -> Interval:
    """Mean of observations: delete-one-cluster jackknife, Student's t at the effective number of clusters.

    Where all clusters agree, the jackknife's variance is 0 and says nothing. Of bounded values at most a
    share 1 - `exact_low` of clusters then differs, by no more than twice the bound.

    Parameters
    ----------
    values : (n,) float
        Finite; n >= 1.
    clusters : (n,) int, optional
        Each observation its own if None.
    unit : str
        What a cluster is.
    within : float, optional
        Bound of the values' size, such as 1 for differences of shares.
    level : float
        Two-sided.

    Returns
    -------
    Interval
        No bounds for one cluster, or where values without a bound are all equal.
    """
    values = np.asarray(values, dtype=np.float64)
    n, cluster = len(values), members(clusters, len(values))
    count = np.bincount(cluster)
    mean, df = float(values.mean()), effective_df(count)
    if len(count) < 2:
        return unbounded(mean, n, len(count), unit, one_cluster(unit, "values"))
    left_out = (values.sum() - np.bincount(cluster, values)) / (n - count)
    if np.ptp(np.bincount(cluster, values) / count) == 0:  # rounding leaves a variance that is not quite 0
        if within is None:
            return unbounded(mean, n, len(count), unit, f"all {len(count)} clusters have one value")
        differing = 1 - exact_low(len(count), level)
        low, high = mean - differing * (mean + within), mean + differing * (within - mean)
        return Interval(mean, low, high, n, level, len(count), unit, "no cluster differs", df=df)
    half = t_quantile(df, level) * float(np.sqrt(jackknife_variance(left_out)))
    low, high = mean - half, mean + half
    if within is not None:
        low, high = max(low, -within), min(high, within)
    return Interval(mean, low, high, n, level, len(count), unit, "jackknife, t", df=df)
