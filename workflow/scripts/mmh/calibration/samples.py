"""Worlds of samples with labels: the AUCs of the evaluation, and claims 2 to 6."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mmh.calibration.drawing import Clusters
from mmh.calibration.moving import with_area
from mmh.calibration.worlds import (
    AREA_COLUMNS,
    EDGE,
    NO_EFFECT,
    SIZES_KEPT,
    MovedAreas,
    World,
    area_rows,
    areas,
    detector,
    drawn,
    end,
    world,
)
from mmh.claims.base import CLAIMS, Context, Finding
from mmh.compute import rng
from mmh.evaluation.samples import CONTRASTS, NEGATIVE, UNITS
from mmh.stats.curves import auc

UNIT = UNITS["group"]
UNSURE = "unsure"


class Labelled:
    """Labelled samples with some scores, without those whose label no contrast has.

    Parameters
    ----------
    table : pandas.DataFrame
        As `Context.labelled` gives it.
    names : sequence of str
        Scores; samples that lack one are left out.

    Attributes
    ----------
    contrasts : list of str
        Those of which both classes have two clusters; others have no interval.
    """

    def __init__(self, table: pd.DataFrame, names: Sequence[str]) -> None:
        self.names = list(dict.fromkeys(names))
        whole = table[table["label"] != UNSURE].dropna(subset=self.names)
        self.table = whole[["label", "cluster", *self.names]].reset_index(drop=True)
        self.label = self.table["label"].to_numpy(dtype=object)
        self.cluster = self.table["cluster"].to_numpy()
        self.minus = -self.table[self.names].to_numpy(dtype=np.float64)  # small values speak for memorization
        self.groups = Clusters(self.cluster)
        self.contrasts = [name for name in CONTRASTS if self._spread(name) > 1]

    def shuffled(self, stream: np.random.Generator) -> np.ndarray:
        """The labels, shuffled over clusters."""
        return self.groups.shuffled(self.label, stream)

    def classes(self, contrast: str, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of a contrast, (n,) bool, and which of them are positive."""
        rows = np.isin(label, [*CONTRASTS[contrast], NEGATIVE])
        return rows, label[rows] != NEGATIVE

    def _spread(self, contrast: str) -> int:
        rows, positive = self.classes(contrast, self.label)
        return min(len(np.unique(self.cluster[rows][of])) for of in (positive, ~positive))


def detectors(table: pd.DataFrame, names: Sequence[str]) -> Iterator[World]:
    """The AUC of every score on every contrast.

    Labels are shuffled over clusters, where sizes of clusters go with the scores; or scores are, where sizes
    stay with the labels; or classes stay, scores are moved to an AUC of 1/2, and clusters are drawn anew.
    """
    base = Labelled(table, names)

    def shuffled(stream: np.random.Generator, trial: int) -> list[Finding]:
        label, found = base.shuffled(stream), []
        for contrast in base.contrasts:
            rows, positive = base.classes(contrast, label)
            of = areas(base.minus[rows], positive, base.cluster[rows], base.names, UNIT)
            found += [detector(name, contrast, at) for name, at in of.items()]
        return found

    def exchanged(stream: np.random.Generator, trial: int) -> list[Finding]:
        scores, found = base.groups.shuffled(base.minus, stream), []
        for contrast in base.contrasts:
            rows, positive = base.classes(contrast, base.label)
            of = areas(scores[rows], positive, base.cluster[rows], base.names, UNIT)
            found += [detector(name, contrast, at) for name, at in of.items()]
        return found

    yield World("", NO_EFFECT, shuffled)
    yield World("", SIZES_KEPT, exchanged)
    moved = {name: _moved(base, name, 0.5) for name in base.contrasts}

    def redrawn(stream: np.random.Generator, trial: int) -> list[Finding]:
        found = []
        for contrast, one in moved.items():
            of = areas(*one.draw(stream), base.names, UNIT)
            found += [detector(name, contrast, at) for name, at in of.items()]
        return found

    yield World("", EDGE, redrawn)


def smaller(claim: str, context: Context) -> Iterator[World]:
    """Claims 2 and 3: labels shuffled; and the classes as they are, with the AUC that does not count yet."""
    contrast: str = CLAIMS[claim].contrast  # type: ignore[attr-defined]
    yield from detecting(claim, context, contrast, list(context.options.model_estimators or ()))


def detecting(claim: str, context: Context, contrast: str, names: list[str]) -> Iterator[World]:
    """A claim on the AUC of scores on one contrast of the evaluation; nothing without scores."""
    if not names:
        return
    base = Labelled(context.labelled(names), names)
    if contrast not in base.contrasts:
        return

    def rows(scores: np.ndarray, positive: np.ndarray, cluster: np.ndarray) -> Context:
        records = area_rows(contrast, scores, positive, cluster, base.names, UNIT)
        return drawn(context, evaluation=pd.DataFrame(records, columns=AREA_COLUMNS))

    def shuffled(stream: np.random.Generator, trial: int) -> Context:
        chosen, positive = base.classes(contrast, base.shuffled(stream))
        return rows(base.minus[chosen], positive, base.cluster[chosen])

    moved = _moved(base, contrast, context.options.least_auc)
    yield world(claim, NO_EFFECT, shuffled)
    yield world(claim, EDGE, lambda stream, trial: rows(*moved.draw(stream)))


def medians(claim: str, context: Context) -> Iterator[World]:
    """Claims 4 and 5: labels shuffled (4); the classes as they are, their medians apart by the threshold."""
    own = context.options
    label = "exact" if claim == "4" else "reconstructive"
    region = (own.considerable, np.inf) if claim == "4" else (-own.comparable, own.comparable)
    base = Labelled(context.labelled(own.data_estimators), own.data_estimators)
    if label not in base.contrasts:
        return
    if claim == "4":  # no difference is what claim 5 says
        yield world(
            claim,
            NO_EFFECT,
            lambda stream, trial: drawn(context, samples=base.table.assign(label=base.shuffled(stream))),
        )
    table = base.table[base.table["label"].isin([label, NEGATIVE])].reset_index(drop=True)
    copies = (table["label"] == label).to_numpy()
    clusters = Clusters(table["cluster"].to_numpy())
    middles = table.groupby(copies)[base.names].median()
    apart = middles.loc[False] - middles.loc[True]

    def moved(stream: np.random.Generator, trial: int) -> Context:
        rows, cluster = clusters.redrawn(stream, copies)
        by = apart - end(region, trial)
        new = table.assign(**{name: table[name] + copies * by[name] for name in base.names})
        return drawn(context, samples=new.iloc[rows].assign(cluster=cluster).reset_index(drop=True))

    yield world(claim, EDGE, moved)


def gains(claim: str, context: Context) -> Iterator[World]:
    """Claim 6: labels shuffled; and the plain score's AUC moved to the least gain below that of the ratio."""
    ratios = context.options.ratios
    if not ratios:
        return
    base = Labelled(
        context.labelled(list(dict.fromkeys([*ratios, *ratios.values()]))), [*ratios, *ratios.values()]
    )
    yield world(
        claim,
        NO_EFFECT,
        lambda stream, trial: drawn(context, samples=base.table.assign(label=base.shuffled(stream))),
    )
    for contrast in base.contrasts:
        chosen, positive = base.classes(contrast, base.label)
        table = base.table[chosen].reset_index(drop=True)
        clusters = Clusters(table["cluster"].to_numpy())
        for ratio, plain in ratios.items():
            area = auc(-table[ratio].to_numpy(), positive) - context.options.least_gain
            other = with_area(-table[plain].to_numpy(), positive, area, rng.generator(0, "calibration-ties"))
            draw = _redrawn(
                context, table.assign(**{plain: -other}), clusters, positive, {"ratios": {ratio: plain}}
            )
            yield world(claim, EDGE, draw, f", {contrast} (")


def _redrawn(
    context: Context, table: pd.DataFrame, clusters: Clusters, stratum: np.ndarray, options: dict[str, Any]
) -> Any:
    def draw(stream: np.random.Generator, trial: int) -> Context:
        rows, cluster = clusters.redrawn(stream, stratum)
        new = table.iloc[rows].assign(cluster=cluster).reset_index(drop=True)
        return drawn(context, samples=new, options=options)

    return draw


def _moved(base: Labelled, contrast: str, area: float) -> MovedAreas:
    rows, positive = base.classes(contrast, base.label)
    return MovedAreas(base.minus[rows], positive, base.cluster[rows], area)
