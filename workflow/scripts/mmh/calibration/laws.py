"""Worlds of what has no labels: the circle with a point in its middle, paired models, laws that are known."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from mmh.calibration.worlds import EDGE, NO_EFFECT, Draw, World, drawn, end, world
from mmh.claims.base import Context
from mmh.claims.conditioning import FEW
from mmh.claims.conditioning import HALF as HALF_DIMENSION
from mmh.claims.copies import EXPECTED, HALF, RARE
from mmh.evaluation.paired import data_columns

DIMENSIONS = {"isolated": 0.0, "centre": 0.0, "arc": 1.0}
"""Where claim 1 expects the median at each place."""
MARKS = ("inner", "outer")


def _placed(context: Context) -> pd.DataFrame:
    """FLIPD of the samples at the three places: `item`, `value`, `region`."""
    scores = context.tables["scores"]
    rows = scores[(scores["items"] == "samples") & (scores["estimator"] == context.options.flipd)]
    rows = rows[~rows["item"].isin(set(context.exclude))]
    placed = rows.merge(context.tables["regions"], left_on="item", right_on="sample")
    return placed[placed["region"].isin(list(DIMENSIONS))][["item", "value", "region"]].reset_index(drop=True)


def _medians(
    context: Context, table: pd.DataFrame, medians: dict[str, float], stream: np.random.Generator
) -> Context:
    """Draw samples of each place anew, their median where it is wanted."""
    region, value = table["region"].to_numpy(dtype=object), table["value"].to_numpy()
    values, regions = [], []
    for place, wanted in medians.items():
        here = value[region == place]
        if len(here):
            values.append(stream.choice(here, len(here)) - np.median(here) + wanted)
            regions += [place] * len(here)
    item = np.arange(len(regions)) + int(max(context.exclude, default=-1)) + 1
    scores = {"items": "samples", "item": item, "estimator": context.options.flipd, "t": np.nan}
    return drawn(
        context,
        scores=pd.DataFrame({**scores, "value": np.concatenate(values)}),
        regions=pd.DataFrame({"sample": item, "region": regions}),
    )


def places(claim: str, context: Context) -> Iterator[World]:
    """Claim 1: the median is that of the other part; or it lies at the end of what counts as about 0 or 1."""
    table, tolerance = _placed(context), context.options.tolerance
    if table.empty:
        return
    other = {place: 1 - expected for place, expected in DIMENSIONS.items()}
    yield world(claim, NO_EFFECT, lambda stream, trial: _medians(context, table, other, stream))

    def edge(stream: np.random.Generator, trial: int) -> Context:
        within = {place: getattr(tolerance, place) for place in DIMENSIONS}
        ends = {
            place: end((at - within[place], at + within[place]), trial) for place, at in DIMENSIONS.items()
        }
        return _medians(context, table, ends, stream)

    yield world(claim, EDGE, edge)


def _counted(context: Context, balls: pd.DataFrame, mass: np.ndarray, stream: np.random.Generator) -> Context:
    """Count samples of a model whose mass of each ball is known; balls of one place lie in one another."""
    inside = np.zeros(len(balls), dtype=np.int64)
    for rows in balls.groupby("place").indices.values():
        order = rows[np.argsort(balls["radius"].to_numpy()[rows])]
        shells = np.diff(np.maximum.accumulate(np.clip(mass[order], 0, 1)), prepend=0.0)
        drawn_here = stream.multinomial(
            int(balls["samples"].iloc[order[0]]), np.append(shells, 1 - shells.sum())
        )
        inside[order] = np.cumsum(drawn_here[:-1])
    return drawn(context, balls=balls.assign(inside=inside))


def _scaled(context: Context, places: list[str], gamma: float) -> np.ndarray:
    """The model's mass of each ball, scaled until the largest ratio at each place is just no copy."""
    balls = context.tables["balls"]
    share, mass = (balls["inside"] / balls["samples"]).to_numpy(copy=True), balls["mass"].to_numpy()
    for place in places:
        here = (balls["place"] == place).to_numpy()
        known = here & (mass > 0) & (mass <= gamma)
        if known.any() and (share[known] > 0).any():
            share[here] *= context.options.excess / float((share[known] / mass[known]).max())
    return np.minimum(share, 1.0)


def overfitted(claim: str, context: Context) -> Iterator[World]:
    """Theorem A.3: the model's mass is the law's; slopes and largest ratios lie at the ends of regions."""
    balls, own = context.tables["balls"], context.options
    law = balls["mass"].to_numpy()
    yield world(claim, NO_EFFECT, lambda stream, trial: _counted(context, balls, law, stream), role="claim")
    ratio = _scaled(context, ["isolated", "arc"], own.gamma)
    yield world(claim, EDGE, lambda stream, trial: _counted(context, balls, ratio, stream), unsaid="slope")

    def slopes(stream: np.random.Generator, trial: int) -> Context:
        inside = balls["inside"].to_numpy(copy=True)
        for place, expected in EXPECTED.items():
            here = {
                mark: np.flatnonzero((balls["place"] == place) & (balls["mark"] == mark)) for mark in MARKS
            }
            if any(len(rows) != 1 for rows in here.values()):
                continue
            inner, outer = (int(here[mark][0]) for mark in MARKS)
            shares = [
                share
                for at in (expected - HALF, expected + HALF)
                if (share := _share_inside(balls.iloc[inner], balls.iloc[outer], at)) <= 1
            ]
            inside[inner] = stream.binomial(inside[outer], shares[trial % len(shares)])
        return drawn(context, balls=balls.assign(inside=inside))

    yield world(claim, EDGE, slopes, "slope")


def _share_inside(inner: pd.Series, outer: pd.Series, slope: float) -> float:
    """Share of the outer ball's mass in the inner one at a slope; above 1: there is no such model."""
    reach = math.log(outer.radius / inner.radius)
    return float(inner.mass / outer.mass * math.exp(-slope * reach))


def data_driven(claim: str, context: Context) -> Iterator[World]:
    """Proposition A.2: largest ratio, inner ball's ratio, and median lie at the ends of their regions."""
    balls, own = context.tables["balls"], context.options
    table, within = _placed(context), own.tolerance.centre
    largest = _scaled(context, ["centre"], 1.0)
    yield world(claim, EDGE, lambda stream, trial: _counted(context, balls, largest, stream), "largest")
    inner = ((balls["place"] == "centre") & (balls["mark"] == "inner")).to_numpy()

    def ratio(stream: np.random.Generator, trial: int) -> Context:
        inside = balls["inside"].to_numpy(copy=True)
        for row in np.flatnonzero(inner):
            share = balls["mass"].iloc[row] * end((1 / own.excess, own.excess), trial)
            inside[row] = stream.binomial(int(balls["samples"].iloc[row]), min(share, 1.0))
        return drawn(context, balls=balls.assign(inside=inside))

    yield world(claim, EDGE, ratio, ", r = ")

    def edge(stream: np.random.Generator, trial: int) -> Context:
        return _medians(context, table, {"centre": end((-within, within), trial)}, stream)

    def other(stream: np.random.Generator, trial: int) -> Context:
        return _medians(context, table, {"centre": 1.0}, stream)

    if not (table["region"] == "centre").any():
        return
    yield world(claim, NO_EFFECT, other, "median")
    yield world(claim, EDGE, edge, "median")


def duplicated(claim: str, context: Context) -> Iterator[World]:
    """Proposition 3.1: duplicates come half of the time, whatever the law; or just too often or rarely."""
    table = context.tables["duplicates"]
    with_atom = (table["law"] == "with atom").to_numpy()
    sets = table["sets"].to_numpy(dtype=np.int64)

    def counted(with_duplicates: np.ndarray | float, elsewhere: float) -> Draw:
        def draw(stream: np.random.Generator, trial: int) -> Context:
            found = {"with_duplicates": stream.binomial(sets, with_duplicates)}
            return drawn(
                context, duplicates=table.assign(**found, elsewhere=stream.binomial(sets, elsewhere))
            )

        return draw

    yield world(claim, NO_EFFECT, counted(0.5, 0.5))
    yield world(claim, EDGE, counted(np.where(with_atom, 1 - RARE, RARE), RARE))


def overfit(claim: str, context: Context) -> Iterator[World]:
    """Claim od: the LIDs of an image exchanged; and medians as far apart as the margin, images drawn anew."""
    table, margin = context.tables["paired"], context.options.margin
    data = list(data_columns(table).values())
    columns = ["lid_model", "lid_control", *data]
    values = table[columns].to_numpy(dtype=np.float64)

    def exchanged(stream: np.random.Generator, trial: int) -> Context:
        return drawn(context, paired=table.assign(**_named(columns, stream.permuted(values, axis=1))))

    yield world(claim, NO_EFFECT, exchanged, role="claim")
    centred = values - np.median(values, axis=0)

    def moved(control: float) -> World:
        at = np.array([0.0, control, *[margin] * len(data)])

        def draw(stream: np.random.Generator, trial: int) -> Context:
            rows = stream.integers(0, len(table), len(table))
            return drawn(context, paired=table.iloc[rows].assign(**_named(columns, (centred + at)[rows])))

        return world(claim, EDGE, draw, role="claim" if control else "control")

    yield moved(margin)  # both above the overfit model
    yield moved(0.0)  # the control below the data


def _named(columns: list[str], values: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(columns, values.T, strict=True))


def conditioned(claim: str, context: Context) -> Iterator[World]:
    """Proposition 3.2: falls turn into rises at random; and share and median at the ends of their regions."""
    whole = context.tables["conditioned"]
    table = whole[whole["t"] == whole["t"].min()].reset_index(drop=True)
    free, given = table["flipd"].to_numpy(), table["flipd_given"].to_numpy()
    known = (table["lid"] - table["lid_given"]).to_numpy()
    parts = list(table.groupby(["law", "condition"], sort=False).indices.values())

    def with_fall(fall: np.ndarray) -> Context:
        return drawn(context, conditioned=table.assign(flipd_given=free - fall))

    def turned(stream: np.random.Generator, trial: int) -> Context:
        by = np.maximum(np.abs(free - given), 2 * HALF_DIMENSION)  # where nothing falls, nothing is turned
        return with_fall(np.where(stream.random(len(table)) < 0.5, 1, -1) * by)

    def rising(stream: np.random.Generator, trial: int) -> Context:
        return with_fall(np.where(stream.random(len(table)) < FEW, -2 * HALF_DIMENSION, 0.0))

    error = free - given - known

    def moved(stream: np.random.Generator, trial: int) -> Context:
        at, fall = end((-HALF_DIMENSION, HALF_DIMENSION), trial), known.astype(np.float64)
        for rows in parts:
            here = error[rows]
            fall[rows] += stream.choice(here, len(rows)) - np.median(here) + at
        return with_fall(fall)

    yield world(claim, NO_EFFECT, turned)
    yield world(claim, EDGE, rising, "share")
    yield world(claim, EDGE, moved, "median")
