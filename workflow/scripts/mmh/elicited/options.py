"""The section `re_elicitation`: which mitigations are attacked, with how much work, what counts as back."""

from collections.abc import Iterator
from typing import Annotated

from mmh.options.base import BatchSize, Field, Options, PromptSetName, Unique
from mmh.options.entries import Entry
from mmh.options.messages import did_you_mean
from mmh.options.names import listed

Count = Annotated[int, Field(ge=1)]


class ElicitationPlan(Options):
    """Attacks on mitigations."""

    needs = ("prompts", "mitigation")

    sets: dict[str, Count] = Field(min_length=2)
    """How many prompts of each set, by name, from the first that no option was chosen on."""
    control: PromptSetName = "control"
    """The set that gives the level of chance: prompts of images that are not memorized, attacked alike."""
    mitigations: Annotated[list[str], Field(min_length=1), Unique()]
    """Names under `mitigation.mitigations`."""
    budgets: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2), Unique()] = [0, 1, 10, 100]
    """Steps of the attack after which images are sampled, from 0 up; a larger one continues a smaller one."""
    learning_rate: float = Field(default=0.02, gt=0)
    """Of Adam on the embedded caption, whose values are about 1."""
    draws: int = Field(default=2, ge=1)
    """Noised copies of the training image per step, at as many noise levels."""
    generations: int = Field(default=4, ge=1)
    """Images per prompt and budget, from as many noises that the attack has not seen."""
    batch_size: BatchSize
    """Prompts, or images, that are computed together; part of a result's bytes."""
    shard_size: int = Field(ge=1)
    """Prompts per job."""
    percentile: float = Field(default=99, gt=50, lt=100)
    """Of the similarities of plain control generations: an image is back if it is more similar than that."""
    least_excess: float = Field(default=0.1, gt=0, lt=1)
    """Largest excess over the control's share of prompts that are brought back which is none."""
    most_chance: float = Field(default=0.5, gt=0, le=1)
    """The control's share from which a budget brings back too much to tell anything."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Names that are not there, more prompts than are sampled, budgets out of order."""
        mitigation, sampled = experiment.section("mitigation"), experiment.section("prompts").get("sets", {})
        there = list(mitigation.get("mitigations", {}))
        for name in self.mitigations:
            if name not in there:
                yield f"{where}.mitigations: there is no mitigation {name!r}{did_you_mean(name, there)}"
        if self.budgets != sorted(self.budgets) or self.budgets[0] != 0:
            yield f"{where}.budgets: must begin with 0 and rise, are {self.budgets}"
        tune = int(mitigation.get("tune", 0))
        for name, n in self.sets.items():
            if name not in sampled:
                yield f"{where}.sets.{name}: prompts.sets has no such set; it has {listed(sampled)}"
            elif n + tune > sampled[name]:
                yield (
                    f"{where}.sets.{name}: {n} prompts after the {tune} of mitigation.tune, where "
                    f"prompts.sets has {sampled[name]}"
                )
        for section, sets in (("sets", self.sets), ("mitigation.sets", mitigation.get("sets", {}))):
            if self.control not in sets:
                yield f"{where}.control: {self.control!r} is not in {section}; the level of chance is its"


def first_prompts(tune: int, n: int, size: int) -> list[range]:
    """Numbers of the prompts of each job: n from the first that no option was chosen on."""
    return [range(start, min(start + size, tune + n)) for start in range(tune, tune + n, size)]
