"""Claim od: an overfit model and its control at the same images."""

import math
from collections.abc import Iterator

from mmh.claims.base import Claim, Context, Finding
from mmh.options import base as options
from mmh.options.base import Field


class Options(options.Options):
    """Options of claim od."""

    overfit_gap: float = Field(default=0.0, ge=0)
    """Claim od: least LID_* - LID_theta, difference of medians, dimensions."""
    control_gap: float = Field(default=0.0, ge=0)
    """Claim od: least LID_theta of the control - LID_theta, difference of medians, dimensions."""


class Overfit(Claim):
    """Overfitting-driven memorization."""

    name = "od"
    statement = (
        "An overfit model's LID is below that of the data at the same images, and below that of a control "
        "model"
    )
    figure = "lid_paired"
    needs = ("paired",)
    tables = ("paired",)
    Options = Options

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """Both differences of medians above their thresholds."""
        from mmh.stats.medians import median_interval

        table = context.tables["paired"]
        model = table["lid_model"].to_numpy()
        pairs = (
            ("LID_* minus LID_theta", "lid_data", context.options.overfit_gap),
            ("LID_theta, control minus overfit", "lid_control", context.options.control_gap),
        )
        for what, column, gap in pairs:
            interval = median_interval(
                table[column].to_numpy(),
                model,
                paired=True,
                unit="image",
            )
            yield f"difference of medians, {what} (above {gap:g})", interval, (gap, math.inf)
