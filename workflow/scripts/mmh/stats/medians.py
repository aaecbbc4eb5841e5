"""Medians and their differences, with intervals over clusters."""

from dataclasses import dataclass

import numpy as np

from mmh.errors import InputError
from mmh.stats.clusters import (
    effective_df,
    jackknife_variance,
    members,
    mover,
    one_cluster,
    t_quantile,
    unbounded,
)
from mmh.stats.resampling import LEVEL, Interval

MIN_MEDIAN = 6
"""Below it even (smallest, largest) covers the median with probability < 95 %: 1 - 2^(1-n)."""


@dataclass(frozen=True)
class _Middle:
    """A median, its bounds by Woodruff's method, and what each cluster contributes to it."""

    value: float
    low: float
    high: float
    pull: np.ndarray  # (G,)
    df: float


def median_interval(
    values: np.ndarray,
    other: np.ndarray | None = None,
    *,
    paired: bool = False,
    clusters: np.ndarray | None = None,
    other_clusters: np.ndarray | None = None,
    unit: str = "observation",
    level: float = LEVEL,
) -> Interval:
    """Median of `values`, or median(values) - median(other), with an interval over clusters.

    The bounds of a median are the quantiles at 1/2 -/+ t se, se the jackknife's standard error of the share
    below it (Woodruff); of independent values that share is binomial, and se is known. Those of a difference
    are combined from them, with the correlation of the two shares over clusters (MOVER). Cluster labels of
    both groups are one set of labels.

    Parameters
    ----------
    values : (n,) float
        Observations.
    other : (m,) float, optional
        Observations to subtract the median of.
    paired : bool
        `other` belongs to the same items in the same order, and so do its clusters.
    clusters, other_clusters : (n,) and (m,) int, optional
        Clusters; each observation its own if None.
    unit : str
        What a cluster is.
    level : float
        Two-sided.

    Returns
    -------
    Interval
        `n` counts both groups unless paired; the estimate is NaN if a group is empty. There are no bounds
        with fewer than `MIN_MEDIAN` values, with one cluster, or where 1/2 -/+ t se leaves the data.

    Raises
    ------
    InputError
        If a value is not finite, paired groups differ in length, or one of two groups lacks clusters.

    References
    ----------
    Woodruff (1952), JASA 47, 635-646; Zou and Donner (2008), Statistics in Medicine 27, 1693-1702.
    """
    groups = [np.asarray(g, dtype=np.float64) for g in (values, other) if g is not None]
    sizes = [len(g) for g in groups]
    if not all(np.isfinite(g).all() for g in groups):
        raise InputError("a median of values that are not finite was asked for")
    if paired and len(set(sizes)) > 1:
        raise InputError(f"paired medians need equally many values, got {sizes}")
    total = sizes[0] if paired else sum(sizes)
    if min(sizes) == 0:
        return unbounded(np.nan, total, 0, unit, "a group is empty")
    labels = _labels(sizes, paired, clusters, other_clusters)
    counts = [len(np.unique(part)) for part in labels]
    medians = [float(np.median(g)) for g in groups]
    estimate = medians[0] - (medians[1] if len(groups) == 2 else 0.0)
    fewest = min(counts)
    if min(sizes) < MIN_MEDIAN:
        return unbounded(
            estimate, total, fewest, unit, f"fewer than {MIN_MEDIAN} values do not bound a median"
        )
    if fewest < 2:
        return unbounded(estimate, total, fewest, unit, one_cluster(unit, "values of a group"))
    every = int(max(part.max() for part in labels)) + 1
    parts = [_middle(g, part, every, level) for g, part in zip(groups, labels, strict=True)]
    if not all(np.isfinite(part.low + part.high) for part in parts):
        reason = f"{fewest} clusters of such sizes do not bound a median"
        return unbounded(estimate, total, fewest, unit, reason)
    low, high = _combined(parts)
    df = min(part.df for part in parts)
    return Interval(estimate, low, high, total, level, fewest, unit, "Woodruff", df=df)


def _labels(
    sizes: list[int], paired: bool, clusters: np.ndarray | None, other: np.ndarray | None
) -> list[np.ndarray]:
    """Clusters of each group, numbered from 0 over both."""
    if len(sizes) == 1 or paired:
        return [members(clusters, sizes[0])] * len(sizes)
    if (clusters is None) != (other is None):
        raise InputError("clusters of both groups are needed, or of none")
    if clusters is None or other is None:
        whole = np.arange(sum(sizes))
    else:
        whole = members(np.concatenate([np.asarray(clusters), np.asarray(other)]), sum(sizes))
    return [whole[: sizes[0]], whole[sizes[0] :]]


def _middle(values: np.ndarray, cluster: np.ndarray, every: int, level: float) -> _Middle:
    n, middle = len(values), float(np.median(values))
    below = (values < middle) + 0.5 * (values == middle)
    count, total = np.bincount(cluster, minlength=every), np.bincount(cluster, below, every)
    pull = (total - count * below.mean()) / n
    held = count > 0
    alone = bool((count <= 1).all())
    # Of independent values the share below the median is binomial: its variance is known.
    error, df = 0.5 / np.sqrt(n), np.inf
    if not alone:
        size, spread = count[held], below.var()
        share = jackknife_variance((below.sum() - total[held]) / (n - size))
        # A spread of 0, all values equal, tells nothing of the design: as if a cluster were one value.
        design = n * float(share) / spread if spread > 0 else n / len(size)
        error, df = error * np.sqrt(design), effective_df(size)
    half = t_quantile(df, level) * error
    ends = 0.5 - half, 0.5 + half
    if ends[0] <= 0:
        return _Middle(middle, np.nan, np.nan, pull, df)
    low, high = np.quantile(values, ends, method="hazen")
    return _Middle(middle, float(low), float(high), pull, df)


def _combined(parts: list[_Middle]) -> tuple[float, float]:
    if len(parts) == 1:
        return parts[0].low, parts[0].high
    one, two = parts
    size = np.sqrt((one.pull**2).sum() * (two.pull**2).sum())
    together = float((one.pull * two.pull).sum() / size) if size > 0 else 0.0
    change, down, up = one.value - two.value, one.value - one.low, one.high - one.value
    other_down, other_up = two.value - two.low, two.high - two.value
    low = change - mover(down, other_up, together)
    return low, change + mover(up, other_down, together)
