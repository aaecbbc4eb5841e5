"""What metrics have in common that are taken at chosen steps, of both branches of the guided noise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from mmh.metrics.base import Metric
from mmh.options import base as options
from mmh.options.base import Field, Unique

if TYPE_CHECKING:
    from mmh.options.entries import Entry

StepNumbers = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1), Unique()]


class AtSteps(Metric):
    """A metric of steps that its options name, each by its number; of all steps if none is named."""

    class Options(options.Options):
        """At which steps."""

        steps: StepNumbers | None = None
        """numbers of the steps, from 1 for the noisiest; all by default"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Find steps outside of the grid, and prompts that nothing guides."""
        yield from super().check(options, experiment, where)
        prompts = experiment.section("prompts")
        for step in options.steps or ():
            if step > prompts["steps"]:
                yield f"{where}.steps: {step}, but prompts.steps is {prompts['steps']}, the last one"
            elif step == 1 and cls.looks_back:
                yield f"{where}.steps: 1 has no step before it that it could be compared with; begin at 2"
        if prompts["guidance"] == 0:
            yield f"{where}: with guidance 0 no caption leads the trajectories; set prompts.guidance above 0"
