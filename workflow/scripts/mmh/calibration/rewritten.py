"""Worlds of rewritten prompts: claims 12 and 13."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from mmh.calibration.drawing import Clusters
from mmh.calibration.worlds import EDGE, NO_EFFECT, World, drawn, world
from mmh.claims.base import Context

CLAIM = "claim"
KEYS = ["prompt_set", "prompt", "k", "generation"]
VALUES = ["similarity", "clip"]


def changed(claim: str, context: Context) -> Iterator[World]:
    """Choices exchanged by a coin; and, as what they give, that of random words moved by what does not count.

    No effect: generations by a choice and by random words change places, family by family. Edge: those of the
    choice are those of random words, less similar (12a) or closer to the prompt (12b) by just as much as does
    not count yet; families are drawn anew.
    """
    own, table = context.options, context.tables["rewritten"]
    by = {name: getattr(own, name, 0.0) for name in ("least_fall_of_similarity", "least_gain_of_clip")}
    shift = {"similarity": -by["least_fall_of_similarity"], "clip": by["least_gain_of_clip"]}
    names, than = list(own.rewrites), own.at_random

    def swapped(stream: np.random.Generator, trial: int) -> Context:
        return drawn(context, rewritten=_exchanged(table, names, than, stream))

    yield world(claim, NO_EFFECT, swapped, "", role=CLAIM)

    def moved(stream: np.random.Generator, trial: int) -> Context:
        return drawn(context, rewritten=_redrawn(_moved(table, names, than, shift), stream))

    yield world(claim, EDGE, moved, "", role=CLAIM)


def apart(claim: str, context: Context) -> Iterator[World]:
    """Choices that are apart by just as much as counts: one end of the region, then the other.

    Edge alone: no difference is what the claim says. One choice is the other, its similarity and its CLIP
    moved; families are drawn anew.
    """
    own, table = context.options, context.tables["rewritten"]

    def moved(stream: np.random.Generator, trial: int) -> Context:
        sign = 1 if trial % 2 else -1
        shift = {"similarity": sign * own.least_fall_of_similarity, "clip": sign * own.least_gain_of_clip}
        made = table
        for name, other in own.on_par.items():
            made = _moved(made, [name], other, shift)
        return drawn(context, rewritten=_redrawn(made, stream))

    yield world(claim, EDGE, moved, "at equal k", role=CLAIM)

    def less_kept(stream: np.random.Generator, trial: int) -> Context:
        sign = 1 if trial % 2 else -1
        made = table
        for name, other in own.on_par.items():
            made = _moved(made, [name], other, {"clip": sign * own.least_gain_of_clip})
        return drawn(context, rewritten=_redrawn(made, stream))

    yield world(claim, EDGE, less_kept, "CLIP", role=CLAIM)


def _exchanged(table: pd.DataFrame, names: list[str], than: str, stream: np.random.Generator) -> pd.DataFrame:
    """Turn the sign of each choice's differences from random words in half of the families."""
    parts = [table[~table["choice"].isin(names)]]
    other = table[table["choice"] == than].set_index(KEYS)[VALUES]
    heads = stream.random(int(table["family"].max()) + 1) < 0.5
    for name in names:
        rows = table[table["choice"] == name]
        beside = other.reindex(pd.MultiIndex.from_frame(rows[KEYS])).to_numpy()
        chosen = heads[rows["family"].to_numpy()][:, None] & np.isfinite(beside)
        values = rows[VALUES].to_numpy(dtype=np.float64)
        turned = np.where(chosen, 2 * beside - values, values)
        parts.append(rows.assign(**dict(zip(VALUES, turned.T, strict=True))))
    return pd.concat(parts, ignore_index=True)


def _moved(table: pd.DataFrame, names: list[str], than: str, shift: dict[str, float]) -> pd.DataFrame:
    rows = table[table["choice"] == than]
    parts = [table[~table["choice"].isin(names)]]
    for name in names:
        parts.append(rows.assign(choice=name, **{key: rows[key] + by for key, by in shift.items()}))
    return pd.concat(parts, ignore_index=True)


def _redrawn(table: pd.DataFrame, stream: np.random.Generator) -> pd.DataFrame:
    """Families of each set drawn anew; all generations of a prompt stay together."""
    stratum = table["prompt_set"].astype("category").cat.codes.to_numpy()
    rows, family = Clusters(table["family"].to_numpy()).redrawn(stream, stratum)
    prompt = family.astype(np.int64) * 10**6 + table["prompt"].to_numpy()[rows]
    return table.iloc[rows].assign(family=family, prompt=prompt).reset_index(drop=True)
