"""Worlds of prompts and their metrics along trajectories: claims 16 and 17."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from mmh.calibration import samples
from mmh.calibration.drawing import Clusters
from mmh.calibration.moving import with_area
from mmh.calibration.worlds import EDGE, NO_EFFECT, World, drawn, world
from mmh.claims.base import Context
from mmh.claims.low_end import CONTRAST
from mmh.claims.prompt_sets import negative_prompts
from mmh.claims.sharpness_beats_norm import FIRST
from mmh.compute import rng
from mmh.detection.by_step import Statistic
from mmh.stats.curves import auc

CLAIM = "claim"


def low_end(claim: str, context: Context) -> Iterator[World]:
    """Claim 16: sets or labels shuffled; and classes as they are, with the AUC that does not count yet."""
    own = context.options
    asked = [Statistic(one.metric, one.step, one.generations) for one in own.low_end]
    if asked:
        yield _shuffled(claim, context, asked)
        for negative, rows, positive in _pairs(context, asked):
            columns = {one.said: _moved(rows[one.said], positive, own.least_auc) for one in asked}
            yield _redrawn(claim, context, rows.assign(**columns), negative)
    yield from samples.detecting(claim, context, CONTRAST, list(own.low_end_samples))


def leading(claim: str, context: Context) -> Iterator[World]:
    """Claim 17: sets shuffled; and sets as they are, sharpness moved so that its lead does not count yet."""
    own = context.options
    by_step = {
        step: [Statistic(own.sharpness_rival, step, count) for count in own.sharpness_generations]
        for step in (FIRST, None)
    }
    sharp = [Statistic(own.sharpness, FIRST, count) for count in own.sharpness_generations]
    every = [*sharp, *by_step[FIRST], *by_step[None]]
    # Being no worse than all steps is not refuted where neither tells anything: no such world for it.
    yield _shuffled(claim, context, every, _minus(own.sharpness_rival, FIRST))
    for negative, rows, positive in _pairs(context, every):
        for step, lead in ((FIRST, own.least_lead), (None, -own.least_lead)):
            columns = {}
            for one, rival in zip(sharp, by_step[step], strict=True):
                area = float(np.clip(auc(rows[rival.said].to_numpy(), positive) + lead, 0.001, 0.999))
                columns[one.said] = _moved(rows[one.said], positive, area)
            said = _minus(own.sharpness_rival, step)
            yield _redrawn(claim, context, rows.assign(**columns), negative, said)


def _minus(rival: str, step: int | None) -> str:
    """What the statistics hold that compare with one of the rivals."""
    return f"minus {rival} at {'all steps' if step is None else f'step {step}'},"


def _moved(values: pd.Series, positive: np.ndarray, area: float) -> np.ndarray:
    return with_area(values.to_numpy(), positive, area, rng.generator(0, "calibration-ties"))


def _pairs(context: Context, asked: Sequence[Statistic]) -> Iterator[tuple[str, pd.DataFrame, np.ndarray]]:
    """Each set of others, with its prompts and the memorized ones, and which of them are memorized."""
    positive = context.options.positive_prompts
    for negative in negative_prompts(context):
        rows = context.prompts([positive, negative], asked)
        yield negative, rows, (rows["items"] == positive).to_numpy()


def _shuffled(claim: str, context: Context, asked: Sequence[Statistic], said: str = "") -> World:
    """Sets shuffled over families."""
    table = context.prompts([context.options.positive_prompts, *negative_prompts(context)], asked)
    clusters = Clusters(table["family"].to_numpy())

    def draw(stream: np.random.Generator, trial: int) -> Context:
        return drawn(context, sets=table.assign(items=clusters.shuffled(table["items"].to_numpy(), stream)))

    return world(claim, NO_EFFECT, draw, said, role=CLAIM)


def _redrawn(claim: str, context: Context, table: pd.DataFrame, negative: str, said: str = "") -> World:
    """Families of two sets drawn anew."""
    clusters = Clusters(table["family"].to_numpy())
    stratum = table["items"].astype("category").cat.codes.to_numpy()

    def draw(stream: np.random.Generator, trial: int) -> Context:
        rows, family = clusters.redrawn(stream, stratum)
        new = table.iloc[rows].assign(family=family).reset_index(drop=True)
        return drawn(context, sets=new, options={"negative_prompts": [negative]})

    return world(claim, EDGE, draw, said, role=CLAIM)
