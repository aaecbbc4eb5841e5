"""Rank correlation of two scores, with an interval that respects families of items."""

from collections.abc import Sequence

import numpy as np

from mmh.compute import rng
from mmh.errors import InputError
from mmh.stats.resampling import MIN_CLUSTERS, Interval, draw_weights, percentile_interval

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
    resamples: int = 1000,
    seed: int = 0,
    ids: Sequence[int] = (),
) -> Interval:
    """Spearman's rank correlation with a percentile interval over clusters drawn with replacement.

    Parameters
    ----------
    x, y : (n,) float
        Two scores of the same items.
    clusters : (n,) int, optional
        Drawn together, unless there are fewer than `mmh.stats.resampling.MIN_CLUSTERS` of them.
    resamples, seed, ids
        As for `mmh.stats.curves.cluster_bootstrap`.

    Returns
    -------
    Interval
        The bounds are NaN with fewer than `MIN_ITEMS` items, or if a score does not vary.

    Raises
    ------
    InputError
        If a score is not finite.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError("a correlation of values that are not finite was asked for")
    if len(x) < 2:
        return Interval(np.nan, np.nan, np.nan, len(x))
    estimate = float(spearman(x, y)[0])
    if len(x) < MIN_ITEMS or np.isnan(estimate):
        return Interval(estimate, np.nan, np.nan, len(x))
    unit = np.arange(len(x))
    if clusters is not None and len(np.unique(clusters)) >= MIN_CLUSTERS:
        unit = np.unique(clusters, return_inverse=True)[1]
    generator = rng.generator(seed, "correlation-bootstrap", *ids)
    drawn = np.concatenate([spearman(x, y, weight) for weight in draw_weights(unit, resamples, generator)])
    return percentile_interval(estimate, drawn[np.isfinite(drawn)], len(x))


def _midranks(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean rank of each item among all that was drawn, from 1: what ranking the drawn values gives."""
    _, run, size = np.unique(values, return_inverse=True, return_counts=True)
    first = np.cumsum(size) - size
    count = np.add.reduceat(weight[:, np.argsort(run, kind="stable")], first, axis=1)
    below = np.cumsum(count, axis=1) - count
    return (below + (count + 1) / 2)[:, run]
