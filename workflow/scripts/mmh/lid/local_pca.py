"""LID_* of a data set by local PCA with a pooled threshold and a radius that sees exact duplicates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmh.compute import rng
from mmh.compute.shown import shown
from mmh.errors import InputError
from mmh.lid.covariance import bootstrap_stderr, neighbourhood_variances
from mmh.lid.neighbours import knn
from mmh.lid.spectra import check_percentile, count_above

Array = NDArray[np.float64]
Radius = Literal["knn", "all"]
ZERO = 1e-10
PAIR_POINTS = 4000


@dataclass(frozen=True)
class LocalPCA:
    """Result of `local_pca`, with the pool that its threshold comes from.

    Attributes
    ----------
    lid : numpy.ndarray
        int64 (n,), number of variances > threshold.
    variances : numpy.ndarray
        float64 (n, k), descending, squared units of the data; zeros beyond the rank.
    threshold : float
        Percentile of the pool; 0 if every variance is zero.
    kept : numpy.ndarray
        int64 (n,), neighbours that the radius left.
    pool_used : int
        Variances in the pool.
    pool_zero : int
        Variances left out of it as numerically zero, those beyond the rank included.
    radius : float or None
        The radius in units of the data, None without the rule.
    stderr : numpy.ndarray or None
        float64 (n,), bootstrap standard error of `lid` over the neighbours; None without a bootstrap.
    """

    lid: NDArray[np.int64]
    variances: Array
    threshold: float
    kept: NDArray[np.int64]
    pool_used: int
    pool_zero: int
    radius: float | None
    stderr: Array | None = None

    def __repr__(self) -> str:
        return shown(type(self).__name__, **vars(self))


def local_pca(
    train: ArrayLike,
    *,
    k: int = 100,
    percentile: float = 10,
    radius: Radius | None = "knn",
    query: ArrayLike | None = None,
    neighbours: tuple[Array, NDArray[np.int64]] | None = None,
    bootstrap: int = 0,
    seed: int = 0,
    ids: ArrayLike | None = None,
) -> LocalPCA:
    """Estimate LID_* of points from the k nearest training points of each.

    The variances at x are the eigenvalues of the covariance (divisor m - 1) of its m neighbours, x itself
    left out; LID = #{variances > threshold}, the threshold being a percentile of the variances of the whole
    training set, without those that are numerically zero (at most 1e-10 of the largest). If any neighbours
    lie within the radius (distance <= radius), only those are kept: exact duplicates then read 0.

    Parameters
    ----------
    train : array_like
        (n, ...) float or integer, the training set, flattened; never copied whole as float64.
    k : int
        Number of neighbours, 2 <= k < n.
    percentile : float
        In (0, 100), of the pooled variances and of the distances that set the radius.
    radius : {"knn", "all"} or None
        Distances that the radius is a percentile of: those to the k neighbours of every training point, or
        those of all pairs (among 4000 points drawn without replacement, where there are more). None: no such
        rule.
    query : array_like, optional
        (q, ...), points to estimate at instead of the training points; threshold and radius stay those of the
        training set. A query equal to a training point counts as that point: one coincident neighbour is left
        out.
    neighbours : (distances, indices), optional
        The training set's own neighbours, from ``knn(train, train, k, exclude_self=True)``, if at hand.
    bootstrap : int
        Replicates of the bootstrap over the neighbours that gives `stderr`; 0 for none. Each costs one
        k x k eigenvalue problem per point.
    seed : int
        Root seed of the bootstrap.
    ids : array_like of int, optional
        Ids of the points estimated at, which key their bootstrap; 0..n-1 by default.

    Returns
    -------
    LocalPCA
        For the queries, or the n training points.

    Raises
    ------
    InputError
        If k, the percentile, the radius rule or a shape is out of range.
    """
    check_percentile(percentile)
    points = np.asarray(train)
    points = points.reshape(len(points), -1)
    if not 2 <= k < len(points):
        raise InputError(f"k must be at least 2 and below the {len(points)} training points, got {k}")
    if radius not in ("knn", "all", None):
        raise InputError(f'radius must be "knn", "all" or None, got {radius!r}')
    if bootstrap < 0 or bootstrap == 1:
        raise InputError(f"bootstrap must be 0 or at least 2 replicates, got {bootstrap}")
    distances, indices = knn(points, points, k, exclude_self=True) if neighbours is None else neighbours
    if distances.shape != (len(points), k) or indices.shape != (len(points), k):
        raise InputError(f"neighbours must be two ({len(points)}, {k}) arrays, got {distances.shape}")
    limit = None
    if radius is not None:
        limit = float(np.percentile(distances if radius == "knn" else _pair_distances(points), percentile))
    kept = _kept(distances, limit)
    variances = neighbourhood_variances(points, points, indices, kept)
    used = variances[variances > ZERO * variances.max()]
    threshold = float(np.percentile(used, percentile)) if used.size else 0.0
    zeros = variances.size - used.size
    queries = points
    if query is not None:
        queries = np.asarray(query)
        queries = queries.reshape(len(queries), -1)
        distances, indices = _query_neighbours(queries, points, k)
        kept = _kept(distances, limit)
        variances = neighbourhood_variances(queries, points, indices, kept)
    stderr = None
    if bootstrap:
        stderr = bootstrap_stderr(
            queries,
            points,
            indices,
            kept,
            threshold=threshold,
            replicates=bootstrap,
            seed=seed,
            ids=_ids(ids, len(queries)),
        )
    lid = count_above(variances, threshold)
    return LocalPCA(lid, variances, threshold, kept, used.size, zeros, limit, stderr)


def _kept(distances: Array, limit: float | None) -> NDArray[np.int64]:
    n, k = distances.shape
    if limit is None:
        return np.full(n, k, dtype=np.int64)
    within = np.count_nonzero(distances <= limit, axis=1).astype(np.int64)
    # One neighbour has no variance, whatever the dimension: only an exact duplicate may read 0.
    alone = (within == 0) | ((within == 1) & (distances[:, 0] > 0))
    return np.where(alone, k, within)


def _query_neighbours(queries: NDArray, points: NDArray, k: int) -> tuple[Array, NDArray[np.int64]]:
    distances, indices = knn(queries, points, k + 1)
    start = (distances[:, 0] == 0).astype(np.int64)
    columns = start[:, None] + np.arange(k)
    return np.take_along_axis(distances, columns, 1), np.take_along_axis(indices, columns, 1)


def _pair_distances(points: NDArray) -> Array:
    if len(points) > PAIR_POINTS:
        chosen = rng.generator(0, "local-pca-pairs").choice(len(points), PAIR_POINTS, replace=False)
        points = points[np.sort(chosen)]
    centred = points - points.mean(axis=0, dtype=np.float64)
    squares = np.einsum("nd,nd->n", centred, centred)
    squared = squares[:, None] + squares - 2.0 * (centred @ centred.T)
    return np.sqrt(np.maximum(squared[np.triu_indices(len(points), 1)], 0.0))


def _ids(ids: ArrayLike | None, n: int) -> NDArray[np.int64]:
    numbers = np.arange(n) if ids is None else np.asarray(ids)
    if numbers.shape != (n,) or (n and not np.issubdtype(numbers.dtype, np.integer)):
        raise InputError(f"needs {n} integer ids, got {numbers.dtype} of shape {numbers.shape}")
    return numbers.astype(np.int64)
