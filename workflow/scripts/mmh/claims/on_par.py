"""Claim 13: words drawn by A^FLIPD do as well as words drawn by A^CFG."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any

from mmh.claims.base import Context, Finding
from mmh.claims.rewriting import (
    FrontierOptions,
    RewritingClaim,
    SimilarityOptions,
    changes,
    evaluated,
    mean_change,
)
from mmh.options.base import Field
from mmh.options.entries import Entry
from mmh.options.messages import did_you_mean


class ParityOptions(FrontierOptions, SimilarityOptions):
    """Which choices are to be on par."""

    on_par: Annotated[dict[str, str], Field(min_length=1)] = {"flipd": "cfg"}
    """Claim 13: choices under `rewriting`, each with that which it is to be on par with."""


class OnPar(RewritingClaim):
    """Differences that do not count, in both halves of claim 12."""

    name = "13"
    statement = "Words drawn by the attribution of FLIPD do as well as those drawn by that of the CFG vector"
    Options = ParityOptions

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Choices that are not there."""
        there = experiment.section("rewriting").get("choices", {})
        for name in dict.fromkeys((*options.on_par, *options.on_par.values(), options.at_random)):
            if name not in there:
                yield f"{where}.on_par: there is no choice {name!r}{did_you_mean(name, list(there))}"
        if options.memorized_prompts not in experiment.section("rewriting").get("sets", {}):
            yield f"{where}.memorized_prompts: rewriting.sets has no {options.memorized_prompts!r}"

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """Similarity at equal k, on memorized prompts and on others; CLIP at equal similarity."""
        from mmh.mitigated.frontier import Frontier

        own, table = context.options, context.tables["rewritten"]
        least, gain = own.least_fall_of_similarity, own.least_gain_of_clip
        whole = Frontier(evaluated(table, own.memorized_prompts), context.seed)
        for name, other in own.on_par.items():
            said = _random_words(context, other)
            for prompts in (own.memorized_prompts, own.control_prompts):
                rows = changes(table, name, other, prompts)
                if len(rows):
                    yield Finding(
                        f"similarity to the training image at equal k, {name} minus {other}, {prompts} "
                        f"prompts (within {least:g} of 0)",
                        partial(mean_change, rows),
                        (-least, least),
                        null=said or "as far from 0 as random words",
                        role="claim" if prompts == own.memorized_prompts else "control",
                        under=name,
                        beside=said,
                    )
            if not {name, other} <= set(whole.choices):
                continue
            for at in own.at_similarities:
                yield Finding(
                    f"CLIP to the original prompt at similarity {at:g}, {name} minus {other}, "
                    f"{own.memorized_prompts} prompts (within {gain:g} of 0)",
                    partial(whole.interval, name, at, than=other),
                    (-gain, gain),
                    null="as far from 0 as random words",
                    under=name,
                    beside=said,
                )


def _random_words(context: Context, other: str) -> str:
    """What random words lose to the other: where that is nothing, all choices are on par."""
    own = context.options
    rows = changes(context.tables["rewritten"], own.at_random, other, own.memorized_prompts)
    return f"{own.at_random} minus {other}: {rows['difference'].mean():.3f}" if len(rows) else ""
