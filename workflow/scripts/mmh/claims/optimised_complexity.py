"""Claim 15: optimising the embedded caption for A^FLIPD makes images more complex."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from mmh.claims.base import Claim, Context, Finding, PromptGroups
from mmh.options.base import Field, Unique
from mmh.options.entries import Entry
from mmh.options.messages import did_you_mean

if TYPE_CHECKING:
    import pandas as pd


class ComplexityOptions(PromptGroups):
    """Which mitigations are asked about, and what counts."""

    optimised: Annotated[list[str], Field(min_length=1), Unique()] = ["flipd_up"]
    """Claim 15: mitigations that optimise the embedded caption; each is asked by itself."""
    unchanged: str = "none"
    """Claim 15: mitigation of method none"""
    shaken: str | None = None
    """Claim 15: mitigation that changes the embedded caption without a reason, as a control."""
    least_rise_of_png: float = Field(default=0.02, gt=0, lt=1)
    """Claim 15: least rise of the PNG size, as a share of it, that counts"""


class MoreComplex(Claim):
    """PNG sizes of the same noises, with and without."""

    name = "15"
    statement = "Optimising the embedded caption for A^FLIPD makes the images more complex"
    figure = "embedding_optimisation"
    needs = ("mitigation",)
    tables = ("mitigated",)
    Options = ComplexityOptions

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Mitigations that are not there."""
        there = experiment.section("mitigation").get("mitigations", {})
        asked = [("optimised", name) for name in options.optimised] + [("unchanged", options.unchanged)]
        for option, name in [*asked, *([("shaken", options.shaken)] if options.shaken else [])]:
            if name not in there:
                yield f"{where}.{option}: there is no mitigation {name!r}{did_you_mean(name, list(there))}"

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """Log ratios, image by image: to no mitigation, and to an embedding that is merely shaken."""
        own, prompts = context.options, context.options.memorized_prompts
        least = math.log1p(own.least_rise_of_png)
        told = f"{100 * own.least_rise_of_png:g} %"
        for name in own.optimised:
            for than in (own.unchanged, *([own.shaken] if own.shaken else [])):
                rows = ratios(context, name, than, prompts)
                if len(rows):
                    yield Finding(
                        f"log ratio of PNG sizes, {name} to {than}, {prompts} prompts (a rise above {told})",
                        partial(_mean, rows),
                        (least, math.inf),
                        null=f"0: as complex as with {than}",
                        under=name,
                        beside=_lost(context, name, prompts),
                    )
        rows = ratios(context, own.shaken, own.unchanged, prompts) if own.shaken else ()
        if len(rows):
            yield Finding(
                f"log ratio of PNG sizes, {own.shaken} to {own.unchanged}, {prompts} prompts (no reason to "
                f"rise: within {told})",
                partial(_mean, rows),
                (-least, least),
                null="as with what is optimised",
                role="control",
                beside=_lost(context, own.shaken, prompts),
            )


def ratios(context: Context, name: str, than: str, prompts: str) -> pd.DataFrame:
    """Paired log ratios of PNG sizes on the evaluated prompts of a set: `family`, `difference`."""
    import numpy as np

    from mmh.mitigated.measures import EVALUATED
    from mmh.mitigated.table import paired, values_of

    table = context.tables["mitigated"]
    chosen = table[(table["part"] == EVALUATED) & (table["prompt_set"] == prompts)]
    values = values_of(chosen, "png")
    return paired(values.assign(value=np.log(values["value"])), name, than)


def _mean(rows: pd.DataFrame, level: float = 0.95) -> Any:
    from mmh.stats.means import mean_interval

    return mean_interval(rows["difference"].to_numpy(), rows["family"].to_numpy(), "family", level=level)


def _lost(context: Context, name: str, prompts: str) -> str:
    """What else became of the images."""
    table = context.tables["mitigated"]
    rows = table[(table["mitigation"] == name) & (table["prompt_set"] == prompts)]
    found = {key: rows[key].mean() for key in ("similarity", "clip")}
    return ", ".join(f"{name}, {key}: {value:.2f}" for key, value in found.items() if value == value)
