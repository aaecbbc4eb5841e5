"""Worlds of image sets and prompts: the AUCs of their evaluation, and claims 7 to 11 and 18."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mmh.calibration.drawing import Clusters
from mmh.calibration.moving import with_area, with_correlation
from mmh.calibration.worlds import (
    AREA_COLUMNS,
    EDGE,
    NO_EFFECT,
    MovedAreas,
    World,
    area_rows,
    areas,
    detector,
    drawn,
    world,
)
from mmh.claims.base import Context, Finding
from mmh.claims.caption_lowers_lid import FEW
from mmh.claims.image_sets import contrasts, negative_sets
from mmh.compute import rng
from mmh.evaluation.names import contrast_name
from mmh.prompts.words import family_folds, oriented
from mmh.stats.correlation import spearman
from mmh.stats.curves import auc

UNIT = "family"
CLAIM = "claim"


def detectors(
    table: pd.DataFrame,
    pairs: Sequence[Sequence[str]],
    names: Sequence[str],
    turned: Mapping[str, str],
    prefix: str = "",
) -> Iterator[World]:
    """The AUC of every score on every pair of sets, families kept whole.

    Parameters
    ----------
    table : pandas.DataFrame
        `items` (the set), `family` (of no two sets), and a column for each score, larger for memorized ones.
    pairs : sequence of (str, str)
        Sets that are compared.
    names : sequence of str
        Scores.
    turned : mapping of str to str
        Columns of controls that are turned round where the classes say so, anew for each draw of classes, and
        their names.
    prefix : str
        Of the contrasts' names.

    Yields
    ------
    World
        Sets shuffled over families; and sets as they are, scores moved to an AUC of 1/2, families drawn anew.
    """
    parts = {}
    for pair in pairs:
        rows = table[table["items"].isin(list(pair))].dropna(subset=list(names)).reset_index(drop=True)
        positive = (rows["items"] == pair[0]).to_numpy()
        parts[prefix + contrast_name(*pair)] = rows, positive, Clusters(rows["family"].to_numpy())

    def shuffled(stream: np.random.Generator, trial: int) -> list[Finding]:
        found = []
        for contrast, (rows, positive, clusters) in parts.items():
            label = clusters.shuffled(positive, stream)
            scores = rows[list(names)].to_numpy(dtype=np.float64)
            if turned:
                fold = family_folds(clusters.member, label)
                more = [oriented(rows[column].to_numpy(), label, fold) for column in turned]
                scores = np.column_stack([scores, *more])
            of = areas(scores, label, clusters.member, [*names, *turned.values()], UNIT)
            found += [detector(name, contrast, at) for name, at in of.items()]
        return found

    yield World("", NO_EFFECT, shuffled)
    moved = {
        contrast: MovedAreas(rows[list(names)].to_numpy(dtype=np.float64), positive, clusters.member, 0.5)
        for contrast, (rows, positive, clusters) in parts.items()
    }

    def redrawn(stream: np.random.Generator, trial: int) -> list[Finding]:
        found = []
        for contrast, one in moved.items():
            of = areas(*one.draw(stream), names, UNIT)
            found += [detector(name, contrast, at) for name, at in of.items()]
        return found

    yield World("", EDGE, redrawn)


def _whole(context: Context, names: Sequence[str]) -> tuple[pd.DataFrame, Clusters]:
    """All images of the sets that a claim compares, and their families."""
    sets = [context.options.positive_set, *negative_sets(context)]
    table = context.images(sets, list(dict.fromkeys(names))).dropna().reset_index(drop=True)
    return table, Clusters(table["family"].to_numpy())


def _shuffled(context: Context, table: pd.DataFrame, clusters: Clusters) -> Any:
    def draw(stream: np.random.Generator, trial: int) -> Context:
        return drawn(context, sets=table.assign(items=clusters.shuffled(table["items"].to_numpy(), stream)))

    return draw


def _redrawn(context: Context, table: pd.DataFrame, **options: Any) -> Any:
    clusters = Clusters(table["family"].to_numpy())
    stratum = table["items"].astype("category").cat.codes.to_numpy()

    def draw(stream: np.random.Generator, trial: int) -> Context:
        rows, family = clusters.redrawn(stream, stratum)
        new = table.iloc[rows].assign(family=family).reset_index(drop=True)
        return drawn(context, sets=new, options=options)

    return draw


def detecting(claim: str, context: Context) -> Iterator[World]:
    """Claims 9 and 11: sets shuffled; and sets as they are, with the AUC that does not count yet."""
    own = context.options
    signs = (
        {own.flipd: -1.0, own.flipd_uncond: -1.0, own.cfg_norm: 1.0}
        if claim == "9"
        else {own.flipd_uncond: -1.0}
    )
    names = list(signs)
    table, clusters = _whole(context, names)
    asked = [(one, other) for one, other, role in contrasts(context) if role == CLAIM]
    turned = table[names].to_numpy() * np.array(list(signs.values()))

    def evaluated(parts: Any) -> Context:
        records = []
        for pair, (scores, positive, family) in parts:
            records += area_rows(contrast_name(*pair), scores, positive, family, names, UNIT)
        return drawn(context, sets=table, evaluation=pd.DataFrame(records, columns=AREA_COLUMNS))

    def shuffled(stream: np.random.Generator, trial: int) -> Context:
        items = clusters.shuffled(table["items"].to_numpy(), stream)
        chosen = [(pair, np.isin(items, pair)) for pair in asked]
        return evaluated(
            (pair, (turned[rows], items[rows] == pair[0], clusters.member[rows])) for pair, rows in chosen
        )

    moved = {}
    for pair in asked:
        rows = table["items"].isin(pair).to_numpy()
        positive = (table["items"][rows] == pair[0]).to_numpy()
        moved[pair] = MovedAreas(turned[rows], positive, clusters.member[rows], own.least_auc)
    yield world(claim, NO_EFFECT, shuffled, role=CLAIM)
    yield world(
        claim,
        EDGE,
        lambda stream, trial: evaluated((pair, one.draw(stream)) for pair, one in moved.items()),
        role=CLAIM,
    )


def gains(claim: str, context: Context) -> Iterator[World]:
    """Claims 7 and 10: sets shuffled; and sets as they are, FLIPD moved so that the gain is the least one."""
    own = context.options
    flipds = list(dict.fromkeys([own.flipd, own.flipd_uncond]))
    other, sign, by = (
        (own.complexity, -1.0, own.least_gain) if claim == "7" else (own.cfg_norm, 1.0, -own.least_gain)
    )
    table, clusters = _whole(context, [*flipds, other])
    yield world(claim, NO_EFFECT, _shuffled(context, table, clusters), role=CLAIM)
    for negative in negative_sets(context):
        rows = table[table["items"].isin([own.positive_set, negative])].reset_index(drop=True)
        positive = (rows["items"] == own.positive_set).to_numpy()
        area = float(np.clip(auc(sign * rows[other].to_numpy(), positive) + by, 0.001, 0.999))
        ties = rng.generator(0, "calibration-ties")
        columns = {name: -with_area(-rows[name].to_numpy(), positive, area, ties) for name in flipds}
        yield world(
            claim, EDGE, _redrawn(context, rows.assign(**columns), negative_sets=[negative]), role=CLAIM
        )


LESS = ", less that with"
"""In the statistic of claim 8 that compares with independent parts."""


def agreeing(claim: str, context: Context) -> Iterator[World]:
    """Claim 8: norms of other images; roles exchanged; and correlations moved to the ends of both regions."""
    own = context.options
    guided, difference, exchanged = own.guided_norm, own.cfg_difference, own.exchanged_norm
    table, clusters = _whole(context, [guided, difference, exchanged])

    def unrelated(stream: np.random.Generator, trial: int) -> Context:
        return drawn(
            context, sets=table.assign(**{guided: clusters.shuffled(table[guided].to_numpy(), stream)})
        )

    def alike(stream: np.random.Generator, trial: int) -> Context:
        turned = clusters.flipped(stream)
        one, two = table[guided].to_numpy(), table[exchanged].to_numpy()
        return drawn(
            context,
            sets=table.assign(**{guided: np.where(turned, two, one), exchanged: np.where(turned, one, two)}),
        )

    yield world(claim, NO_EFFECT, unrelated, unsaid=LESS)
    yield world(claim, NO_EFFECT, alike, LESS)
    sets = list(dict.fromkeys(table["items"]))
    groups = [("all images", sets), *((name, [name]) for name in sets)]
    for name, members in groups:
        rows = table[table["items"].isin(members)].reset_index(drop=True)
        ties = rng.generator(0, "calibration-ties")
        x, y, other = (rows[score].to_numpy() for score in (difference, guided, exchanged))
        near = rows.assign(**{guided: with_correlation(x, y, own.least_correlation, ties)})
        yield world(claim, EDGE, _redrawn(context, near), f", {name} (above")
        by_chance, found = (float(np.arctanh(spearman(x, one)[0])) for one in (other, y))
        if found - by_chance > own.least_excess:
            column = {guided: with_correlation(x, y, np.tanh(by_chance + own.least_excess), ties)}
        else:
            column = {exchanged: with_correlation(x, other, np.tanh(found - own.least_excess), ties)}
        yield world(claim, EDGE, _redrawn(context, rows.assign(**column)), f", {name}{LESS}")


def falling(claim: str, context: Context) -> Iterator[World]:
    """Claim 18: the two FLIPDs exchanged by family; falls moved so that median and share are at the end."""
    own = context.options
    table, clusters = _whole(context, [own.flipd, own.flipd_uncond])
    given, free = table[own.flipd].to_numpy(), table[own.flipd_uncond].to_numpy()

    def exchanged(stream: np.random.Generator, trial: int) -> Context:
        turned = clusters.flipped(stream)
        columns = {own.flipd: np.where(turned, free, given), own.flipd_uncond: np.where(turned, given, free)}
        return drawn(context, sets=table.assign(**columns))

    yield world(claim, NO_EFFECT, exchanged)
    by_set = (table[own.flipd_uncond] - table[own.flipd]).groupby(table["items"])
    middle = by_set.transform("median").to_numpy()
    yield world(
        claim, EDGE, _redrawn(context, table.assign(**{own.flipd: given + middle - own.least_fall})), "median"
    )
    # The smallest falls, just FEW of all or one more, are moved below minus the least one that counts.
    few = by_set.transform(lambda fall: np.sort(fall)[int(np.ceil(FEW * len(fall) - 1e-9)) - 1]).to_numpy()
    moved = table.assign(**{own.flipd: given + few + own.least_fall + 1e-6})
    yield world(claim, EDGE, _redrawn(context, moved), "share")
