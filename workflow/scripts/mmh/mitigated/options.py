"""The section `mitigation`: which prompts are sampled with which mitigations, and what counts as a copy."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from mmh.mitigations.base import MITIGATIONS
from mmh.options.base import Alternative, BatchSize, Block, Field, Options
from mmh.options.entries import Entry
from mmh.options.names import prompt_set_mistakes
from mmh.rows import rows_of

Count = Annotated[int, Field(ge=1)]


def mitigation_blocks() -> Mapping[str, Alternative]:
    """Blocks under `mitigation.mitigations`."""
    return rows_of(MITIGATIONS)


class MitigationPlan(Options):
    """Prompts that are sampled with mitigations."""

    needs = ("prompts",)

    sets: dict[str, Count] = Field(min_length=1)
    """How many prompts of each set, from its first, by name."""
    tune: int = Field(default=0, ge=0)
    """First prompts of each set that options were chosen on: they are no part of what is evaluated."""
    generations: int = Field(ge=1)
    """Images per prompt."""
    batch_size: BatchSize
    """Trajectories that are computed together, as for prompts; part of a result's bytes."""
    shard_size: int = Field(ge=1)
    """Prompts per job."""
    copy_similarity: float = Field(default=0.75, gt=0, lt=1)
    """Cosine of the descriptor from which a generation is a copy of the prompt's training image."""
    mitigations: dict[
        str, Annotated[dict[str, Any], Block("method", mitigation_blocks, text="a mitigation")]
    ] = Field(min_length=1)
    """Mitigations by name, each with its method and options; one of method none, the others' reference."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Sets that are not sampled, too many prompts for tuning, no guidance, nothing to compare with."""
        yield from prompt_set_mistakes(self.sets, self.tune, experiment, where)
        guidance = experiment.section("prompts").get("guidance")
        if guidance in (0, 1):
            yield (
                f"{where}: prompts.guidance is {guidance:g}, so there is no guidance to change; "
                "mitigations need a scale above 1"
            )
        rows = MITIGATIONS.rows()  # an unknown method is a mistake of its own
        methods = [one.get("method") for one in self.mitigations.values()]
        plain = [name for name in methods if name in rows and rows[name].plain]
        if len(plain) != 1:
            yield f"{where}.mitigations: needs one of method none to compare with, has {len(plain)}"


def reference(section: Mapping[str, Any]) -> str:
    """Name of the mitigation of a section that changes nothing."""
    named = section["mitigations"].items()
    return next(name for name, one in named if MITIGATIONS[one["method"]].plain)
