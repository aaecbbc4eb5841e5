"""Indexes of unit embeddings by inner product, built in memory or over shards that need not fit in it."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from mmh.compute import rng
from mmh.errors import InputError
from mmh.io.files import atomic
from mmh.retrieval.embedding_shards import CHUNK_BYTES, Paths, Shards, check_unit

if TYPE_CHECKING:
    import faiss

TRAIN_ROWS = 65_536  # FAISS uses at most 256 points per centroid, and advises 39


def build(
    shards: Paths,
    factory: str,
    path: str | os.PathLike[str],
    *,
    train_rows: int = TRAIN_ROWS,
    seed: int = 0,
) -> None:
    """Build an index over shards, one at a time, and save it.

    Memory is bounded by the training sample, one part of a shard, and the index itself.

    Parameters
    ----------
    shards : sequence of path
        As for `Shards`; unit rows.
    factory : str
        FAISS factory string, for instance ``"IVF256,PQ64"``.
    path : path
        The index file.
    train_rows : int
        Rows drawn at random from all shards, on which an index that needs it is trained.
    seed : int
        Root seed of the draw. FAISS starts its k-means from a fixed seed, so that the same shards, seed and
        threads give the same file.

    Raises
    ------
    InputError
        If a shard is unreadable or its rows are no unit vectors, or FAISS cannot make such an index.
    """
    import faiss

    rows = Shards(shards)
    index = trained(factory, rows.dim, len(rows), rows.take, train_rows=train_rows, seed=seed)
    step = max(1, CHUNK_BYTES // (4 * rows.dim))
    for name, part in zip(rows.paths, rows.parts, strict=True):
        for start in range(0, len(part), step):
            chunk = np.ascontiguousarray(part[start : start + step], dtype=np.float32)
            check_unit(chunk, str(name))
            index.add(chunk)
    with atomic(path) as partial:
        faiss.write_index(index, str(partial))


def trained(
    factory: str,
    dim: int,
    n: int,
    take: Callable[[np.ndarray], np.ndarray],
    *,
    train_rows: int = TRAIN_ROWS,
    seed: int = 0,
) -> "faiss.Index":
    """Make an empty inner-product index, trained where it needs training.

    Parameters
    ----------
    factory : str
        FAISS factory string.
    dim, n : int
        Length and number of the rows.
    take : callable
        Gives the rows at positions, (m,) int64 -> (m, dim) float32.
    train_rows, seed : int
        As for `build`.

    Returns
    -------
    faiss.Index

    Raises
    ------
    InputError
        If FAISS cannot make or train it.
    """
    import faiss

    if train_rows < 1:
        raise InputError(f"train_rows must be positive, it is {train_rows}")
    try:
        index = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
        if not index.is_trained:
            _plain_codes(index)
            chosen = np.arange(n)
            if n > train_rows:
                drawn = rng.generator(seed, "vector-index").choice(n, train_rows, replace=False)
                chosen = np.sort(drawn)
            index.train(np.ascontiguousarray(take(chosen), dtype=np.float32))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(f"FAISS cannot build index '{factory}' on {n} embeddings: {reason}") from error
    return index


def _plain_codes(index: "faiss.Index") -> None:
    """Keep product codes as k-means leaves them: sorting them for a Hamming filter costs 20 times as much."""
    import faiss

    inner = faiss.downcast_index(index)
    if isinstance(inner, faiss.IndexPreTransform):
        inner = faiss.downcast_index(inner.index)
    if hasattr(inner, "do_polysemous_training"):
        inner.do_polysemous_training = False
