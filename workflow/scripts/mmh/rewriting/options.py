"""The section `rewriting`: prompts whose words are replaced, chosen how, by what, how sampled."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from mmh.choices.base import CHOICES, WordChoice
from mmh.options.base import Alternative, BatchSize, Block, Field, Options, Unique
from mmh.options.entries import Entry
from mmh.options.names import prompt_set_mistakes
from mmh.rewriters.base import REWRITERS
from mmh.rows import rows_of

Count = Annotated[int, Field(ge=1)]
Cosine = Annotated[float, Field(gt=0, lt=1)]
PLAIN = "none"
"""What prompts that are not rewritten are called: no words are chosen, k is 0."""


def choice_blocks() -> Mapping[str, Alternative]:
    """Blocks under `rewriting.choices`."""
    return rows_of(CHOICES)


def rewriter_blocks() -> Mapping[str, Alternative]:
    """Blocks `rewriting.rewriter`."""
    return rows_of(REWRITERS)


class RewritingPlan(Options):
    """Prompts that are sampled with some of their words replaced."""

    needs = ("prompts",)

    sets: dict[str, Count] = Field(min_length=1)
    """How many prompts of each set, from its first, by name."""
    tune: int = Field(default=0, ge=0)
    """First prompts of each set that options were chosen on: they are no part of what is evaluated."""
    k: Annotated[list[Count], Field(min_length=1), Unique()]
    """Numbers of words that are replaced, or put in; 0 is always sampled, too."""
    repeats: int = Field(ge=1)
    """Rewritings of a prompt by each choice and k: words drawn anew, and the rewriter asked anew."""
    generations: int = Field(ge=1)
    """Images per rewriting."""
    steps: Count | None = None
    """DDIM steps; those of `prompts` if left out."""
    batch_size: BatchSize
    """Trajectories that are computed together, as for prompts; part of a result's bytes."""
    shard_size: int = Field(ge=1)
    """Prompts per job."""
    copy_similarity: Cosine = 0.75
    """Cosine of the descriptor from which a generation is a copy of the prompt's training image."""
    similarities: Annotated[list[Cosine], Unique()] = [0.75, 0.7]
    """Similarities to the training image at which CLIP is compared (the frontier)."""
    attempts: int = Field(default=3, ge=1)
    """How often a rewriter is asked, if its answers will not do."""
    meaning: Cosine | None = None
    """Least cosine of a rewriter's answer to the prompt, by the section clip; left out: any will do."""
    rewriter: Annotated[dict[str, Any], Block("method", rewriter_blocks, text="a rewriter")] | None = None
    """What puts other words in the place of those that are to go."""
    choices: dict[str, Annotated[dict[str, Any], Block("method", choice_blocks, text="a choice")]] = Field(
        min_length=1
    )
    """Choices by name, each with its method and options; one of method random, the others' reference."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Sets that are not sampled, too few prompts, nothing to compare with, nobody who rewrites."""
        yield from prompt_set_mistakes(self.sets, self.tune, experiment, where)
        rows = CHOICES.rows()  # an unknown method is a mistake of its own
        methods = [one.get("method") for one in self.choices.values()]
        found = [rows[name] for name in methods if name in rows]
        plain = sum(row.plain for row in found)
        if plain != 1:
            yield f"{where}.choices: needs one of method random to compare with, has {plain}"
        if PLAIN in self.choices:
            yield f"{where}.choices.{PLAIN}: stands for prompts that are not rewritten; use another name"
        if self.meaning is not None and not experiment.section("clip"):
            yield f"{where}.meaning: needs the section 'clip', which this experiment lacks"
        if self.rewriter is None and any(issubclass(row, WordChoice) for row in found):
            yield f"{where}.rewriter: missing; choices that name words need one, such as lexicon or openai"


def reference(section: Mapping[str, Any]) -> str:
    """Name of the choice of a section that prefers no word."""
    named = section["choices"].items()
    return next(name for name, one in named if CHOICES[one["method"]].plain)


def rewritings(section: Mapping[str, Any]) -> int:
    """Count the texts that a prompt is sampled with, itself included as often as the others."""
    return int(section["repeats"] * (1 + len(section["choices"]) * len(section["k"])))
