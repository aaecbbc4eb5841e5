"""AUC and its paired differences over clusters, by leaving out one cluster at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmh.stats.clusters import (
    cluster_df,
    exact_low,
    jackknife_variance,
    members,
    mover,
    one_cluster,
    t_quantile,
    unbounded,
)
from mmh.stats.resampling import FEW, LEVEL, Interval


@dataclass(frozen=True)
class LeftOut:
    """AUC of S scores on the data, and without each cluster.

    Attributes
    ----------
    area : (S,) float64
        On the data.
    strata : list of (G_h, S) float64
        Without each cluster that carries positives, and without each that carries negatives alone: two
        sources of randomness.
    n_positive, n_negative : int
        Observations of each class.
    clusters : (int, int)
        Clusters that carry positives, and those that carry negatives.
    df : float
        Degrees of freedom of the variance: of the class with fewer.
    constant : (S,) bool
        Scores that are the same for all.
    alone : bool
        Whether each observation is its own cluster.
    """

    area: np.ndarray
    strata: list[np.ndarray]
    n_positive: int
    n_negative: int
    clusters: tuple[int, int]
    df: float
    constant: np.ndarray
    alone: bool

    @property
    def n(self) -> int:
        """Number of observations."""
        return self.n_positive + self.n_negative

    @property
    def n_clusters(self) -> int:
        """Clusters of the class with fewer."""
        return min(self.clusters)

    def reason(self, unit: str) -> str:
        """Why there is no interval; empty if there is one."""
        for count, whose in zip(self.clusters, ("positives", "negatives"), strict=True):
            if count < 2:
                return one_cluster(unit, whose)
        return ""

    def correlation(self, which: int, other: int) -> float:
        """Correlation of two AUC by the jackknife; 0 where one of them has no variance."""
        one, two = ([part[:, k] for part in self.strata] for k in (which, other))
        sizes = self.variance(one), self.variance(two)
        if min(sizes) <= 0:
            return 0.0
        both = self.variance([a + b for a, b in zip(one, two, strict=True)])
        return float(np.clip((both - sum(sizes)) / (2 * np.sqrt(sizes[0] * sizes[1])), -1, 1))

    def variance(self, values: Sequence[np.ndarray]) -> float:
        """Sum of the jackknife's variances of the strata."""
        return float(sum(jackknife_variance(part) for part in values))


def left_out_areas(scores: np.ndarray, positive: np.ndarray, clusters: np.ndarray | None = None) -> LeftOut:
    """AUC of each score without each cluster, from the ranks of all observations.

    A pair of a positive and a negative is lost with the cluster of either. So the wins without a cluster are
    all wins, less those of its positives, less those against its negatives, plus those within it, which were
    taken off twice: O(n log n) for all clusters together.

    Parameters
    ----------
    scores : (n, S) float
        Finite; larger speaks for the positive class.
    positive : (n,) bool
        Class of each observation; both occur.
    clusters : (n,) int, optional
        Cluster of each observation; each its own if None.

    Returns
    -------
    LeftOut
        Without strata where a class is of one cluster.
    """
    positive = np.asarray(positive, dtype=bool)
    columns = np.asarray(scores, dtype=np.float64).reshape(len(positive), -1)
    cluster = members(clusters, len(positive))
    count = int(cluster.max()) + 1
    up, down = (np.bincount(cluster[rows], minlength=count) for rows in (positive, ~positive))
    m, k = int(up.sum()), int(down.sum())
    carrying = (int((up > 0).sum()), int((down > 0).sum()))
    shared = np.flatnonzero((up > 0) & (down > 0))
    inside = [np.flatnonzero(cluster == g) for g in shared] if len(shared) else []
    constant, alone = np.ptp(columns, axis=0) == 0, count == len(positive)
    area, rest = np.empty(columns.shape[1]), np.empty((count, columns.shape[1]))
    for s, column in enumerate(columns.T):
        wins, losses = _wins(column, positive)
        lost = np.bincount(cluster[positive], wins, count) + np.bincount(cluster[~positive], losses, count)
        for g, rows in zip(shared, inside, strict=True):
            lost[g] -= _wins(column[rows], positive[rows])[0].sum()
        area[s] = wins.sum() / (m * k)
        if min(carrying) > 1:
            rest[:, s] = (wins.sum() - lost) / ((m - up) * (k - down))
    if min(carrying) < 2:
        return LeftOut(area, [], m, k, carrying, 1.0, constant, alone)
    df = min(cluster_df(cluster[positive]), cluster_df(cluster[~positive]))
    strata = [rest[up > 0], rest[up == 0]]
    if len(strata[1]) < 2:  # one more cluster of the same source
        strata = [rest]
    return LeftOut(area, strata, m, k, carrying, df, constant, alone)


def area_interval(
    left_out: LeftOut, which: int = 0, unit: str = "observation", *, level: float = LEVEL
) -> Interval:
    """AUC with its interval, symmetric in its logit, by the jackknife over clusters.

    The standard error is the jackknife's of the AUC, over its slope; with fewer than `FEW` clusters of
    several observations it is that of the logit, which grows where one cluster carries all errors. Where
    the AUC is 1 (or 0) there is no variance: min(G+, G-) disjoint pairs of clusters were all in order, which
    has probability at most AUC^min(G+, G-), and the bound follows (`exact_low`).

    Parameters
    ----------
    left_out : LeftOut
    which : int
        Score.
    unit : str
        What a cluster is.
    level : float
        Two-sided.

    Returns
    -------
    Interval
        In [0, 1]. Of a score that is constant [1/2, 1/2], by definition.
    """
    area, groups = float(left_out.area[which]), left_out.n_clusters
    how: dict[str, Any] = {"level": level, "n_clusters": groups, "unit": unit}
    if left_out.constant[which]:
        return Interval(area, area, area, left_out.n, **how, method="by definition")
    if reason := left_out.reason(unit):
        return unbounded(area, left_out.n, groups, unit, reason)
    if area in (0.0, 1.0):
        low = exact_low(groups, level)
        ends = (low, 1.0) if area == 1 else (0.0, 1 - low)
        return Interval(area, *ends, left_out.n, **how, method="exact")
    values = [part[:, which] for part in left_out.strata]
    if groups < FEW and not left_out.alone:
        edge = 0.5 / (left_out.n_positive * left_out.n_negative)  # half a pair: a logit must be finite
        values = [np.log(v / (1 - v)) for v in (np.clip(v, edge, 1 - edge) for v in values)]
        error, method = np.sqrt(left_out.variance(values)), "jackknife of the logit"
    else:
        error, method = np.sqrt(left_out.variance(values)) / (area * (1 - area)), "jackknife"
    if error < 1e-12:
        return unbounded(area, left_out.n, groups, unit, f"no {unit} changes the value")
    ends = logit_bounds(area, t_quantile(left_out.df, level) * float(error))
    return Interval(area, *ends, left_out.n, **how, method=method, df=left_out.df)


def logit_bounds(area: float, half: float) -> tuple[float, float]:
    """Bounds of a share that lie `half` to each side of its logit."""
    from scipy.special import expit, logit

    return float(expit(logit(area) - half)), float(expit(logit(area) + half))


def difference_interval(
    left_out: LeftOut, which: int, other: int, unit: str = "observation", *, level: float = LEVEL
) -> Interval:
    """Difference of two AUC, its bounds from those of each and the jackknife's correlation (MOVER).

    The lower one lies sqrt(a^2 + b^2 - 2 r a b) below the difference, a the distance of the first AUC to its
    lower bound and b of the second to its upper one; so bounds are as lopsided as those of an AUC near 1.
    Where no cluster tells the scores apart, the share of pairs that they order differently is bounded as in
    `area_interval`, and with it the difference, which is held within the bounds of uncorrelated areas.

    Parameters
    ----------
    left_out : LeftOut
    which, other : int
        Scores.
    unit : str
        What a cluster is.
    level : float
        Two-sided.

    Returns
    -------
    Interval
        In [-1, 1]; [0, 0] for a score and itself.

    References
    ----------
    Zou and Donner (2008), Statistics in Medicine 27, 1693-1702.
    """
    change, groups = float(left_out.area[which] - left_out.area[other]), left_out.n_clusters
    how: dict[str, Any] = {"level": level, "n_clusters": groups, "unit": unit, "df": left_out.df}
    if which == other:
        return Interval(0.0, 0.0, 0.0, left_out.n, **how, method="by definition")
    one, two = (area_interval(left_out, k, unit, level=level) for k in (which, other))
    for single in (one, two):
        if single.reason:
            return unbounded(change, left_out.n, groups, unit, single.reason)
    if left_out.variance([part[:, which] - part[:, other] for part in left_out.strata]) < 1e-24:
        # No more than a share of pairs, and no more than both areas can be off.
        half = 1 - exact_low(groups, level)
        down = min(half, mover(one.estimate - one.low, two.high - two.estimate, 0.0))
        up = min(half, mover(one.high - one.estimate, two.estimate - two.low, 0.0))
        ends = max(change - down, -1.0), min(change + up, 1.0)
        return Interval(change, *ends, left_out.n, **how, method="exact")
    together = left_out.correlation(which, other)
    low = change - mover(one.estimate - one.low, two.high - two.estimate, together)
    high = change + mover(one.high - one.estimate, two.estimate - two.low, together)
    return Interval(change, max(low, -1.0), min(high, 1.0), left_out.n, **how, method="jackknife, MOVER")


def _wins(score: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Negatives below each positive, and positives above each negative; ties count half."""
    from scipy.stats import rankdata

    ranks = rankdata(score)
    wins = ranks[positive] - rankdata(score[positive])
    losses = positive.sum() - (ranks[~positive] - rankdata(score[~positive]))
    return wins, losses
