"""Worlds of attributed prompts: claim 14."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from mmh.calibration.drawing import Clusters
from mmh.calibration.worlds import EDGE, NO_EFFECT, World, drawn, world
from mmh.claims.base import Context

CLAIM = "claim"
KEY = "key"


def agreeing(claim: str, context: Context) -> Iterator[World]:
    """Words exchanged within each prompt; attributions that agree in just the share that does not count yet.

    No effect: each attribution's values of a prompt are shuffled among its words. Edge: families are drawn
    anew, and in each, with the probability `least_agreement`, all attributions name one word, a planted one
    if there is any; in the others the first names another one.
    """
    own, table = context.options, context.tables["words"]

    def shuffled(stream: np.random.Generator, trial: int) -> Context:
        keys = ["prompt_set", "prompt", "attribution", "level"]
        order = table.assign(_by=stream.random(len(table))).sort_values([*keys, "_by"])["value"].to_numpy()
        return drawn(context, words=table.sort_values(keys).assign(value=order))

    yield world(claim, NO_EFFECT, shuffled, role=CLAIM)

    def edge(stream: np.random.Generator, trial: int) -> Context:
        return drawn(context, words=_agreeing(table, own.agreeing, own.least_agreement, stream))

    yield world(claim, EDGE, edge, role=CLAIM)


def _agreeing(
    table: pd.DataFrame, names: list[str], share: float, stream: np.random.Generator
) -> pd.DataFrame:
    """Top words made anew: one family agrees, with this probability, or does not."""
    rows = table[table["attribution"].isin(names)]
    stratum = rows["prompt_set"].astype("category").cat.codes.to_numpy()
    chosen, family = Clusters(rows["family"].to_numpy()).redrawn(stream, stratum)
    agree = stream.random(int(family.max()) + 1) < share
    made = rows.iloc[chosen].assign(family=family, prompt=family).reset_index(drop=True)
    place = made["place"].to_numpy()
    planted = made["role"].eq(KEY).fillna(False).to_numpy(bool)
    end = place.max() + 1
    key = _least(np.where(planted, place, end), family)
    top = np.where(key < end, key, _least(place, family))
    other = _least(np.where(place != top, place, end), family)
    first = (made["attribution"] == names[0]).to_numpy() & ~agree[family]
    return made.assign(value=np.where(place == np.where(first, other, top), 1.0, 0.0))


def _least(values: np.ndarray, family: np.ndarray) -> np.ndarray:
    """The least value of each row's family, (n,)."""
    return pd.Series(values).groupby(family).transform("min").to_numpy()
