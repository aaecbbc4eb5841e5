"""Scores of image sets beside the family of each image: what text-to-image figures and claims compare."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mmh.errors import InputError
from mmh.evaluation.selection import select, single
from mmh.prompts.lists import read_columns

COLUMNS = ("item", "caption", "family", "source")
"""Columns of the table beside each image set; images of one family are one cluster of every bootstrap."""


def read_sets(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Read the tables of image sets.

    Parameters
    ----------
    paths : iterable of path
        ``image_sets/<set>.parquet``, each with `COLUMNS`; the set is called like the file.

    Returns
    -------
    DataFrame
        `items` (name of the set), then `COLUMNS`; sets in the order given, items ascending.

    Raises
    ------
    InputError
        If a file is unreadable, lacks a column, or names an item twice.
    """
    parts = []
    for path in map(Path, paths):
        table = read_columns(path, COLUMNS)
        if table["item"].duplicated().any():
            raise InputError(f"{path}: item {table['item'][table['item'].duplicated()].iloc[0]} occurs twice")
        part = table.sort_values("item", ignore_index=True)
        part.insert(0, "items", path.stem)
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["items", *COLUMNS])


def side_by_side(
    scores: pd.DataFrame, sets: pd.DataFrame, names: Sequence[str], estimators: Sequence[str]
) -> pd.DataFrame:
    """Put the scores of every image of some sets side by side.

    Parameters
    ----------
    scores : DataFrame
        Long table with the columns `items`, `item`, `estimator`, `t`, `value`.
    sets : DataFrame
        From `read_sets`.
    names : sequence of str
        Sets, in the order wanted.
    estimators : sequence of str
        Scores, one per image and estimator.

    Returns
    -------
    DataFrame
        `items`, `item`, `family`, then one float64 column per estimator, NaN where an image has no score.
        Families of different sets are different ones.

    Raises
    ------
    InputError
        If a set is unknown, an estimator has several scores for an image or none on any of the sets, or
        scores an image that its set does not hold.
    """
    for estimator in estimators:
        if not (scores["items"].isin(names) & (scores["estimator"] == estimator)).any():
            select(scores, estimator, names[0])  # raises, and says which scores there are
    parts = []
    for name in names:
        part = sets.loc[sets["items"] == name, ["items", "item", "family"]].reset_index(drop=True)
        if part.empty:
            known = ", ".join(dict.fromkeys(sets["items"]))
            raise InputError(f"there is no image set '{name}', or it holds no image; there are {known}")
        for estimator in estimators:
            here = (scores["items"] == name) & (scores["estimator"] == estimator)
            rows = single(scores, estimator, name) if here.any() else scores[here]
            values = rows.set_index("item")["value"]
            stale = values.index.difference(pd.Index(part["item"]))
            if len(stale):
                raise InputError(
                    f"'{estimator}' scores image {stale[0]} of '{name}', which the set does not hold; "
                    "score the set again"
                )
            part[estimator] = values.reindex(part["item"]).to_numpy(np.float64)
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    table["family"] = table.groupby(["items", "family"], sort=False).ngroup()
    return table


def long_form(table: pd.DataFrame, estimators: Sequence[str]) -> pd.DataFrame:
    """Stack the scores of `side_by_side`, one row per image and estimator.

    Parameters
    ----------
    table : DataFrame
        From `side_by_side`.
    estimators : sequence of str
        Columns to stack.

    Returns
    -------
    DataFrame
        `estimator`, `label` (the set), `item`, `family`, `value`; without the images that lack the score.
    """
    keys = {"items": "label", "item": "item", "family": "family"}
    parts = [
        table[[*keys, name]].rename(columns={**keys, name: "value"}).assign(estimator=name)
        for name in estimators
    ]
    stacked = pd.concat(parts, ignore_index=True).dropna(subset=["value"])
    return stacked[["estimator", "label", "item", "family", "value"]].reset_index(drop=True)
