"""What the claims about metrics of prompts share: the memorized prompts against each other set.

A metric is asked at one step of sampling, or over all steps that it sees; its values are oriented so that
large ones speak for memorization, as the metric says. Intervals are over families of prompts. What is claimed
of memorized prompts is asked of two sets without any, too, where an experiment samples such.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from mmh.claims.base import Context
from mmh.claims.image_sets import by_text
from mmh.errors import InputError
from mmh.evaluation.names import PROMPTS
from mmh.metrics.base import DEFAULT
from mmh.options import base as options
from mmh.options.base import PromptSetName
from mmh.options.entries import Entry

if TYPE_CHECKING:
    from mmh.detection.by_step import Statistic
    from mmh.stats.curves import Comparison

    Role = Literal["claim", "control"]

MIN_CLASS = 2


class PromptOptions(options.Options):
    """Which prompt sets are compared."""

    positive_prompts: str = "memorized"  # no name to look up where an experiment samples no prompts
    """Claims 16, 17: set of the memorized prompts."""
    negative_prompts: list[PromptSetName] = []
    """Claims 16, 17: sets that they are compared with; all others if empty."""


def negative_prompts(context: Context) -> list[str]:
    """Names of the sets that the memorized prompts are compared with, of those that are sampled."""
    known = list(dict.fromkeys(context.tables["prompt_scores"]["prompt_set"]))
    positive = context.options.positive_prompts
    if positive not in known:
        raise InputError(
            f"claims.positive_prompts: there is no prompt set '{positive}'; there are {', '.join(known)}"
        )
    return list(context.options.negative_prompts) or [name for name in known if name != positive]


def prompt_contrasts(context: Context) -> Iterator[tuple[str, str, Role]]:
    """Sets that are compared: the memorized one with each of the others, and, as controls, two others."""
    others = negative_prompts(context)
    for negative in others:
        yield context.options.positive_prompts, negative, "claim"
    for one, other in itertools.combinations(others, 2):
        yield one, other, "control"


def compared_prompts(context: Context, one: str, other: str, asked: Sequence[Statistic]) -> Comparison | None:
    """Statistics of the prompts of two sets; nothing where a set has too few prompts."""
    from mmh.stats.curves import compare

    table = context.prompts([one, other], asked)
    positive = (table["items"] == one).to_numpy()
    if min(positive.sum(), (~positive).sum()) < MIN_CLASS:
        return None
    values = table[[statistic.said for statistic in asked]].to_numpy()
    return compare(values, positive, table["family"].to_numpy(), unit="family")


def words_beside(context: Context, one: str, other: str) -> str:
    """Say how well words alone tell two prompt sets apart, if the evaluation has looked."""
    return by_text(context, PROMPTS + one, other)


def not_taken(experiment: Entry, asked: Sequence[tuple[str, int | None, int]], where: str) -> Iterator[str]:
    """Find metrics, steps and generations that the section `prompts` does not give.

    `asked`: metric, number of the step (None: all) and number of generations of each.
    """
    prompts = experiment.section("prompts")
    claims, sets = where.rpartition(".")[0], prompts["sets"]
    positive = experiment.at(claims).get("positive_prompts", "memorized")
    if positive not in sets:
        yield f"{claims}.positive_prompts: no prompts {positive!r}; there are {', '.join(sets)}"
    taken: Any = prompts.get("metrics", DEFAULT)
    for metric, step, generations in dict.fromkeys(asked):
        if metric not in taken:
            yield f"{where}: {metric!r}, but prompts.metrics has no {metric!r}"
            continue
        block = (taken.get(metric) or {}) if isinstance(taken, dict) else {}
        steps = block.get("steps")
        if step is not None and step > prompts.get("steps", step):
            yield f"{where}: step {step} of {metric!r}, but prompts.steps is {prompts['steps']}"
        elif step is not None and steps and step not in steps:
            yield f"{where}: step {step} of {metric!r}, but prompts.metrics.{metric}.steps has no {step}"
        if generations > prompts.get("generations", generations):
            yield f"{where}: {generations} generations, but prompts.generations is {prompts['generations']}"
