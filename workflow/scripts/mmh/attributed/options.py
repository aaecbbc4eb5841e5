"""The section `attribution`: prompts that are attributed to their words, how, and the measured truth."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from mmh.attributions.base import ATTRIBUTIONS
from mmh.options.base import Alternative, BatchSize, Block, Field, Options, Unique
from mmh.options.entries import Entry
from mmh.options.names import prompt_set_mistakes
from mmh.rows import rows_of
from mmh.worlds.base import WORLDS

Count = Annotated[int, Field(ge=1)]


def attribution_blocks() -> Mapping[str, Alternative]:
    """Blocks under `attribution.attributions`."""
    return rows_of(ATTRIBUTIONS)


class Occlusion(Options):
    """The measured truth: what the images lose if one word is replaced."""

    by: Literal["grammar", "nothing"]
    """What stands for the word: grammar (another word of its part, which the world knows) or nothing."""
    generations: int = Field(ge=1)
    """Images per prompt and word."""


class AttributionPlan(Options):
    """Prompts whose memorization is attributed to their words."""

    needs = ("prompts",)

    sets: dict[str, Count] = Field(min_length=1)
    """How many prompts of each set, from its first, by name."""
    tune: int = Field(default=0, ge=0)
    """First prompts of each set that options were chosen on: they are no part of what is evaluated."""
    generations: int = Field(ge=1)
    """Trajectories per prompt."""
    levels: Annotated[list[Literal["output", "input"]], Field(min_length=1), Unique()]
    """Where gradients are taken: at the text encoder's output (the paper's), at its input, or both."""
    batch_size: BatchSize
    """Trajectories that are computed together, as for prompts; part of a result's bytes."""
    shard_size: int = Field(ge=1)
    """Prompts per job."""
    attributions: dict[
        str, Annotated[dict[str, Any], Block("method", attribution_blocks, text="an attribution")]
    ] = Field(min_length=1)
    """Attributions by name, each with its method and options."""
    occlusion: Occlusion | None = None
    """What they are compared with."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Sets that are not sampled, too few prompts, steps that there are not, an unknown grammar."""
        steps = experiment.section("prompts").get("steps", 0)
        yield from prompt_set_mistakes(self.sets, self.tune, experiment, where)
        for name, block in self.attributions.items():
            step = block.get("steps")
            if isinstance(step, int) and step > steps:
                yield f"{where}.attributions.{name}.steps: there is no step {step} of {steps}"
        if self.occlusion and self.occlusion.by == "grammar" and not WORLDS[experiment.world].grammar:
            yield (
                f"{where}.occlusion.by: the world {experiment.world} does not say which part a word plays; "
                "use nothing"
            )
