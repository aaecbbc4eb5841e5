"""Rank correlation of two scores, with an interval that respects families of items."""

from dataclasses import replace

import numpy as np

from mmh.errors import InputError
from mmh.stats.clusters import (
    cluster_df,
    jackknife_variance,
    members,
    one_cluster,
    t_quantile,
    unbounded,
    without_each,
)
from mmh.stats.resampling import LEVEL, Interval

MIN_ITEMS = 6
"""With fewer the interval is NaN: resamples of so few are mostly ties."""


def spearman(x: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """Spearman's rank correlation of each weighted copy of the data, ties with their mean rank.

    Parameters
    ----------
    x, y : (n,) float
        Two scores of the same items.
    weight : (R, n) float, optional
        How often each item was drawn; one copy with every item once by default.

    Returns
    -------
    (R,) float64
        In [-1, 1]; NaN where a score is the same for all that was drawn.
    """
    weight = np.ones((1, len(x))) if weight is None else weight
    total = weight.sum(axis=1, keepdims=True)
    a, b = (_midranks(np.asarray(v, dtype=np.float64), weight) - (total + 1) / 2 for v in (x, y))
    spread = np.sqrt((weight * a * a).sum(axis=1) * (weight * b * b).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(spread > 0, (weight * a * b).sum(axis=1) / spread, np.nan)


def spearman_interval(
    x: np.ndarray,
    y: np.ndarray,
    clusters: np.ndarray | None = None,
    *,
    unit: str = "observation",
    level: float = LEVEL,
) -> Interval:
    """Spearman's rank correlation with an interval over clusters.

    Symmetric in its artanh, by the jackknife over clusters with Student's quantile.

    Parameters
    ----------
    x, y : (n,) float
        Two scores of the same items.
    clusters : (n,) int, optional
        Left out together; each item its own if None.
    unit : str
        What a cluster is.
    level : float
        Two-sided.

    Returns
    -------
    Interval
        There are no bounds with fewer than `MIN_ITEMS` items, with one cluster, if a score does not vary, or
        if all ranks agree.

    Raises
    ------
    InputError
        If a score is not finite.
    """
    return _interval(*_left_out(x, y, clusters, unit), level)


def spearman_difference(
    x: np.ndarray,
    y: np.ndarray,
    other: np.ndarray,
    clusters: np.ndarray | None = None,
    *,
    unit: str = "observation",
    level: float = LEVEL,
) -> Interval:
    """Artanh of Spearman's correlation of x and y, less that of x and another score: Cohen's q.

    On that scale correlations near 1 have room to differ. Symmetric, by the jackknife of the difference with
    Student's quantile.

    Parameters
    ----------
    x, y, other : (n,) float
        Scores of the same items.
    clusters, unit, level
        As for `spearman_interval`.

    Returns
    -------
    Interval
        No bounds where one of the correlations has none.

    Raises
    ------
    InputError
        If a score is not finite.

    References
    ----------
    Cohen (1988), Statistical Power Analysis, ch. 4: .1 is a small effect, .3 a medium one.
    """
    (one, drawn), (two, others) = (_left_out(x, score, clusters, unit) for score in (y, other))
    change = float(_artanh(one.estimate) - _artanh(two.estimate))
    for each in (one, two):
        if each.reason:
            return unbounded(change, one.n, one.n_clusters, unit, each.reason)
    error = float(np.sqrt(jackknife_variance(_artanh(drawn) - _artanh(others))))
    half = t_quantile(one.df, level) * error
    how = "jackknife of the artanh"
    return Interval(change, change - half, change + half, one.n, level, one.n_clusters, unit, how, df=one.df)


def _left_out(
    x: np.ndarray, y: np.ndarray, clusters: np.ndarray | None, unit: str
) -> tuple[Interval, np.ndarray]:
    """A correlation, and without each cluster; or a reason why that is not to be had."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError("a correlation of values that are not finite was asked for")
    n, cluster = len(x), members(clusters, len(x))
    groups, drawn = len(np.unique(cluster)), np.empty(0)
    estimate = float(spearman(x, y)[0]) if n > 1 else np.nan
    for wrong, reason in (
        (np.isnan(estimate), "a score does not vary"),
        (n < MIN_ITEMS, f"fewer than {MIN_ITEMS} items"),
        (groups < 2, one_cluster(unit)),
        (abs(estimate) > 1 - 1e-12, "all ranks agree"),
    ):
        if wrong:
            return unbounded(estimate, n, groups, unit, reason), drawn
    drawn = np.concatenate([spearman(x, y, weight) for weight in without_each(cluster)])
    if not np.isfinite(drawn).all():
        return unbounded(estimate, n, groups, unit, f"without one {unit} a score does not vary"), drawn
    df, method = cluster_df(cluster), "jackknife of the artanh"
    return Interval(estimate, np.nan, np.nan, n, LEVEL, groups, unit, method, df=df), drawn


def _interval(about: Interval, drawn: np.ndarray, level: float) -> Interval:
    if about.reason:
        return about
    half = t_quantile(about.df, level) * float(np.sqrt(jackknife_variance(_artanh(drawn))))
    low, high = (float(np.tanh(_artanh(about.estimate) + side * half)) for side in (-1, 1))
    return replace(about, low=low, high=high, level=level)


def _artanh(value: np.ndarray | float) -> np.ndarray:
    return np.arctanh(np.clip(value, -1 + 1e-9, 1 - 1e-9))


def _midranks(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean rank of each item among all that was drawn, from 1: what ranking the drawn values gives."""
    _, run, size = np.unique(values, return_inverse=True, return_counts=True)
    first = np.cumsum(size) - size
    count = np.add.reduceat(weight[:, np.argsort(run, kind="stable")], first, axis=1)
    below = np.cumsum(count, axis=1) - count
    return (below + (count + 1) / 2)[:, run]
