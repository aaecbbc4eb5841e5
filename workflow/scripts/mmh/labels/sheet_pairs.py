"""The pairs of images that a label sheet asks about: their pixels, names and order.

A pair is named by a hash of what is shown, so that a label can never be taken for a word on other pixels.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from mmh.compute import rng
from mmh.compute.complexity import to_uint8
from mmh.errors import InputError
from mmh.labels.spreadsheet_cells import unguard_cell
from mmh.retrieval.candidates import gather

TABLE = ("pair", "sample", "train", "sscd", "calibrated_l2", "by", "place")
METRICS = ("sscd", "calibrated_l2")


def sheet_images(paths: Sequence[str | os.PathLike[str]], ids: Iterable[int]) -> dict[int, np.ndarray]:
    """Read the pixels of some images as people will see them, one shard at a time.

    Parameters
    ----------
    paths : sequence of path
        Shards with `id` and either `x` (float in [-1, 1]) or `image` (uint8), (n, C, H, W), C = 1 or 3.
    ids : iterable of int
        Images wanted; may repeat.

    Returns
    -------
    dict of int to ndarray
        uint8, (H, W) for C = 1 and (H, W, 3) for C = 3.

    Raises
    ------
    InputError
        If a shard is unreadable, an id is absent or occurs twice, or items are no images.
    """
    wanted = np.unique(np.fromiter(ids, dtype=np.int64))
    found = gather(paths, wanted, ("x", "image"))
    if not found:
        return {}
    pixels = found["image"] if "image" in found else to_uint8(found["x"])
    if pixels.ndim != 4 or pixels.shape[1] not in (1, 3):
        raise InputError(
            f"{paths[0]}: items have the shape {pixels.shape[1:]}, people can label images of shape "
            "(1, H, W) or (3, H, W)"
        )
    channels_last = pixels.transpose(0, 2, 3, 1)
    rows = channels_last[..., 0] if channels_last.shape[-1] == 1 else channels_last
    return dict(zip(found["id"].tolist(), map(np.ascontiguousarray, rows), strict=True))


def sheet_pairs(
    candidates: pd.DataFrame,
    matches: pd.DataFrame,
    samples: Mapping[int, np.ndarray],
    train: Mapping[int, np.ndarray],
    *,
    seed: int,
    experiment: str,
) -> pd.DataFrame:
    """List the pairs to label: every candidate with the match that made it one (paper Appendix F).

    A sample that both distances list with the same match is one pair, with different matches it is two. The
    order is drawn per pair, so it tells nothing of ranks, and a longer list keeps the order of a shorter one.

    Parameters
    ----------
    candidates : pandas.DataFrame
        From `mmh.retrieval.candidates.candidates`.
    matches : pandas.DataFrame
        From `mmh.retrieval.matches.matches_table`: the scores of a pair by both distances, where it was
        retrieved.
    samples, train : mapping of int to ndarray
        Pixels, from `sheet_images`; they go into the pairs' names.
    seed : int
        Root seed of the run.
    experiment : str
        Name of the experiment; part of the pairs' names.

    Returns
    -------
    pandas.DataFrame
        `pair` str, 16 hexadecimal digits after a ``p``; `sample`, `train` int64; `sscd`, `calibrated_l2`
        float64, smaller = closer, NaN where that distance did not retrieve the pair; `by` str: the distance
        that lists it, or `both`; `place` Int64 from 1, in the order of the page.

    Raises
    ------
    InputError
        If there are no candidates, a candidate is not the closest match in `matches`, or pixels are absent.
    """
    if candidates.empty:
        raise InputError(f"candidates.parquet of {experiment} is empty: there is nothing to label")
    keys = ["metric", "sample", "train"]
    first = matches.loc[matches["rank"] == 1, keys]
    strange = ~pd.MultiIndex.from_frame(candidates[keys]).isin(pd.MultiIndex.from_frame(first))
    if strange.any():
        row = candidates[strange].iloc[0]
        raise InputError(
            f"candidates.parquet of {experiment}: training image {row['train']} is not the closest match of "
            f"sample {row['sample']} by {row['metric']} in matches.parquet; delete both and run again"
        )
    pairs = (
        candidates.groupby(["sample", "train"])["metric"]
        .agg(lambda metrics: metrics.iloc[0] if len(metrics) == 1 else "both")
        .rename("by")
        .reset_index()
        .astype({"sample": np.int64, "train": np.int64})
    )
    for metric in METRICS:
        scores = matches.loc[matches["metric"] == metric].set_index(["sample", "train"])["score"]
        pairs[metric] = scores.reindex(pd.MultiIndex.from_frame(pairs[["sample", "train"]])).to_numpy()
    both = list(zip(pairs["sample"].tolist(), pairs["train"].tolist(), strict=True))
    for name, images, place in (("sample", samples, 0), ("training image", train, 1)):
        absent = [ids[place] for ids in both if ids[place] not in images]
        if absent:
            raise InputError(f"{experiment}: the pixels of {name} {absent[0]} are not given")
    pairs["pair"] = [_pair_id(experiment, i, j, samples[i], train[j]) for i, j in both]
    draw = [rng.generator(seed, "label-sheet", i, j).random() for i, j in both]
    pairs = pairs.iloc[np.argsort(draw, kind="stable")].reset_index(drop=True)
    pairs["place"] = pd.array(range(1, len(pairs) + 1), dtype="Int64")
    return pairs[list(TABLE)]


def _pair_id(experiment: str, sample: int, train: int, generated: np.ndarray, match: np.ndarray) -> str:
    digest = hashlib.blake2b(digest_size=8)
    head = [experiment, sample, train, generated.shape, match.shape]
    digest.update(json.dumps(head).encode() + b"\0" + generated.tobytes() + match.tobytes())
    return "p" + digest.hexdigest()  # the letter keeps a spreadsheet from reading 12e45678 as a number


def sheet_hash(pairs: Iterable[str]) -> str:
    """Name a set of pairs; the order does not matter.

    Parameters
    ----------
    pairs : iterable of str
        Pair ids.

    Returns
    -------
    str
        16 hexadecimal digits after an ``s``.
    """
    return "s" + hashlib.blake2b("\n".join(sorted(pairs)).encode(), digest_size=8).hexdigest()


def read_disagreements(path: str | os.PathLike[str]) -> list[str]:
    """Read which pairs go into a second round.

    Parameters
    ----------
    path : path
        CSV in UTF-8 with a column `pair`.

    Returns
    -------
    list of str
        Each pair once.

    Raises
    ------
    InputError
        If the file is unreadable, has no such column, or lists no pair.
    """
    try:
        table = pd.read_csv(path, dtype=str, encoding="utf-8-sig", keep_default_na=False)
    except (OSError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: cannot be read as CSV ({reason})") from error
    if "pair" not in table:
        raise InputError(f"{path}: expected a column 'pair', found {', '.join(map(str, table.columns))}")
    if table.empty:
        raise InputError(f"{path}: lists no pair, so there is nothing to label; set label_sheet.only to all")
    return [unguard_cell(pair.strip()) for pair in table["pair"].unique()]


def restrict(pairs: pd.DataFrame, only: Iterable[str]) -> pd.DataFrame:
    """Take some pairs alone onto the page, in the same order.

    Parameters
    ----------
    pairs : pandas.DataFrame
        From `sheet_pairs`.
    only : iterable of str
        Pair ids.

    Returns
    -------
    pandas.DataFrame
        All rows of `pairs`; `place` counts the pairs of the page, and is missing for the others.

    Raises
    ------
    InputError
        If a pair is unknown.
    """
    wanted = set(only)
    unknown = sorted(wanted - set(pairs["pair"]))
    if unknown:
        raise InputError(
            f"pair '{unknown[0]}' ({len(unknown)} unknown) is not among the candidates: the list is of "
            "another experiment or of other images; make the list of disagreements anew"
        )
    here = pairs["pair"].isin(wanted)
    return pairs.assign(place=here.cumsum().where(here).astype("Int64"))


def second_round(pairs: pd.DataFrame, path: str | os.PathLike[str] | None) -> pd.DataFrame:
    """Take the pairs on which raters disagreed alone onto the page.

    Parameters
    ----------
    pairs : pandas.DataFrame
        From `sheet_pairs`.
    path : path, optional
        As for `read_disagreements`.

    Returns
    -------
    pandas.DataFrame
        As `restrict`.

    Raises
    ------
    InputError
        If there is no list, or as `read_disagreements` and `restrict` do.
    """
    if path is None:
        raise InputError("label_sheet.only is 'disagreements', but there is no list of them: set it to 'all'")
    return restrict(pairs, read_disagreements(path))
