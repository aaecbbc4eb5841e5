"""Exact nearest neighbours in bounded memory: float32 finds candidates, float64 orders them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmh.errors import InputError
from mmh.lid.points import RANGE, flatten, largest, part_rows, parts, scale

Array = NDArray[np.float64]
Index = NDArray[np.int64]
BLOCK_BYTES = 256 * 2**20  # of float32 queries, and of float32 points, held at once
MOST_CANDIDATES = 1024
_PIECE = 128  # candidates whose differences are held at once
_UNIT = 2.0**-24  # rounding unit of float32
_CLOSE = 0.01  # |x - y|^2 / (|x|^2 + |y|^2) under which the difference is formed


def knn(
    query: ArrayLike, base: ArrayLike, k: int, *, exclude_self: bool = False, device: str = "cpu"
) -> tuple[Array, Index]:
    """Find the k nearest base points of every query in Euclidean distance.

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
    device : str
        As for `ExactSearch`.

    Returns
    -------
    distances : numpy.ndarray
        float64 (n, k), plain l2, ascending, exactly 0 for exact duplicates.
    indices : numpy.ndarray
        int64 (n, k), rows of `base`; ties by row.

    Raises
    ------
    InputError
        If shapes do not fit, a value is not finite, or there are fewer than k neighbours.
    """
    search, queries = ExactSearch(base, device=device), flatten(query, "query")
    if exclude_self and len(search.points) != len(queries):
        raise InputError(f"exclude_self needs query = base, got {len(queries)} and {len(search.points)} rows")
    return search.nearest(queries, k, skip=np.arange(len(queries)) if exclude_self else None)


class ExactSearch:
    """Points made ready for a search that compares every query with every point.

    All distances are formed in float32, block by block, as |x|^2 + |y|^2 - 2 x.y. The k nearest by these, and
    all that the rounding of float32 could hide among the others, get their distance in float64: by the same
    formula where it loses at most two of the sixteen digits, otherwise from the difference, so that equal
    points are at exactly 0. The relative error of a distance is below 1e-12.

    The rounding errors of a float32 product of d terms are taken as independent: 2 sqrt(d) + 8 units of
    (|x| + |y|)^2. If the candidates do not reach that far, more are asked for, up to `MOST_CANDIDATES`: only
    among so many points that are equally near, within that error, could the choice differ from float64's.

    Squares of values beyond about 1e15, or all below 1e-15, leave the range of float32: such points are kept
    as float64, multiplied by a power of two.

    Parameters
    ----------
    base : array_like
        (m, ...) float or integer, flattened; kept as it is, uint8 as uint8, and not copied as a whole.
    rows : array_like of int, optional
        Search these rows only; all by default.
    device : str
        "cpu": FAISS; "cuda" and the like: candidates by PyTorch there, distances on the processor.

    Raises
    ------
    InputError
        If there is no point, or a value is not finite.
    """

    def __init__(self, base: ArrayLike, *, rows: ArrayLike | None = None, device: str = "cpu") -> None:
        self.points = flatten(base, "base")
        self._scale = scale(self.points)
        if self._scale != 1.0:
            self.points = self.points * np.float64(self._scale)
        self.rows = None if rows is None else np.asarray(rows, dtype=np.int64)
        if self.rows is not None and np.array_equal(self.rows, np.arange(len(self.points))):
            self.rows = None
        self.device = device
        m, dim = self.points.shape
        total, farthest = np.zeros(dim), 0.0
        self._squares = np.empty(m)
        self._centre: NDArray[np.floating] | None = None
        double = np.empty((part_rows(dim), dim))
        for part, place in parts(self.points):
            values = double[: len(part)]
            np.copyto(values, part)
            total += values.sum(axis=0)
            self._squares[place] = np.vecdot(values, values)
        mean = total / m
        # Far from the origin float32 loses small distances; where the mean is no large part, nothing is moved
        # and float32 points are searched where they lie.
        if mean @ mean > 0.75 * self._squares.mean():
            self._centre = mean if self.points.dtype == np.float64 else mean.astype(np.float32)
            for part, _ in parts(self.points):
                moved = self._moved(part)
                farthest = max(farthest, float(np.vecdot(moved, moved).max()))
        else:
            farthest = float(self._squares.max())
        self._reach = np.sqrt(farthest)
        self.block = max(1, BLOCK_BYTES // (4 * dim))

    def __len__(self) -> int:
        return len(self.points) if self.rows is None else len(self.rows)

    def nearest(
        self, query: ArrayLike, k: int, *, skip: NDArray[np.integer] | None = None
    ) -> tuple[Array, Index]:
        """Find the k nearest points of every query.

        Parameters
        ----------
        query : array_like
            (n, ...), flattened.
        k : int
            Number of neighbours.
        skip : (n,) int, optional
            A row of `base` for each query that is not among its neighbours.

        Returns
        -------
        distances : numpy.ndarray
            float64 (n, k), plain l2, ascending, exactly 0 for equal points.
        indices : numpy.ndarray
            int64 (n, k), rows of `base`; ties by row.

        Raises
        ------
        InputError
            If shapes do not fit, a value is not finite, or there are fewer than k neighbours.
        """
        queries = flatten(query, "query")
        if self.points.shape[1] != queries.shape[1]:
            raise InputError(
                f"query and base differ in length: {queries.shape[1]} and {self.points.shape[1]} values"
            )
        if self._scale != 1.0:
            queries = queries * np.float64(self._scale)
        if largest(queries) > RANGE[1]:
            raise InputError(
                f"query holds values of the size {largest(queries) / self._scale:.1g}, base none above "
                f"{largest(self.points) / self._scale:.1g}: are both on one scale?"
            )
        available = len(self) - (skip is not None)
        if not 1 <= k <= available:
            raise InputError(f"k must lie in 1..{available} with {len(self)} points, got {k}")
        distances = np.empty((len(queries), k))
        indices = np.empty((len(queries), k), dtype=np.int64)
        for start in range(0, len(queries), self.block):
            part = slice(start, start + self.block)
            left = None if skip is None else np.asarray(skip[part])
            self._nearest(queries[part], k, left, distances[part], indices[part])
        return distances / self._scale if self._scale != 1.0 else distances, indices

    def _nearest(
        self, queries: NDArray, k: int, skip: NDArray | None, distances: Array, indices: Index
    ) -> None:
        """Fill `distances` and `indices` of one block of queries, with more candidates where needed."""
        todo = np.arange(len(queries))
        wanted = k + (skip is not None) + max(16, k // 4)
        while len(todo):
            wanted = min(wanted, len(self))
            approximate, found, error = self._candidates(queries[todo], wanted)
            last = approximate[:, -1].copy()
            if skip is not None:
                itself = found == skip[todo, None]
                last = np.where(itself[:, -1], approximate[:, -2], last)
                approximate[itself] = np.inf
                order = np.argsort(approximate, axis=1, kind="stable")
                approximate = np.take_along_axis(approximate, order, 1)
                found = np.take_along_axis(found, order, 1)
            squared, limit = self._refined(queries[todo], approximate, found, k, error)
            order = _order(squared, found)[:, :k]
            distances[todo] = np.sqrt(np.take_along_axis(squared, order, 1))
            indices[todo] = np.take_along_axis(found, order, 1)
            most = min(len(self), max(MOST_CANDIDATES, wanted))
            if wanted == most:
                return
            todo = todo[last <= limit]
            wanted = min(4 * wanted, most)

    def _candidates(
        self, queries: NDArray, wanted: int
    ) -> tuple[NDArray[np.float32], Index, NDArray[np.float32]]:
        """Nearest points by float32: squared distances (n, wanted), ascending, rows, and errors (n,)."""
        block = max(wanted, self.block)
        moved = self._moved(queries)
        best = np.empty((len(queries), 0), dtype=np.float32)
        found = np.empty((len(queries), 0), dtype=np.int64)
        for start in range(0, len(self), block):
            part = slice(start, start + block)
            rows = None if self.rows is None else self.rows[part]
            points = self._moved(self.points[part] if rows is None else self.points[rows])
            squared, near = _search(moved, points, min(wanted, len(points)), self.device)
            near = near + start if rows is None else rows[near]
            best, found = np.hstack([best, squared]), np.hstack([found, near])
            if start:  # both halves ascend
                order = np.argsort(best, axis=1, kind="stable")[:, :wanted]
                best, found = np.take_along_axis(best, order, 1), np.take_along_axis(found, order, 1)
        norms = np.sqrt(np.vecdot(moved, moved))
        error = (2 * np.sqrt(moved.shape[1]) + 8) * _UNIT * (norms + self._reach) ** 2
        return best, found, error.astype(np.float32)

    def _refined(
        self, queries: NDArray, approximate: NDArray, found: Index, k: int, error: NDArray
    ) -> tuple[Array, Array]:
        """Squared distances in float64 of candidates that can be among the k nearest, infinity for others.

        Also up to which squared distance in float32 such candidates reach, (n,).
        """
        squared = np.full(found.shape, np.inf)
        limit = np.empty(len(queries))
        dim = self.points.shape[1]
        raw = np.empty((min(_PIECE, found.shape[1]), dim), dtype=self.points.dtype)
        double = np.empty(raw.shape)

        def measure(row: int, start: int, stop: int) -> None:
            query = queries[row].astype(np.float64)
            square = query @ query
            for first in range(start, stop, _PIECE):
                last = min(first + _PIECE, stop)
                rows, few, points = found[row, first:last], raw[: last - first], double[: last - first]
                # Into buffers that stay in the cache; "clip" because "raise" would copy through another one.
                self.points.take(rows, axis=0, out=few, mode="clip")
                np.copyto(points, few)
                squares = self._squares[rows] + square
                result = squares - 2 * np.vecdot(points, query)
                close = result < _CLOSE * squares
                if close.any():
                    difference = points[close] - query
                    result[close] = np.vecdot(difference, difference)
                squared[row, first:last] = result

        for row in range(len(queries)):
            measure(row, 0, k)
            limit[row] = squared[row, :k].max() + error[row]
            if k < found.shape[1] and approximate[row, k] <= limit[row]:
                measure(row, k, int(approximate[row].searchsorted(limit[row], side="right")))
        return squared, limit

    def _moved(self, rows: NDArray) -> NDArray[np.float32]:
        moved = _as_float(rows) if self._centre is None else np.subtract(rows, self._centre)
        return np.ascontiguousarray(moved, dtype=np.float32)


def _search(
    queries: NDArray[np.float32], points: NDArray[np.float32], k: int, device: str
) -> tuple[NDArray[np.float32], Index]:
    """Squared distances and places of the k nearest points, ascending, in float32."""
    if device == "cpu":
        import faiss

        return faiss.knn(queries, points, k)
    return _torch_search(queries, points, k, device)


def _torch_search(
    queries: NDArray[np.float32], points: NDArray[np.float32], k: int, device: str
) -> tuple[NDArray[np.float32], Index]:
    import torch

    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")  # TensorFloat-32 would void the bound on the error
    try:
        x, y = (torch.from_numpy(a).to(device) for a in (queries, points))
        squared = x.square().sum(1)[:, None] + y.square().sum(1) - 2 * (x @ y.T)
        near, found = squared.topk(k, dim=1, largest=False, sorted=True)
        return near.cpu().numpy(), found.cpu().numpy()
    finally:
        torch.set_float32_matmul_precision(precision)


def _order(squared: Array, found: Index) -> Index:
    """Places (n, c) that sort each row by distance, then by row of the base."""
    order = np.argsort(squared, axis=1)
    ascending = np.take_along_axis(squared, order, 1)
    tied = ((ascending[:, 1:] == ascending[:, :-1]) & np.isfinite(ascending[:, 1:])).any(axis=1)
    if tied.any():  # rare, and slow to sort by
        order[tied] = np.lexsort((found[tied], squared[tied]), axis=1)
    return order


def _as_float(rows: NDArray) -> NDArray[np.floating]:
    return rows if rows.dtype in (np.float32, np.float64) else rows.astype(np.float32)
