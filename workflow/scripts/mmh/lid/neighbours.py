"""Exact nearest neighbours in bounded memory: FAISS finds candidates in float32, float64 orders them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmh.errors import InputError

Array = NDArray[np.float64]
QUERY_ROWS = 4096
BLOCK_BYTES = 256 * 2**20


def knn(
    query: ArrayLike, base: ArrayLike, k: int, *, exclude_self: bool = False
) -> tuple[Array, NDArray[np.int64]]:
    """Find the k nearest base points of every query in Euclidean distance.

    FAISS searches all of `base`, block by block, for k points and some more, after its mean is taken away
    (float32 loses less of small distances near the origin); the candidates' distances are then computed in
    float64 from the differences and sorted, ties by index. Only points that float32 cannot tell from dozens
    of others could be missed.

    Parameters
    ----------
    query : array_like
        (n, ...), flattened.
    base : array_like
        (m, ...), flattened, the same number of values per point.
    k : int
        Number of neighbours, 1..m (1..m-1 with `exclude_self`).
    exclude_self : bool
        `query` is `base`: leave row i out of the neighbours of row i, by its index, so that exact duplicates
        stay.

    Returns
    -------
    distances : numpy.ndarray
        float64 (n, k), plain l2, ascending, exactly 0 for exact duplicates.
    indices : numpy.ndarray
        int64 (n, k), rows of `base`.

    Raises
    ------
    InputError
        If shapes do not fit, a value is not finite, or there are fewer than k neighbours.
    """
    points, queries = _flat(base, "base"), _flat(query, "query")
    if points.shape[1] != queries.shape[1]:
        raise InputError(f"query and base differ in length: {queries.shape[1]} and {points.shape[1]} values")
    if exclude_self and len(points) != len(queries):
        raise InputError(f"exclude_self needs query = base, got {len(queries)} and {len(points)} rows")
    available = len(points) - int(exclude_self)
    if not 1 <= k <= available:
        raise InputError(f"k must lie in 1..{available} with {len(points)} points, got {k}")
    wanted = min(len(points), k + int(exclude_self) + max(16, k // 4))
    centre = points.mean(axis=0, dtype=np.float64)
    distances = np.empty((len(queries), k))
    indices = np.empty((len(queries), k), dtype=np.int64)
    for start in range(0, len(queries), QUERY_ROWS):
        rows = np.arange(start, min(start + QUERY_ROWS, len(queries)))
        candidates = _candidates(queries[rows], points, wanted, centre)
        for row, found in zip(rows.tolist(), candidates, strict=True):
            if exclude_self:
                found = found[found != row]
            squared = _squared_distances(queries[row], points, found)
            order = np.lexsort((found, squared))[:k]
            distances[row], indices[row] = np.sqrt(squared[order]), found[order]
    return distances, indices


def _squared_distances(
    query: NDArray[np.floating], points: NDArray[np.floating], found: NDArray[np.int64]
) -> Array:
    difference = np.subtract(points[found], query, dtype=np.float64)
    return np.einsum("kd,kd->k", difference, difference)


def _candidates(
    queries: NDArray[np.floating], points: NDArray[np.floating], wanted: int, centre: Array
) -> NDArray[np.int64]:
    """Rows of `points` nearest to each query by float32 distance, (n, wanted), unsorted."""
    import faiss

    block = max(wanted, BLOCK_BYTES // (4 * points.shape[1]))
    shifted = np.ascontiguousarray(queries - centre, dtype=np.float32)
    best = np.empty((len(queries), 0), dtype=np.float32)
    rows = np.empty((len(queries), 0), dtype=np.int64)
    for start in range(0, len(points), block):
        part = np.ascontiguousarray(points[start : start + block] - centre, dtype=np.float32)
        squared, found = faiss.knn(shifted, part, min(wanted, len(part)))
        best, rows = np.hstack([best, squared]), np.hstack([rows, found + start])
        if best.shape[1] > wanted:
            chosen = np.argpartition(best, wanted - 1, axis=1)[:, :wanted]
            best, rows = np.take_along_axis(best, chosen, 1), np.take_along_axis(rows, chosen, 1)
    return rows


def _flat(values: ArrayLike, name: str) -> NDArray[np.floating]:
    array = np.asarray(values)
    if array.ndim < 2 or len(array) == 0:
        raise InputError(f"{name} must be (n, ...) with n > 0, got shape {array.shape}")
    if not np.issubdtype(array.dtype, np.floating):
        array = array.astype(np.float64)
    array = array.reshape(len(array), -1)
    for start in range(0, len(array), QUERY_ROWS):
        if not np.isfinite(array[start : start + QUERY_ROWS]).all():
            raise InputError(f"{name} holds NaN or infinity")
    return array
