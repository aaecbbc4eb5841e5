"""Calibrated l2: the distance of a sample to a training image, beside that to the images around it.

Exact duplicates in the training set are one image: they are collapsed before the search, and every match
names the smallest id of its group. Distances are refined in float64 by direct differences, so that equal
images are at 0.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmh.compute.duplicates import distinct_images, duplicate_groups
from mmh.errors import InputError
from mmh.io.arrays import read_arrays
from mmh.io.image_shards import read_images
from mmh.lid.neighbours import ExactSearch
from mmh.lid.points import flatten
from mmh.retrieval.matches import Matches, join_matches

ROWS = 8192  # samples searched at once: enough that preparing the training images each time costs little


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
    ids, rows, copies = distinct_images(duplicate_groups(base) if groups is None else groups, train_ids)
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


def calibrated_matches(
    files: Sequence[Path],
    train: np.ndarray,
    *,
    train_ids: np.ndarray,
    groups: np.ndarray,
    device: str,
    options: dict[str, Any],
) -> tuple[np.ndarray, Matches]:
    """Search for the samples of some files at a time, so that memory does not grow with their number.

    Parameters
    ----------
    files : sequence of path
        Images with `id`.
    train, train_ids, groups, device
        As for `calibrated_l2`.
    options : dict
        What else `calibrated_l2` takes.

    Returns
    -------
    ids : (n,) int64
        Samples in the order of the files.
    matches : Matches
        In the same order.

    Raises
    ------
    InputError
        If a file is unreadable, an id occurs twice, or as `calibrated_l2` does.
    """
    closest, names = [], []
    for paths in _batches(files):
        x, found = read_images(paths)
        names.append(found)
        closest.append(calibrated_l2(x, train, train_ids=train_ids, groups=groups, device=device, **options))
    ids = np.concatenate(names)
    if len(np.unique(ids)) != len(ids):
        raise InputError(f"{files[0]} and the other samples: an id occurs twice; delete them and run again")
    return ids, join_matches(closest)


def _batches(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Group files so that each group but the last has at least `ROWS` images."""
    group, rows = [], 0
    for path in paths:
        group.append(path)
        rows += len(read_arrays(path, "id")[0])
        if rows >= ROWS:
            yield group
            group, rows = [], 0
    if group:
        yield group
