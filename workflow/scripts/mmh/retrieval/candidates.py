"""Which samples people look at: the closest matches by each distance, and a draw of the rest beside them.

Where there are too many samples to label or to measure, both are done for the *selected* ones alone.
"""

import os
from collections.abc import Sequence

import numpy as np
import pandas as pd

from mmh.compute import rng
from mmh.errors import InputError
from mmh.io.arrays import read_arrays

COLUMNS = ("sample", "metric", "place", "train", "score")
ARRAYS = ("x", "image", "seed", "z", "class")
"""Arrays of a shard that are taken over row by row, where it has them; a shard always has `id`."""


def candidates(matches: pd.DataFrame, top: int) -> pd.DataFrame:
    """Take the samples that each distance finds closest to a training image (paper Appendix F).

    Parameters
    ----------
    matches : pandas.DataFrame
        Retrieved pairs, see `mmh.retrieval.matches.matches_table`; only those of first rank count.
    top : int
        Samples by each distance; the paper has 300 for iDDPM and 250 for StyleGAN2-ADA.

    Returns
    -------
    pandas.DataFrame
        `sample` int64, `metric` str, `place` int32 from 1, `train` int64, `score` float64 (smaller = closer);
        by metric, then place. Equal scores are ordered by sample.

    Raises
    ------
    InputError
        If `top` is not positive, or a distance has fewer samples.
    """
    if top < 1:
        raise InputError(f"candidates.top must be positive, it is {top}")
    first = matches[matches["rank"] == 1].sort_values(["metric", "score", "sample"], kind="stable")
    place = first.groupby("metric").cumcount() + 1
    found = first.assign(place=place.astype(np.int32))
    sizes = found.groupby("metric")["place"].max()
    if sizes.empty or sizes.min() < top:
        least = f"{sizes.min()} by {sizes.idxmin()}" if len(sizes) else "none"
        raise InputError(f"candidates.top is {top}, but matches.parquet has fewer samples: {least}; lower it")
    return found.loc[found["place"] <= top, list(COLUMNS)].reset_index(drop=True)


def selection(candidates: pd.DataFrame, samples: np.ndarray, total: int, seed: int) -> np.ndarray:
    """Add a seeded draw of the other samples to the candidates.

    All samples are shuffled once, and the others are taken in that order: a larger `total` keeps what a
    smaller one drew, and so does a smaller `top` of the candidates.

    Parameters
    ----------
    candidates : pandas.DataFrame
        From `candidates`.
    samples : (n,) int
        Ids of all samples, in any order.
    total : int
        How many are selected, candidates included.
    seed : int
        Root seed of the run.

    Returns
    -------
    (total,) int64
        Ascending.

    Raises
    ------
    InputError
        If there are more candidates than `total`, or fewer samples.
    """
    chosen, known = np.unique(candidates["sample"].to_numpy()), np.unique(samples)
    if len(chosen) > total:
        raise InputError(
            f"candidates.total is {total}, but there are {len(chosen)} candidates; raise it, or lower "
            "candidates.top"
        )
    if len(known) < total:
        raise InputError(f"candidates.total is {total}, but there are {len(known)} samples; lower it")
    order = rng.generator(seed, "selection").permutation(known)
    others = order[~np.isin(order, chosen)]
    return np.sort(np.concatenate([chosen, others[: total - len(chosen)]])).astype(np.int64)


def gather(
    shards: Sequence[str | os.PathLike[str]], ids: np.ndarray, names: Sequence[str] = ARRAYS
) -> dict[str, np.ndarray]:
    """Collect the rows of some ids, one shard at a time.

    Parameters
    ----------
    shards : sequence of path
        ``.npz`` files with `id` and further arrays that have one row per id.
    ids : (n,) int64
        Without repetition, ascending.
    names : sequence of str
        Arrays to collect, those of them that the shards have.

    Returns
    -------
    dict of str to ndarray
        `id` (n,) int64 and the arrays, rows in the order of `ids`, dtypes as stored.

    Raises
    ------
    InputError
        If a shard is unreadable, an id is absent or occurs twice, or shards differ in their arrays.
    """
    ids = np.asarray(ids, dtype=np.int64)
    parts: list[dict[str, np.ndarray]] = []
    for path in shards:
        (stored,) = read_arrays(path, "id")
        rows = np.flatnonzero(np.isin(stored, ids))
        if not len(rows):
            continue
        with np.load(path, allow_pickle=False) as file:  # readable: `id` was read from it
            here = ["id", *(name for name in names if name in file)]
        if parts and list(parts[0]) != here:
            raise InputError(
                f"{path}: holds the arrays {here}, the shards before it {list(parts[0])}; delete the shards "
                "of this folder and run again"
            )
        part = {}
        for name in here:  # one array at a time: the whole of it is in memory only until its rows are taken
            (array,) = read_arrays(path, name)
            if len(array) != len(stored):
                raise InputError(f"{path}: {len(array)} rows of '{name}' but {len(stored)} ids")
            part[name] = array[rows]
        parts.append(part)
    found = np.concatenate([part["id"] for part in parts]) if parts else np.array([], dtype=np.int64)
    order = np.argsort(found, kind="stable")
    if (np.diff(found[order]) == 0).any():
        twice = found[order][:-1][np.diff(found[order]) == 0][0]
        raise InputError(f"{shards[0]} and the other shards: id {twice} occurs twice; delete them, run again")
    absent = np.setdiff1d(ids, found)
    if len(absent):
        raise InputError(
            f"{shards[0] if shards else 'no shard'}: neither it nor another holds id {absent[0]}"
        )
    return {name: np.concatenate([part[name] for part in parts])[order] for name in parts[0]} if parts else {}
