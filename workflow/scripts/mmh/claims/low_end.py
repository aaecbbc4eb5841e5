"""Claim 16: memorization shows at the low end of the spectrum of the log-density's Hessian.

"More negative" must name which eigenvalue, at which step, of which branch: each is a row. One is named in the
configuration before the runs; the others are looked at beside it.
"""

import math
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any

from mmh.claims.base import HALF, Claim, Context, Finding, Relevance
from mmh.claims.prompt_sets import (
    PromptOptions,
    compared_prompts,
    not_taken,
    prompt_contrasts,
    words_beside,
)
from mmh.options import base as options
from mmh.options.base import EstimatorName, Field, Unique
from mmh.options.computed import not_on_samples
from mmh.options.entries import Entry

CONTRAST = "exact"
"""Of samples with labels: exact copies against what is not memorized."""
NAMED, BESIDE = "named before the runs", "looked at beside it"


class LowEndStatistic(options.Options):
    """A metric of prompts that reads the spectrum, at one step."""

    metric: str
    """metric; its name says which eigenvalue and which branch"""
    step: int = Field(ge=1)
    """number of the step, from 1 for the noisiest"""
    generations: int = Field(default=1, ge=1)
    """number of generations whose values are averaged"""


class Options(PromptOptions, Relevance):
    """Options of claim 16."""

    low_end: list[LowEndStatistic] = Field(default=[])
    """Claim 16: statistics of the spectrum along trajectories; the first is the one named before the runs"""
    low_end_samples: Annotated[list[EstimatorName], Unique()] = Field(default=[])
    """Claim 16: the same of samples with labels, evaluated estimators; the first is the one named"""


class LowEnd(Claim):
    """The AUC of each statistic."""

    name = "16"
    statement = (
        "Memorization shows at the low end of the spectrum of the log-density's Hessian: its eigenvalues are "
        "more negative"
    )
    figure = "spectra"
    tables = ("evaluation",)
    perhaps = ("prompts", "prompt_scores")
    Options = Options

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Statistics that are not taken, or none at all."""
        if not options.low_end and not options.low_end_samples:
            yield f"{where}.low_end: is missing; name metrics of prompts with a step, or low_end_samples"
        if options.low_end and not experiment.section("prompts"):
            yield f"{where}.low_end: needs the section 'prompts', which this experiment lacks"
        elif options.low_end:
            asked = [(one.metric, one.step, one.generations) for one in options.low_end]
            yield from not_taken(experiment, asked, f"{where}.low_end")
        if options.low_end_samples:
            evaluated = experiment.section("evaluation").get("estimators", ())
            for name in options.low_end_samples:
                if name not in evaluated:
                    yield f"{where}.low_end_samples: {name!r} is not among evaluation.estimators"
            yield from not_on_samples(experiment, options.low_end_samples, f"{where}.low_end_samples")

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """Each above the least AUC that counts."""
        yield from cls._of_prompts(context)
        yield from cls._of_samples(context)

    @classmethod
    def _of_prompts(cls, context: Context) -> Iterator[Finding]:
        from mmh.detection.by_step import Statistic

        own, least = context.options, context.options.least_auc
        asked = [Statistic(one.metric, one.step, one.generations) for one in own.low_end]
        for one, other, role in prompt_contrasts(context) if asked else ():
            found = compared_prompts(context, one, other, asked)
            for place, statistic in enumerate(asked if found else ()):
                assert found is not None
                said, region, null = f"above {least:g}", (least, math.inf), HALF
                if role == "control":
                    said, region = f"none memorized: within {least - 0.5:.2g} of .5", (1 - least, least)
                    null = "as with memorized prompts"
                yield Finding(
                    f"AUC of {statistic.said}, {one} against {other} ({_named(place)}: {said})",
                    partial(found.area, place),
                    region,
                    null=null,
                    role=role,
                    beside=words_beside(context, one, other),
                )

    @classmethod
    def _of_samples(cls, context: Context) -> Iterator[Finding]:
        from mmh.evaluation.compared import area_of

        table, least = context.tables["evaluation"], context.options.least_auc
        rows = table[table["contrast"] == CONTRAST].set_index("estimator")
        for place, name in enumerate(context.options.low_end_samples):
            if name in rows.index:
                yield Finding(
                    f"AUC of {name}, {CONTRAST} against not memorized ({_named(place)}: above {least:g})",
                    partial(area_of, rows.loc[name]),
                    (least, math.inf),
                    null=HALF,
                )


def _named(place: int) -> str:
    return BESIDE if place else NAMED
