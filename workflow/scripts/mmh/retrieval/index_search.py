"""Search by an index: it proposes candidates, which the embeddings themselves put in order in float64.

So a compressed index costs recall only where it leaves the right image out of the candidates.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmh.errors import InputError
from mmh.retrieval.embedding_shards import CHUNK_BYTES, Paths, Shards, check_unit

if TYPE_CHECKING:
    import faiss


def search(
    path: str | os.PathLike[str],
    shards: Paths,
    queries: np.ndarray,
    top: int,
    *,
    nprobe: int | None = None,
    rerank: int | None = None,
    name: str | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest rows of the shards by a saved index.

    The lists of an IVF index stay on disk and are read where they are probed; of the shards only the
    candidates are read.

    Parameters
    ----------
    path : path
        Written by `vector_index.build` from the same shards.
    shards : sequence of path
        In the same order.
    queries : (n, k) float32
        Unit rows.
    top : int
        Matches per query.
    nprobe, rerank : int, optional
        As for `candidates`.
    name : str, optional
        What error messages call the index; its path by default.

    Returns
    -------
    distance : (n, top) float64
        1 - cosine, in [0, 2], ascending.
    row : (n, top) int64
        Positions among the rows of all shards; ties by row.

    Raises
    ------
    InputError
        If the index or a shard is unreadable, they do not belong together, queries are no unit vectors, or
        the index finds fewer than `top` rows.
    """
    import faiss

    rows = Shards(shards)
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP)
    except RuntimeError as error:
        if not Path(path).exists():
            raise InputError(f"{path}: no such index; build it first") from error
        raise InputError(f"{path}: not a FAISS index, or truncated; delete it and build it again") from error
    if index.ntotal != len(rows) or index.d != rows.dim:
        raise InputError(
            f"{path}: holds {index.ntotal} rows of {index.d} values, the shards {len(rows)} of {rows.dim}: "
            "build it again"
        )
    check_unit(queries, "queries", rows.dim)
    found = candidates(index, queries, top, nprobe=nprobe, rerank=rerank, name=name or str(path))
    return nearest(queries, found, rows.take, top)


def candidates(
    index: "faiss.Index",
    queries: np.ndarray,
    top: int,
    *,
    nprobe: int | None = None,
    rerank: int | None = None,
    name: str = "index",
) -> np.ndarray:
    """Ask an index for the rows that will be put in order exactly.

    Parameters
    ----------
    index : faiss.Index
        Of inner products.
    queries : (n, k) float32
    top : int
        Matches wanted in the end.
    nprobe : int, optional
        Lists that an IVF index looks into; a quarter of them by default. Other indexes have none.
    rerank : int, optional
        Candidates per query, at least `top`. By default 8 more than `top` of an index that holds the rows as
        they are (float32 products may order near ties wrongly), otherwise the larger of 100 and 10 `top`.
    name : str
        What error messages call the index.

    Returns
    -------
    (n, rerank or fewer) int64
        Rows, -1 for none.

    Raises
    ------
    InputError
        If an option does not fit the index, or it finds fewer than `top` rows for a query.
    """
    import faiss

    exact = isinstance(faiss.downcast_index(index), faiss.IndexFlat)
    ivf = faiss.try_extract_index_ivf(index)
    if nprobe is not None and (ivf is None or not 1 <= nprobe <= ivf.nlist):
        have = "no lists (it is no IVF index)" if ivf is None else f"{ivf.nlist} lists"
        raise InputError(f"nprobe is {nprobe}, but FAISS index '{name}' has {have}")
    if ivf is not None:
        ivf.nprobe = max(1, ivf.nlist // 4) if nprobe is None else nprobe
    if rerank is None:
        rerank = top + 8 if exact else max(100, 10 * top)
    if not 1 <= top <= rerank:
        raise InputError(f"rerank must be at least the {top} matches wanted, it is {rerank}")
    found = index.search(np.ascontiguousarray(queries, dtype=np.float32), min(rerank, index.ntotal))[1]
    if found.shape[1] < top or (found[:, :top] < 0).any():
        raise InputError(
            f"FAISS index '{name}' finds fewer than {top} images for a sample; use 'Flat' or a larger nprobe"
        )
    return found


def nearest(
    queries: np.ndarray, found: np.ndarray, take: Callable[[np.ndarray], np.ndarray], top: int
) -> tuple[np.ndarray, np.ndarray]:
    """Order candidates by their distance in float64.

    Parameters
    ----------
    queries : (n, k) float
        Unit rows.
    found : (n, c) int64
        Candidates of each query, -1 for none; at least `top` that are not.
    take : callable
        Gives the rows at positions, (m,) int64 -> (m, k) float.
    top : int
        How many to keep.

    Returns
    -------
    distance : (n, top) float64
        1 - cosine, in [0, 2], ascending.
    row : (n, top) int64
        Ties by row.
    """
    distance = np.empty(found.shape)
    step = max(1, CHUNK_BYTES // (8 * found.shape[1] * queries.shape[1]))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        wanted, position = np.unique(np.maximum(found[part], 0), return_inverse=True)
        rows = take(wanted)[position.reshape(found[part].shape)]
        cosine = np.einsum("nk,njk->nj", queries[part].astype(np.float64), rows)
        distance[part] = np.where(found[part] < 0, np.inf, np.clip(1 - cosine, 0, 2))
    order = np.lexsort((found, distance), axis=1)[:, :top]
    return np.take_along_axis(distance, order, axis=1), np.take_along_axis(found, order, axis=1)
