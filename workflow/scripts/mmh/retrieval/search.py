"""Which training images does a sample resemble? Calibrated l2 and copy-descriptor search, through FAISS.

Exact duplicates in the training set are one image: they are collapsed before any search, and every match
names the smallest id of its group. Distances are refined in float64 by direct differences, so that equal
images are at 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmh.compute.duplicates import duplicate_groups
from mmh.errors import InputError
from mmh.lid.neighbours import ExactSearch, flatten
from mmh.retrieval import vector_index
from mmh.retrieval.embedding import PREPROCESS, embed, load_descriptor

__all__ = [
    "PREPROCESS",
    "Matches",
    "calibrated_l2",
    "embed",
    "join_matches",
    "load_descriptor",
    "matches_table",
    "search_embeddings",
]


@dataclass(frozen=True)
class Matches:
    """Closest training images of n samples, nearest first; arrays are (n, top)."""

    score: np.ndarray  # float64, smaller = closer copy
    match: np.ndarray  # int64, training ids: the smallest of each group of exact duplicates
    distance: np.ndarray  # float64


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
    groups: np.ndarray | None = None,
    device: str = "cpu",
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
    groups : (m,) int, optional
        ``duplicate_groups(train)``, if at hand.
    device : str
        Where candidates are searched: "cpu" (FAISS), or a device of PyTorch. Distances are always formed on
        the processor in float64, and so do not depend on it.

    Returns
    -------
    Matches
        Ordered by plain distance, then by row; `distance` is ||x^ - x||.

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
    query, base = flatten(generated, "generated images"), flatten(train, "training images")
    if query.shape[1] != base.shape[1]:
        raise InputError(f"generated images have {query.shape[1]} values, training images {base.shape[1]}")
    ids, rows, copies = _distinct(duplicate_groups(base) if groups is None else groups, train_ids)
    itself = anchor == "match"
    available = len(rows) if duplicates == "once" else int(copies.sum())
    if available < neighbours + itself or len(rows) < max(top, 1 + itself):
        raise InputError(
            f"calibrated l2 with {neighbours} neighbours and {top} matches needs more training images: "
            f"there are {available} ({len(rows)} distinct)"
        )
    # One more than asked for, so that the nearest image that differs from the anchor is always among them.
    width = min(max(neighbours, top) + 1, len(rows))
    search = ExactSearch(base, rows=rows, device=device)
    near, index = search.nearest(query, width)
    times = np.zeros(len(base), dtype=np.int64)
    times[rows] = copies
    distance, found = near[:, :top], index[:, :top]
    if not itself:
        scale = _mean_distance(near, times[index], neighbours, duplicates)[:, None]
    else:
        wanted, position = np.unique(found, return_inverse=True)
        mean = np.empty(len(wanted))
        for start in range(0, len(wanted), search.block):
            part = slice(start, start + search.block)
            near, index = search.nearest(base[wanted[part]], min(neighbours + 1, len(rows)))
            others = times[index]
            others[:, 0] -= 1  # the image itself: nearest, at distance 0
            mean[part] = _mean_distance(near, others, neighbours, duplicates, skip=1)
        scale = mean[position.reshape(found.shape)]
    denominator = alpha * scale
    score = np.divide(distance, denominator, out=np.zeros_like(distance), where=distance > 0)
    names = np.zeros(len(base), dtype=np.int64)
    names[rows] = ids
    return Matches(score, names[found], distance)


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
    nprobe: int | None = None,
    rerank: int | None = None,
    train_rows: int = vector_index.TRAIN_ROWS,
    seed: int = 0,
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
        FAISS factory string; "Flat" is exact, others find approximate candidates, which are put in order
        exactly.
    nprobe, rerank : int, optional
        Lists that an IVF index looks into, and candidates per sample:
        `mmh.retrieval.vector_index.candidates`.
    train_rows, seed : int
        Training images that an index is trained on, drawn by this seed.
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
        If rows are not unit vectors, the factory string or an option is bad, or the index finds fewer than
        `top` images.
    """
    for name, given in (("generated", generated), ("training", train)):
        vector_index.check_unit(given, f"{name} images")
    ids, rows, _ = _distinct(duplicate_groups(train) if groups is None else groups, train_ids)
    if train.shape[1] != generated.shape[1] or not 1 <= top <= len(rows):
        raise InputError(
            f"cannot find {top} matches: embeddings {generated.shape} against {train.shape}, "
            f"{len(rows)} distinct"
        )
    base = np.ascontiguousarray(train[rows], dtype=np.float32)
    search = vector_index.trained(
        index, base.shape[1], len(base), base.__getitem__, train_rows=train_rows, seed=seed
    )
    search.add(base)
    found = vector_index.candidates(search, generated, top, nprobe=nprobe, rerank=rerank, name=index)
    # Rows ascend with ids, so that ties go by id.
    distance, match = vector_index.nearest(generated, found, base.__getitem__, top)
    return Matches(distance, ids[match], distance)


def join_matches(parts: Sequence[Matches]) -> Matches:
    """Put the matches of several groups of samples under one another.

    Parameters
    ----------
    parts : sequence of Matches
        At least one; the same number of matches per sample in each.

    Returns
    -------
    Matches
    """
    arrays = (
        [part.score for part in parts],
        [part.match for part in parts],
        [part.distance for part in parts],
    )
    return Matches(*(np.concatenate(array) for array in arrays))


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


def _distinct(groups: np.ndarray, train_ids: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Smallest id, its row, and the number of copies of each group of duplicates, ascending by id."""
    ids = np.arange(len(groups)) if train_ids is None else np.asarray(train_ids)
    order = np.argsort(ids, kind="stable")
    _, first, counts = np.unique(groups[order], return_index=True, return_counts=True)
    rows = order[first]
    by_id = np.argsort(ids[rows], kind="stable")
    return ids[rows][by_id].astype(np.int64), rows[by_id], counts[by_id]
