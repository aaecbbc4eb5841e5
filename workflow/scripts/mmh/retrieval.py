"""Which training images does a sample resemble? Calibrated l2 and copy-descriptor search, through FAISS.

Exact duplicates in the training set are one image: they are collapsed before any search, and every match
names the smallest id of its group. Distances are refined in float64 by direct differences, so that equal
images are at 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmh.embedding import PREPROCESS, embed, load_descriptor
from mmh.errors import InputError
from mmh.lid.neighbours import knn

__all__ = [
    "PREPROCESS",
    "Matches",
    "calibrated_l2",
    "duplicate_groups",
    "embed",
    "load_descriptor",
    "matches_table",
    "search_embeddings",
]

_CHUNK_BYTES = 64 * 2**20  # of float64 differences or products held at once


@dataclass(frozen=True)
class Matches:
    """Closest training images of n samples, nearest first; arrays are (n, top)."""

    score: np.ndarray  # float64, smaller = closer copy
    match: np.ndarray  # int64, training ids: the smallest of each group of exact duplicates
    distance: np.ndarray  # float64


def duplicate_groups(items: np.ndarray) -> np.ndarray:
    """Find exact duplicates.

    Parameters
    ----------
    items : (n, ...) array
        Compared value by value (0.0 equals -0.0).

    Returns
    -------
    (n,) int64
        The first row that equals each row.
    """
    flat = items.reshape(len(items), -1)
    if flat.dtype.kind == "f":
        flat = flat + flat.dtype.type(0)  # -0.0 becomes 0.0
    flat = np.ascontiguousarray(flat)
    rows = flat.view(np.dtype((np.void, flat.dtype.itemsize * flat.shape[1]))).ravel()
    _, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
    return first[inverse].astype(np.int64)


def calibrated_l2(
    generated: np.ndarray,
    train: np.ndarray,
    *,
    neighbours: int = 50,
    alpha: float = 0.5,
    anchor: str = "generated",
    duplicates: str = "once",
    top: int = 3,
    train_ids: np.ndarray | None = None,
) -> Matches:
    """Calibrated distance of samples to their nearest training images, Carlini et al. (2023).

        score = ||x^ - x|| / (alpha * mean_{y in S} ||a - y||)

    S holds the `neighbours` nearest training images of the anchor a. A mean of 0, possible with
    ``duplicates="counted"`` or ``neighbours=1``, is replaced by the distance from the anchor to the nearest
    training image that differs from it; where ||x^ - x|| = 0 the score is 0. So scores are always finite.

    Parameters
    ----------
    generated : (n, ...) float or uint8
        Samples x^.
    train : (m, ...) float or uint8
        Training images on the same scale; the score does not depend on the scale.
    neighbours : int
        Size of S.
    alpha : float
        Positive factor; x^ counts as extracted below 1 in the paper.
    anchor : {"generated", "match"}
        a = x^ (Carlini et al.), or the match x itself, not among its own neighbours: with ``neighbours=1``
        and ``alpha=1`` that is the ratio of Yoon et al. (2023).
    duplicates : {"once", "counted"}
        Whether exact copies count once in S (S is a set of *distinct* images), or each by itself.
    top : int
        Matches per sample.
    train_ids : (m,) int, optional
        Ids of the training images; row numbers if None.

    Returns
    -------
    Matches
        Ordered by plain distance; `distance` is ||x^ - x||.

    Raises
    ------
    InputError
        If an option is out of range, shapes differ, values are not finite, or training images are too few.
    """
    if anchor not in ("generated", "match"):
        raise InputError(f"anchor must be 'generated' or 'match', it is '{anchor}'")
    if duplicates not in ("once", "counted"):
        raise InputError(f"duplicates must be 'once' or 'counted', it is '{duplicates}'")
    if neighbours < 1 or top < 1 or not alpha > 0:
        raise InputError(f"neighbours, top and alpha must be positive: {neighbours}, {top}, {alpha}")
    query, base = _flat(generated, "generated images"), _flat(train, "training images")
    if query.shape[1] != base.shape[1]:
        raise InputError(f"generated images have {query.shape[1]} values, training images {base.shape[1]}")
    ids, rows, copies = _distinct(duplicate_groups(base), train_ids)
    base = base[rows]
    itself = anchor == "match"
    available = len(rows) if duplicates == "once" else int(copies.sum())
    if available < neighbours + itself or len(rows) < max(top, 1 + itself):
        raise InputError(
            f"calibrated l2 with {neighbours} neighbours and {top} matches needs more training images: "
            f"there are {available} ({len(rows)} distinct)"
        )
    # One more than asked for, so that the nearest image that differs from the anchor is always among them.
    width = min(max(neighbours, top) + 1, len(rows))
    near, index = knn(query, base, width)
    distance, found = near[:, :top], index[:, :top]
    if not itself:
        scale = _mean_distance(near, copies[index], neighbours, duplicates)[:, None]
    else:
        wanted, position = np.unique(found, return_inverse=True)
        near, index = knn(base[wanted], base, min(neighbours + 1, len(rows)))
        others = copies[index]
        others[:, 0] -= 1  # the image itself: nearest, at distance 0
        others = np.where(others < 0, 0, others)
        mean = _mean_distance(near, others, neighbours, duplicates, skip=1)
        scale = mean[position.reshape(found.shape)]
    denominator = alpha * scale
    score = np.divide(distance, denominator, out=np.zeros_like(distance), where=distance > 0)
    return Matches(score, ids[found], distance)


def _mean_distance(
    near: np.ndarray, copies: np.ndarray, neighbours: int, duplicates: str, skip: int = 0
) -> np.ndarray:
    """Mean over the nearest images, ascending `near` (n, k); `copies` says how often each one counts."""
    weight = copies.copy()
    if duplicates == "once":
        weight[:] = 1
        weight[:, :skip] = 0
    before = np.cumsum(weight, axis=1) - weight
    taken = np.clip(neighbours - before, 0, weight)
    mean = (near * taken).sum(axis=1) / neighbours
    nearest = np.where(near > 0, near, np.inf).min(axis=1)
    return np.where(mean > 0, mean, np.where(np.isfinite(nearest), nearest, 1.0))


def search_embeddings(
    generated: np.ndarray,
    train: np.ndarray,
    top: int = 3,
    *,
    index: str = "Flat",
    groups: np.ndarray | None = None,
    train_ids: np.ndarray | None = None,
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
        FAISS factory string; "Flat" is exact, others find approximate candidates.
    groups : (m,) int, optional
        Equal for exact duplicates (`duplicate_groups` of the images); equality of embeddings if None.
    train_ids : (m,) int, optional
        Ids of the training images; row numbers if None.

    Returns
    -------
    Matches
        Ordered by distance, in [0, 2], then by id.

    Raises
    ------
    InputError
        If rows are not unit vectors, the factory string is bad, or the index finds fewer than `top` images.
    """
    import faiss

    for name, rows in (("generated", generated), ("training", train)):
        if rows.ndim != 2 or not np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3):
            raise InputError(f"{name} embeddings of shape {rows.shape} are not finite unit rows")
    ids, rows, _ = _distinct(duplicate_groups(train) if groups is None else groups, train_ids)
    base, query = (np.ascontiguousarray(a, dtype=np.float32) for a in (train[rows], generated))
    if base.shape[1] != query.shape[1] or not 1 <= top <= len(base):
        raise InputError(f"cannot find {top} matches: embeddings {query.shape} against {base.shape} distinct")
    try:
        search = faiss.index_factory(base.shape[1], index, faiss.METRIC_INNER_PRODUCT)
        if not search.is_trained:
            search.train(base)
        search.add(base)
    except RuntimeError as error:
        raise InputError(f"FAISS cannot build index '{index}' on {len(base)} embeddings: {error}") from error
    # A few more than asked for: float32 products may order near ties wrongly.
    candidates = search.search(query, min(top + 8, len(base)))[1]
    if (candidates[:, :top] < 0).any():
        raise InputError(f"FAISS index '{index}' finds fewer than {top} images for a sample; use 'Flat'")
    distance = np.empty(candidates.shape)
    step = max(1, _CHUNK_BYTES // (8 * candidates.shape[1] * base.shape[1]))
    for start in range(0, len(query), step):
        part = slice(start, start + step)
        cosine = np.einsum("nk,njk->nj", query[part].astype(np.float64), base[candidates[part]])
        distance[part] = np.where(candidates[part] < 0, np.inf, np.clip(1 - cosine, 0, 2))
    names = ids[candidates]
    order = np.lexsort((names, distance), axis=1)[:, :top]
    distance = np.take_along_axis(distance, order, axis=1)
    return Matches(distance, np.take_along_axis(names, order, axis=1), distance)


def matches_table(sample_ids: np.ndarray, results: Mapping[str, Matches]) -> pd.DataFrame:
    """Lay out search results as the matches table.

    Parameters
    ----------
    sample_ids : (n,) int
        Ids of the searched samples.
    results : mapping
        Metric name (`sscd`, `calibrated_l2`) to its matches, rows in the order of `sample_ids`.

    Returns
    -------
    pandas.DataFrame
        `sample` int64, `metric` str, `rank` int32 from 1, `train` int64, `distance`, `score` float64; sorted
        by sample, metric, rank.
    """
    parts = []
    for metric, found in results.items():
        n, top = found.match.shape
        columns = {
            "sample": np.repeat(np.asarray(sample_ids, dtype=np.int64), top),
            "metric": np.repeat(metric, n * top),
            "rank": np.tile(np.arange(1, top + 1, dtype=np.int32), n),
            "train": found.match.ravel().astype(np.int64),
            "distance": found.distance.ravel(),
            "score": found.score.ravel(),
        }
        parts.append(pd.DataFrame(columns))
    table = pd.concat(parts, ignore_index=True)
    return table.sort_values(["sample", "metric", "rank"], kind="stable", ignore_index=True)


def _flat(items: np.ndarray, what: str) -> np.ndarray:
    flat = items.reshape(len(items), -1)
    if not len(flat) or (flat.dtype.kind == "f" and not np.isfinite(flat).all()):
        raise InputError(f"{what}: there are none, or some are not finite")
    return flat if flat.dtype.kind == "f" else flat.astype(np.float32)


def _distinct(groups: np.ndarray, train_ids: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Smallest id, its row, and the number of copies of each group of duplicates, ascending by id."""
    ids = np.arange(len(groups)) if train_ids is None else np.asarray(train_ids)
    order = np.argsort(ids, kind="stable")
    _, first, counts = np.unique(groups[order], return_index=True, return_counts=True)
    rows = order[first]
    by_id = np.argsort(ids[rows], kind="stable")
    return ids[rows][by_id].astype(np.int64), rows[by_id], counts[by_id]
