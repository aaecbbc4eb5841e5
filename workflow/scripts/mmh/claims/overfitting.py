"""Claim od: an overfit model and its control at the same images."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

from mmh.claims.base import Claim, Context, Finding
from mmh.options import base as options
from mmh.options.base import Field
from mmh.options.entries import Entry


class Options(options.Options):
    """Options of claim od."""

    margin: float = Field(default=20.0, ge=0)
    """Claim od: difference of medians that counts, dimensions; that of verdicts and figure, too."""


class Overfit(Claim):
    """Overfitting-driven memorization, as what sets the overfit model apart from its control."""

    name = "od"
    statement = (
        "An overfit model's LID is below that of a control model and below that of the data, at the same "
        "images, where the control's is not"
    )
    figure = "lid_paired"
    needs = ("paired",)
    tables = ("paired",)
    Options = Options

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """One margin for claim, verdicts and figure."""
        others = {
            "verdicts.gap": experiment.section("verdicts").get("gap"),
            "figures.lid_paired.margin": experiment.section("figures").get("lid_paired", {}).get("margin"),
        }
        for key, value in others.items():
            if value is not None and value != options.margin:
                yield f"{where}.margin: is {options.margin:g}, but {key} is {value:g}; one margin counts"

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """The paired difference of both models; each beside LID_*, under each way to estimate that."""
        from mmh.evaluation.paired import data_columns
        from mmh.stats.medians import median_interval

        table, margin = context.tables["paired"], context.options.margin
        model, control = (table[f"lid_{of}"].to_numpy() for of in ("model", "control"))
        paired: dict[str, Any] = {"paired": True, "unit": "image"}
        yield Finding(
            f"difference of medians, LID_theta, control minus overfit (above {margin:g})",
            partial(median_interval, control, model, **paired),
            (margin, math.inf),
            null="0: both models alike",
        )
        for name, column in data_columns(table).items():
            data = table[column].to_numpy()
            yield Finding(
                f"difference of medians, LID_* minus LID_theta (above {margin:g})",
                partial(median_interval, data, model, **paired),
                (margin, math.inf),
                null="that of the control",
                under=name,
            )
            yield Finding(
                f"difference of medians, LID_* minus LID_theta of the control (below {margin:g})",
                partial(median_interval, data, control, **paired),
                (-math.inf, margin),
                null="that of the overfit model",
                role="control",
                under=name,
            )
