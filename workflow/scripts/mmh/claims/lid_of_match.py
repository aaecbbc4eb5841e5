"""Claims 4 and 5: the data's LID of the training images that samples match."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from mmh.claims.base import Claim, Context, Finding, Region
from mmh.options import base as options
from mmh.options.base import EstimatorName, Field, Unique
from mmh.options.computed import not_on_training_images

if TYPE_CHECKING:
    from mmh.options.entries import Entry


class Estimators(options.Options):
    """What claims 4 and 5 share."""

    data_estimators: Annotated[list[EstimatorName], Unique()] = Field(["lpca"], min_length=1)
    """Claims 4, 5: LID_*, by each of the ways in which it may be estimated."""


class Considerable(Estimators):
    """Options of claim 4."""

    considerable: float = Field(default=5.0, gt=0)
    """Claim 4: least difference of medians, dimensions."""


class Comparable(Estimators):
    """Options of claim 5."""

    comparable: float = Field(default=5.0, ge=0)
    """Claim 5: largest difference of medians, dimensions."""


class LidOfMatch(Claim):
    """A claim about the matched training images."""

    figure = "lid_data"
    needs = ("evaluation",)
    tables = ("scores", "labels", "matches", "train")

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """LID_* is of training images."""
        names = options.data_estimators
        yield from not_on_training_images(experiment, names, f"{where}.data_estimators")


class DataLower(LidOfMatch):
    """Exact copies come of images that the data duplicate."""

    name = "4"
    statement = (
        "LID_* of the match is considerably lower for exactly memorized than for not memorized samples"
    )
    Options = Considerable

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """The difference above a threshold."""
        threshold = context.options.considerable
        statistic = f"median LID_* of the match, not memorized minus exact (above {threshold:g})"
        yield from _differences(context, "exact", statistic, (threshold, math.inf))


class DataComparable(LidOfMatch):
    """Reconstructive copies come of overfitting, not of the data."""

    name = "5"
    statement = (
        "LID_* of the match is comparable for reconstructively memorized and for not memorized samples"
    )
    Options = Comparable

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """The difference within a margin."""
        margin = context.options.comparable
        statistic = f"median LID_* of the match, not memorized minus reconstructive (within {margin:g})"
        yield from _differences(context, "reconstructive", statistic, (-margin, margin))


def _differences(context: Context, label: str, statistic: str, region: Region) -> Iterator[Finding]:
    """Difference of the medians of LID_*, not memorized minus one class, under each way to estimate it."""
    from mmh.evaluation.samples import NEGATIVE, UNITS
    from mmh.stats.medians import median_interval

    for name in context.options.data_estimators:
        table = context.labelled([name]).dropna(subset=[name])
        control, copies = (table[table["label"] == wanted] for wanted in (NEGATIVE, label))
        if not len(control) or not len(copies):
            continue
        as_low = int((control[name] <= copies[name].median()).sum())
        yield Finding(
            statistic,
            partial(
                median_interval,
                control[name].to_numpy(),
                copies[name].to_numpy(),
                clusters=control["cluster"].to_numpy(),
                other_clusters=copies["cluster"].to_numpy(),
                unit=UNITS["group"],
            ),
            region,
            null="0: the matches of both are alike",
            under=name,
            beside=f"{as_low} of {len(control)} not memorized match an image of no higher LID_*",
        )
