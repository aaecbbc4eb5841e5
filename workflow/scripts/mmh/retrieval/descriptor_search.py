"""Search of embeddings: in memory by an exact index, where they lie on disk by any other.

Exact duplicates in the training set are one image, and every match names the smallest id of its group.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from mmh.compute.duplicates import distinct_images, duplicate_groups
from mmh.errors import InputError
from mmh.io.arrays import read_arrays
from mmh.retrieval import index_search, vector_index
from mmh.retrieval.embedding_shards import check_unit
from mmh.retrieval.flat_search import flat_search
from mmh.retrieval.matches import Matches

INDEX = ("index", "nprobe", "rerank")


def descriptor_matches(
    sample_files: Sequence[Path],
    sample_ids: np.ndarray,
    train_files: Sequence[Path],
    train_ids: np.ndarray,
    groups: np.ndarray,
    *,
    options: Mapping[str, Any],
    folder: Path,
    seed: int,
    device: str = "cpu",
) -> Matches:
    """Find the training images whose embeddings are closest to those of samples.

    Parameters
    ----------
    sample_files, train_files : sequence of path
        Shards with `embedding`, unit float32 rows, and `id`.
    sample_ids : (n,) int64
        Samples to search for.
    train_ids : (m,) int64
        Ids of the training images, ascending.
    groups : (m,) int64
        Row of the first of each training image's exact duplicates.
    options : mapping
        `top`, and optionally `index` (a FAISS factory string, "Flat" by default), `nprobe` and `rerank`.
    folder : path
        Where an index may be written meanwhile.
    seed : int
        Root seed, for indexes that are trained.
    device : str
        Where "Flat" searches, as for `search_embeddings`.

    Returns
    -------
    Matches
        Rows in the order of `sample_ids`.

    Raises
    ------
    InputError
        If a file is unreadable, an embedding is missing, or as `search_embeddings` does.
    """
    queries, top = _rows(sample_files, sample_ids), options["top"]
    if options.get("index", "Flat") == "Flat":
        base = _rows(train_files, train_ids)
        return search_embeddings(queries, base, top, groups=groups, train_ids=train_ids, device=device)
    shard_ids = np.concatenate([read_arrays(path, "id")[0] for path in train_files])
    place = _places(train_files, train_ids, shard_ids)
    settings = {key: options[key] for key in INDEX if options.get(key) is not None}
    with TemporaryDirectory(dir=folder) as scratch:
        return search_shards(
            queries,
            train_files,
            top,
            folder=Path(scratch),
            seed=seed,
            groups=train_ids[groups][place],
            shard_ids=shard_ids,
            **settings,
        )


def search_embeddings(
    generated: np.ndarray,
    train: np.ndarray,
    top: int = 3,
    *,
    index: str = "Flat",
    nprobe: int | None = None,
    rerank: int | None = None,
    train_rows: int = vector_index.TRAIN_ROWS,
    seed: int = 0,
    groups: np.ndarray | None = None,
    train_ids: np.ndarray | None = None,
    device: str = "cpu",
) -> Matches:
    """Nearest training images by cosine of unit embeddings; score = distance = 1 - cosine.

    Parameters
    ----------
    generated : (n, k) float32
        Unit rows.
    train : (m, k) float32
        Unit rows.
    top : int
        Matches per sample.
    index : str
        FAISS factory string; "Flat" is exact, others find approximate candidates, which are put in order
        exactly.
    nprobe, rerank : int, optional
        Lists that an IVF index looks into, and candidates per sample:
        `mmh.retrieval.index_search.candidates`.
    train_rows, seed : int
        Training images that an index is trained on, drawn by this seed.
    groups : (m,) int, optional
        Equal for exact duplicates (`duplicate_groups` of the images); equality of embeddings if None.
    train_ids : (m,) int, optional
        Ids of the training images; row numbers if None.
    device : str
        Where "Flat" searches: "cpu" (FAISS), or a device of PyTorch, by brute force; the same matches.

    Returns
    -------
    Matches
        Ordered by distance, in [0, 2], then by id.

    Raises
    ------
    InputError
        If rows are not unit vectors, the factory string or an option is bad, or the index finds fewer than
        `top` images.
    """
    for name, given in (("generated", generated), ("training", train)):
        check_unit(given, f"{name} images")
    ids, rows, _ = distinct_images(duplicate_groups(train) if groups is None else groups, train_ids)
    if train.shape[1] != generated.shape[1] or not 1 <= top <= len(rows):
        raise InputError(
            f"cannot find {top} matches: embeddings {generated.shape} against {train.shape}, "
            f"{len(rows)} distinct"
        )
    base = np.ascontiguousarray(train[rows], dtype=np.float32)
    # Rows ascend with ids, so that ties go by id.
    if index == "Flat" and nprobe is None and rerank is None:
        distance, match = flat_search(generated, base, top, device=device)
        return Matches(distance, ids[match], distance)
    search = vector_index.trained(
        index, base.shape[1], len(base), base.__getitem__, train_rows=train_rows, seed=seed
    )
    search.add(base)
    found = index_search.candidates(search, generated, top, nprobe=nprobe, rerank=rerank, name=index)
    distance, match = index_search.nearest(generated, found, base.__getitem__, top)
    return Matches(distance, ids[match], distance)


def search_shards(
    generated: np.ndarray,
    shards: Sequence[Path],
    top: int = 3,
    *,
    index: str,
    folder: Path,
    nprobe: int | None = None,
    rerank: int | None = None,
    seed: int = 0,
    groups: np.ndarray,
    shard_ids: np.ndarray,
) -> Matches:
    """Search as `search_embeddings` does, among embeddings that stay on disk.

    Only the index's codes and one shard are held. Exact duplicates are not collapsed before the search, so
    more rows are asked for until each sample has `top` distinct images.

    Parameters
    ----------
    generated : (n, k) float32
        Unit rows.
    shards : sequence of path
        Files with the training images' unit rows, `embedding`.
    top : int
        Matches per sample.
    index : str
        FAISS factory string, for instance "IVF256,PQ64".
    folder : path
        Where the index is written.
    nprobe, rerank, seed
        As for `search_embeddings`.
    groups : (m,) int
        Id of the first of each training image's exact duplicates, in the order of the shards' rows.
    shard_ids : (m,) int
        Ids of the training images, in the same order.

    Returns
    -------
    Matches
        Ordered by distance, then by id.

    Raises
    ------
    InputError
        As `vector_index.build` and `index_search.search` do, or if fewer than `top` images are distinct.
    """
    if len(np.unique(groups)) < top:
        raise InputError(f"cannot find {top} matches among {len(np.unique(groups))} distinct images")
    path = folder / "index.faiss"
    vector_index.build(shards, index, path, seed=seed)
    wanted = top
    while True:
        depth = None if rerank is None else max(rerank, wanted)
        distance, rows = index_search.search(
            path, shards, generated, wanted, nprobe=nprobe, rerank=depth, name=index
        )
        order = np.lexsort((shard_ids[rows], distance), axis=1)
        distance = np.take_along_axis(distance, order, axis=1)
        names = np.take_along_axis(groups[rows], order, axis=1)
        # The first of each image's duplicates counts, and of those the first `top`.
        sorting = np.argsort(names, axis=1, kind="stable")
        ordered = np.take_along_axis(names, sorting, axis=1)
        first = np.zeros_like(names, dtype=bool)
        fresh = np.diff(ordered, axis=1, prepend=ordered[:, :1] - 1) != 0
        np.put_along_axis(first, sorting, fresh, axis=1)
        if (first.sum(axis=1) >= top).all():
            break
        wanted = min(2 * wanted, len(groups))
    kept = np.argsort(~first, axis=1, kind="stable")[:, :top]
    score = np.take_along_axis(distance, kept, axis=1)
    return Matches(score, np.take_along_axis(names, kept, axis=1), score)


def _rows(paths: Sequence[Path], wanted: np.ndarray) -> np.ndarray:
    parts = [read_arrays(path, "embedding", "id") for path in paths]
    rows, found = (np.concatenate([part[k] for part in parts]) for k in range(2))
    order = np.argsort(found)
    return rows[order][_places(paths, found[order], wanted)]


def _places(paths: Sequence[Path], ids: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Places of ids among ascending ones."""
    places = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    if (ids[places] != wanted).any():
        absent = wanted[ids[places] != wanted][0]
        raise InputError(f"{paths[0]} and the files beside it: id {absent} has no counterpart; delete them")
    return places
