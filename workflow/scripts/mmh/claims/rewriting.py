"""Claim 12: rewriting words that drive memorization copies less, and keeps more, than rewriting any."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from mmh.choices.base import CHOICES
from mmh.claims.base import Claim, Context, Finding, PromptGroups
from mmh.options.base import Field, Unique
from mmh.options.entries import Entry
from mmh.options.messages import did_you_mean

if TYPE_CHECKING:
    import pandas as pd


class RewritingOptions(PromptGroups):
    """Which choices of words are compared."""

    rewrites: Annotated[list[str], Field(min_length=1), Unique()] = ["cfg", "scfg", "flipd"]
    """Claims 12a, 12b: choices under `rewriting`; each is asked by itself."""
    at_random: str = "random"
    """Claims 12a, 12b, 13: choice of method random"""


class SimilarityOptions(RewritingOptions):
    """How much less similar counts."""

    least_fall_of_similarity: float = Field(default=0.05, gt=0, lt=1)
    """Claims 12a, 13: least fall of the mean similarity to the training image that counts."""


class FrontierOptions(RewritingOptions):
    """Where CLIP is compared, and how much more of it counts."""

    at_similarities: Annotated[list[Annotated[float, Field(gt=0, lt=1)]], Field(min_length=1), Unique()] = [
        0.75,
        0.7,
    ]
    """Claims 12b, 13: similarities to the training image at which CLIP is compared."""
    least_gain_of_clip: float = Field(default=0.01, gt=0, lt=1)
    """Claims 12b, 13: least gain of the mean similarity of CLIP to the original prompt that counts."""


class RewritingClaim(Claim):
    """A claim about choices of words."""

    figure = "mitigation_curve"
    needs = ("rewriting",)
    tables = ("rewritten",)

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Choices and sets that are not there."""
        section = experiment.section("rewriting")
        there = section.get("choices", {})
        for option, name in [
            *(("rewrites", name) for name in options.rewrites),
            ("at_random", options.at_random),
        ]:
            if name not in there:
                yield f"{where}.{option}: there is no choice {name!r}{did_you_mean(name, list(there))}"
        block = there.get(options.at_random)
        row = CHOICES.rows().get(block.get("method")) if block else None
        if row is not None and not row.plain:
            yield f"{where}.at_random: {options.at_random!r} is of method {row.name!r}, not random"
        if options.memorized_prompts not in section.get("sets", {}):
            yield f"{where}.memorized_prompts: rewriting.sets has no {options.memorized_prompts!r}"


class LessSimilar(RewritingClaim):
    """The first half, at equal k."""

    name = "12a"
    statement = (
        "Replacing words drawn by an attribution lowers similarity to the training image more than any words"
    )
    Options = SimilarityOptions

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """Paired differences of similarity over all k, on memorized prompts and on others."""
        own = context.options
        least = own.least_fall_of_similarity
        for name in own.rewrites:
            for prompts, role in ((own.memorized_prompts, "claim"), (own.control_prompts, "control")):
                rows = changes(context.tables["rewritten"], name, own.at_random, prompts)
                if not len(rows):
                    continue
                claimed = role == "claim"
                said = f"below {-least:g}" if claimed else f"none memorized: within {least:g} of 0"
                yield Finding(
                    f"similarity to the training image at equal k, words by attribution minus "
                    f"{own.at_random}, {prompts} prompts ({said})",
                    partial(mean_change, rows),
                    (-math.inf, -least) if claimed else (-least, least),
                    null="0: as with random words" if claimed else "as with memorized prompts",
                    role="claim" if claimed else "control",
                    under=name,
                    beside=_numbers(context, name, prompts),
                )


class MoreKept(RewritingClaim):
    """The second half, on the frontier."""

    name = "12b"
    statement = (
        "At equal similarity to the training image, words drawn by an attribution keep more of the prompt"
    )
    Options = FrontierOptions

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """CLIP where both curves come down to a similarity, on memorized prompts."""
        from mmh.mitigated.frontier import Frontier

        own = context.options
        rows = evaluated(context.tables["rewritten"], own.memorized_prompts)
        whole = Frontier(rows, context.seed)
        for name in own.rewrites:
            if not {name, own.at_random} <= set(whole.choices):
                continue
            for at in own.at_similarities:
                yield Finding(
                    f"CLIP to the original prompt at similarity {at:g}, words by attribution minus "
                    f"{own.at_random}, {own.memorized_prompts} prompts (above {own.least_gain_of_clip:g})",
                    partial(whole.interval, name, at, than=own.at_random),
                    (own.least_gain_of_clip, math.inf),
                    null="0: as with random words",
                    under=name,
                    beside=_numbers(context, name, own.memorized_prompts),
                )


def evaluated(table: pd.DataFrame, prompts: str) -> pd.DataFrame:
    """Generations of the evaluated prompts of a set."""
    from mmh.mitigated.measures import EVALUATED

    return table[(table["part"] == EVALUATED) & (table["prompt_set"] == prompts)]


def changes(table: pd.DataFrame, name: str, than: str, prompts: str) -> pd.DataFrame:
    """Paired differences of two choices: `family`, `difference` of similarity, for each noise and k."""
    keys = ["prompt", "k", "generation", "family"]
    rows = evaluated(table, prompts).dropna(subset="similarity")
    one, other = (rows[rows["choice"] == each][[*keys, "similarity"]] for each in (name, than))
    both = one.merge(other, on=keys, suffixes=("", "_than"))
    return both.assign(difference=both["similarity"] - both["similarity_than"])


def mean_change(rows: pd.DataFrame, level: float = 0.95) -> Any:
    """Interval of the mean of `changes`, over families."""
    from mmh.stats.means import mean_interval

    number, family = rows["difference"].to_numpy(), rows["family"].to_numpy()
    return mean_interval(number, family, "family", within=2.0, level=level)


def _numbers(context: Context, name: str, prompts: str) -> str:
    """How many generations there are of both: those of rewritings with a problem are missing."""
    rows = evaluated(context.tables["rewritten"], prompts)
    counts = rows["choice"].value_counts()
    than = context.options.at_random
    return ", ".join(f"{one}: {int(counts.get(one, 0))} images" for one in (name, than))
