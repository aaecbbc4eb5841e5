"""Worlds of mitigated generations: SAIL's claims, and claim 15."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from mmh.calibration.drawing import Clusters
from mmh.calibration.worlds import EDGE, NO_EFFECT, World, drawn, world
from mmh.claims.base import Context

CLAIM = "claim"
KEYS = ["prompt_set", "prompt", "generation"]


def changed(claim: str, context: Context) -> Iterator[World]:
    """Mitigations exchanged by a coin; and, as what SAIL makes, the others' with so many taken off.

    No effect: generations of a SAIL and of what it is compared with change places, family by family. Edge:
    SAIL's copies, or generations of the right class, are the other's, each taken off with the probability at
    which the share falls by just what does not count yet; families are drawn anew.
    """
    own, table = context.options, context.tables["mitigated"]
    than = own.plain if hasattr(own, "plain") else own.redraw
    sails = list(own.sails)

    def swapped(stream: np.random.Generator, trial: int) -> Context:
        return drawn(context, mitigated=_exchanged(table, sails, than, stream))

    yield world(claim, NO_EFFECT, swapped, "copies", role=CLAIM)
    ends = {"copies": ("copy", own.least_fall_of_copies)}
    if hasattr(own, "least_loss"):
        ends["right class"] = ("correct", own.least_loss)
    for said, (column, least) in ends.items():

        def moved(
            stream: np.random.Generator, trial: int, column: str = column, least: float = least
        ) -> Context:
            made = _thinned(table, sails, than, column, least, stream)
            return drawn(context, mitigated=made)

        yield world(claim, EDGE, moved, said, role=CLAIM)


def complex(claim: str, context: Context) -> Iterator[World]:
    """PNG sizes exchanged by a coin; and those of the other, larger by just as much as does not count yet.

    No effect: images with what is optimised and without change places, family by family. Edge: their sizes
    are those without, times the least rise that counts; families are drawn anew.
    """
    own, table = context.options, context.tables["mitigated"]
    names = list(own.optimised)

    def swapped(stream: np.random.Generator, trial: int) -> Context:
        rows = table[table["mitigation"] == own.unchanged].sort_values(KEYS)
        other, heads = rows["png"].to_numpy(), stream.random(int(table["family"].max()) + 1) < 0.5
        parts = [rows]
        for name in names:
            made = table[table["mitigation"] == name].sort_values(KEYS)
            turned = np.where(heads[made["family"].to_numpy()], other**2 / made["png"], made["png"])
            parts.append(made.assign(png=turned))
        return drawn(context, mitigated=pd.concat(parts, ignore_index=True))

    yield world(claim, NO_EFFECT, swapped, f"to {own.unchanged}", role=CLAIM)

    def moved(stream: np.random.Generator, trial: int) -> Context:
        rows = _redrawn(table[table["mitigation"] == own.unchanged], stream)
        larger = rows["png"] * (1 + own.least_rise_of_png)
        parts = [rows, *(rows.assign(mitigation=name, png=larger) for name in names)]
        return drawn(context, mitigated=pd.concat(parts, ignore_index=True))

    yield world(claim, EDGE, moved, f"to {own.unchanged}", role=CLAIM)


def _exchanged(table: pd.DataFrame, sails: list[str], than: str, stream: np.random.Generator) -> pd.DataFrame:
    """Exchange each SAIL with the other in half of the families; the other of each pair stays beside it."""
    rows = table[table["mitigation"] == than].sort_values(KEYS)
    parts = [rows]
    heads = stream.random(int(table["family"].max()) + 1) < 0.5
    for name in sails:
        own = table[table["mitigation"] == name].sort_values(KEYS).reset_index(drop=True)
        other = rows.reset_index(drop=True)
        chosen = heads[own["family"].to_numpy()]
        # What is asked is the difference, whose sign this turns: the other is compared with several of them.
        made = own.copy()
        for column in ("copy", "correct"):
            made[column] = np.where(chosen, 2 * other[column] - own[column], own[column])
        parts.append(made)
    return pd.concat(parts, ignore_index=True)


def _thinned(
    table: pd.DataFrame,
    sails: list[str],
    than: str,
    column: str,
    least: float,
    stream: np.random.Generator,
) -> pd.DataFrame:
    """Draw the other's families anew, and take off as many as lower the share in each set by `least`, or all.

    In this order, so that the fall is `least` on average over what is drawn: were families drawn of what is
    left, they would follow how many happened to be taken off.
    """
    rows = table[table["mitigation"] == than]
    share = rows.groupby("prompt_set")[column].transform("mean")
    rows = _redrawn(rows.assign(_share=share), stream)
    share = rows.pop("_share").to_numpy()
    parts = [rows]
    for name in sails:
        kept = stream.random(len(rows)) * share >= least
        parts.append(rows.assign(**{"mitigation": name, column: rows[column].to_numpy() * kept}))
    return pd.concat(parts, ignore_index=True)


def _redrawn(table: pd.DataFrame, stream: np.random.Generator) -> pd.DataFrame:
    """Families of each set drawn anew; a prompt's generations by all mitigations stay together."""
    stratum = table["prompt_set"].astype("category").cat.codes.to_numpy()
    rows, family = Clusters(table["family"].to_numpy()).redrawn(stream, stratum)
    prompt = family.astype(np.int64) * 10**6 + table["prompt"].to_numpy()[rows]
    return table.iloc[rows].assign(family=family, prompt=prompt).reset_index(drop=True)
