"""The sections `mitigation`, `optimisation`: which prompts are sampled with which mitigations, and how."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from mmh.mitigations.base import MITIGATIONS
from mmh.mitigations.embedding import EmbeddingDescent
from mmh.options.base import Alternative, BatchSize, Block, Field, Options, Unique
from mmh.options.entries import Entry
from mmh.options.messages import did_you_mean
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


class OptimisationPlan(Options):
    """Prompts that are sampled on the way of a descent on their embedding."""

    needs = ("prompts", "mitigation")

    sets: dict[str, Count] = Field(min_length=1)
    """How many prompts of each set, from its first, by name."""
    mitigations: Annotated[list[str], Field(min_length=1), Unique()]
    """Mitigations of the section mitigation that optimise the embedded prompt."""
    at: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2), Unique()]
    """Numbers of iterations after which is sampled, ascending from 0; the last in place of `iterations`."""
    generations: int = Field(ge=1)
    """Images per prompt and number of iterations."""
    batch_size: BatchSize
    """Trajectories that are computed together, as for prompts; part of a result's bytes."""
    shard_size: int = Field(ge=1)
    """Prompts per job."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Sets and mitigations that are not there, mitigations of another kind, and an order that is none."""
        yield from prompt_set_mistakes(self.sets, 0, experiment, where)
        if self.at != sorted(self.at) or self.at[0] != 0:
            yield f"{where}.at: {self.at} must begin with 0 and ascend"
        there, rows = experiment.section("mitigation").get("mitigations", {}), MITIGATIONS.rows()
        for name in self.mitigations:
            if name not in there:
                yield f"{where}.mitigations: there is no mitigation {name!r}{did_you_mean(name, list(there))}"
                continue
            row = rows.get(there[name].get("method"))  # an unknown method is a mistake of its own
            if row is not None and not issubclass(row, EmbeddingDescent):
                yield f"{where}.mitigations: {name!r} optimises no embedded prompt; name one that does"


def reference(section: Mapping[str, Any]) -> str:
    """Name of the mitigation of a section that changes nothing."""
    named = section["mitigations"].items()
    return next(name for name, one in named if MITIGATIONS[one["method"]].plain)
