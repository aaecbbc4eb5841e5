"""SAIL's claims: a descent on the first noise makes fewer copies, and more than redrawing the noise would."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from mmh.claims.base import Claim, Context, Finding, PromptGroups
from mmh.mitigations.base import MITIGATIONS
from mmh.options.base import Field, Unique
from mmh.options.entries import Entry
from mmh.options.messages import did_you_mean

if TYPE_CHECKING:
    import pandas as pd


class SailOptions(PromptGroups):
    """Which generations are compared."""

    sails: Annotated[list[str], Field(min_length=1), Unique()] = ["sail"]
    """Claims sail: mitigations of method sail; each is asked by itself."""
    least_fall_of_copies: float = Field(default=0.05, gt=0, lt=1)
    """Claims sail: least fall of the share of copies that counts."""


class Plain(SailOptions):
    """What plain sampling is called."""

    plain: str = "none"
    """Claim sail: mitigation of method none."""
    least_loss: float = Field(default=0.05, gt=0, lt=1)
    """Claim sail: least loss of generations of the right class that counts."""


class Redrawn(SailOptions):
    """What redrawing is called."""

    redraw: str = "redraw"
    """Claim sail-redraw: mitigation of method redraw, at equal compute."""


class SailClaim(Claim):
    """A claim about mitigations of one experiment."""

    figure = "sail"
    needs = ("mitigation",)
    tables = ("mitigated",)
    Options = SailOptions
    other = ""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Mitigations that are not there, or of another method."""
        there = experiment.section("mitigation").get("mitigations", {})
        asked = [("sails", name, "sail") for name in options.sails]
        key, method = {"plain": ("plain", "none"), "redraw": ("redraw", "redraw")}[cls.other]
        for option, name, wanted in [*asked, (key, getattr(options, key), method)]:
            if name not in there:
                yield f"{where}.{option}: there is no mitigation {name!r}{did_you_mean(name, list(there))}"
            elif there[name].get("method") != wanted and wanted in MITIGATIONS.rows():
                yield f"{where}.{option}: {name!r} is of method {there[name].get('method')!r}, not {wanted}"

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """Each SAIL against the other, prompt by prompt, on memorized prompts and on others."""
        own = context.options
        than, least = getattr(own, cls.other), own.least_fall_of_copies
        for name in own.sails:
            beside = _rows_of(context.tables["mitigated"], (name, than), own.memorized_prompts)
            rows = changes(context, name, than, own.memorized_prompts, "copies")
            if len(rows):
                yield _finding(
                    rows, "copies", f"below {-least:g}", (-math.inf, -least), own.memorized_prompts,
                    than, name, beside,
                )  # fmt: skip
            yield from cls.more(context, name, beside)
            rows = changes(context, name, than, own.control_prompts, "copies")
            if len(rows):
                said = f"none memorized: within {least:g} of 0"
                yield _finding(
                    rows, "copies", said, (-least, least), own.control_prompts, than, name, beside, "control"
                )

    @classmethod
    def more(cls, context: Context, name: str, beside: str) -> Iterator[Finding]:
        """What else the claim asks of one SAIL."""
        yield from ()


class FewerCopies(SailClaim):
    """SAIL against plain sampling."""

    name, other = "sail", "plain"
    statement = "SAIL makes fewer copies of memorized images and keeps what the prompt asks for"
    Options = Plain

    @classmethod
    def more(cls, context: Context, name: str, beside: str) -> Iterator[Finding]:
        """Generations of the right class, where images have classes."""
        own = context.options
        for prompts in (own.memorized_prompts, own.control_prompts):
            rows = changes(context, name, own.plain, prompts, "correct")
            if len(rows):
                said, region = f"above {-own.least_loss:g}", (-own.least_loss, math.inf)
                yield _finding(rows, "correct", said, region, prompts, own.plain, name, beside)


class FewerThanRedrawing(SailClaim):
    """SAIL against the best of several noises."""

    name, other = "sail-redraw", "redraw"
    statement = "SAIL makes fewer copies than the best of as many noises as its compute would draw"
    Options = Redrawn


def changes(context: Context, name: str, than: str, prompts: str, metric: str) -> pd.DataFrame:
    """Paired differences of two mitigations on the evaluated prompts of a set."""
    from mmh.mitigated.measures import EVALUATED
    from mmh.mitigated.table import paired, values_of

    table = context.tables["mitigated"]
    chosen = table[(table["part"] == EVALUATED) & (table["prompt_set"] == prompts)]
    return paired(values_of(chosen, metric), name, than)


def _finding(
    rows: pd.DataFrame,
    metric: str,
    said: str,
    region: tuple[float, float],
    prompts: str,
    than: str,
    name: str,
    beside: str,
    role: Any = "claim",
) -> Finding:
    from mmh.mitigated.table import difference_interval

    what = {"copies": "share of copies", "correct": "share of the right class"}[metric]
    null = "0: as many as without it" if role == "claim" else "as with memorized prompts"
    return Finding(
        f"{what}, SAIL minus {than}, {prompts} prompts ({said})",
        partial(difference_interval, rows, metric),
        region,
        null=null,
        role=role,
        under=name,
        beside=beside,
    )


def _rows_of(table: pd.DataFrame, names: tuple[str, str], prompts: str) -> str:
    """Network rows of a generation by both mitigations."""
    chosen = table[table["prompt_set"] == prompts]
    means = [chosen.loc[chosen["mitigation"] == name, "rows"].mean() for name in names]
    return ", ".join(f"{name}: {mean:.0f} rows" for name, mean in zip(names, means, strict=True))
