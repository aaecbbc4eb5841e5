"""Claim 17: sharpness along the score difference detects better than the norm of the difference itself."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any

from mmh.claims.base import SMALL_AUC, Claim, Context, Finding
from mmh.claims.prompt_sets import (
    PromptOptions,
    compared_prompts,
    not_taken,
    prompt_contrasts,
    words_beside,
)
from mmh.options.base import Field, Unique
from mmh.options.entries import Entry

FIRST = 1
"""The step at which the sharpness paper asks."""
CONTROL = round(SMALL_AUC - 0.5, 6)
"""Where nothing is memorized, a difference within Cohen's small effect counts as none."""


class Options(PromptOptions):
    """Options of claim 17."""

    sharpness: str = "curvature"
    """Claim 17: metric of prompts that is the norm of H^D s^D"""
    sharpness_rival: str = "cfg_norm"
    """Claim 17: metric of prompts that it is compared with, the norm of the CFG vector"""
    sharpness_generations: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1), Unique()] = [
        1,
        4,
    ]
    """Claim 17: numbers of generations whose values are averaged"""
    least_lead: float = Field(default=0.005, ge=0, lt=1)
    """Claim 17: least gain of AUC that counts; the paper's own are .006 to .011"""


class SharpnessBeatsNorm(Claim):
    """Paired differences of AUC."""

    name = "17"
    statement = (
        "At the first step sharpness along the score difference detects memorized prompts better than the "
        "norm of the CFG vector"
    )
    figure = "sharpness_detection"
    needs = ("prompts", "detection")
    tables = ("prompts", "prompt_scores", "evaluation")
    Options = Options

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Metrics, steps and generations that are not there."""
        if not experiment.section("prompts"):
            return
        for count in options.sharpness_generations:
            yield from not_taken(experiment, [(options.sharpness, FIRST, count)], f"{where}.sharpness")
            rival = [(options.sharpness_rival, FIRST, count), (options.sharpness_rival, None, count)]
            yield from not_taken(experiment, rival, f"{where}.sharpness_rival")

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """Against the norm at the same step, and against its mean over all steps."""
        from mmh.detection.by_step import Statistic

        own, least = context.options, context.options.least_lead
        for one, other, role in prompt_contrasts(context):
            for count in own.sharpness_generations:
                sharp = Statistic(own.sharpness, FIRST, count)
                for step in (FIRST, None):
                    rival = Statistic(own.sharpness_rival, step, count)
                    found = compared_prompts(context, one, other, [sharp, rival])
                    if found is None:
                        continue
                    said, region, null = (
                        f"above {least:g}",
                        (least, math.inf),
                        "0: both tell the prompts alike",
                    )
                    if step is None:
                        said, region = f"no worse: above -{least:g}", (-least, math.inf)
                        null = "below it: later steps add what the first one lacks"
                    if role == "control":
                        said, region = f"none memorized: within {CONTROL:g} of 0", (-CONTROL, CONTROL)
                        null = "as with memorized prompts"
                    yield Finding(
                        f"AUC of {sharp.said}, minus {rival.said}, {one} against {other} ({said})",
                        partial(found.difference, 0, 1),
                        region,
                        null=null,
                        role=role,
                        beside=words_beside(context, one, other),
                    )
