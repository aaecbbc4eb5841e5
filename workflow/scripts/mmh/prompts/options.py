"""Options of prompts: which are sampled and scored, where lists lie, what their words alone give away."""

import functools
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import create_model

from mmh.metrics.base import DEFAULT, METRICS, Metric, MetricName
from mmh.options.base import (
    Alternative,
    BatchSize,
    Blocks,
    DescriptorName,
    Field,
    Options,
    SourceName,
    Unique,
)
from mmh.options.entries import Entry
from mmh.options.forms import described
from mmh.options.names import known_names, listed
from mmh.retrieval.options import Preprocess
from mmh.rows import rows_of
from mmh.worlds.base import WORLDS

Count = Annotated[int, Field(ge=1)]


MetricNames = Annotated[list[MetricName], Field(min_length=1), Unique()]
MetricBlocks = Annotated[dict[str, Any], Field(min_length=1), Blocks(lambda: rows_of(METRICS))]


class Prompts(Options):
    """Prompts that are sampled and scored on the way."""

    sets: dict[str, Count] = Field(min_length=1)
    """How many prompts each set has, by name."""
    generations: int = Field(ge=1)
    """Images per prompt."""
    steps: int = Field(ge=1)
    """DDIM steps."""
    guidance: float = Field(ge=0)
    """Guidance scale lambda."""
    noise: Literal["own", "shared"] | None = None
    """What generations start from: own noise, or shared: generation g of all prompts from the same noise,
    as in Jeon et al. (2025)."""
    metrics: MetricNames | MetricBlocks = list(DEFAULT)
    """Metrics that are taken on the way: names, or names with options; docs/text-to-image.md."""
    batch_size: BatchSize
    """Trajectories that are computed together: an integer >= 1, or auto (what a GPU's free memory holds; 8 on
    a CPU); part of a result's bytes."""
    shard_size: int = Field(ge=1)
    """Prompts per job."""
    images: str | None = None
    """What holds the training image of a prompt: train, or an image set with the same caption; without it
    generations are compared with none."""
    descriptor: DescriptorName | None = None
    """Copy descriptor that compares a generation with the training image."""
    preprocess: Preprocess | None = None
    """How images reach the descriptor."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Sets that are not there or have another size."""
        world = WORLDS[experiment.world]
        known = world.sets or tuple(experiment.section("prompt_lists"))
        for name, n in self.sets.items():
            if name not in known:
                yield f"{where}.sets.{name}: no such list of prompts; there are {listed(known)}"
            elif world.sets:
                most = world.n_prompts(experiment.section("data"), name)
                if n != most:
                    yield f"{where}.sets.{name}: {n} prompts where the world has {most}; all are scored"
        sets = {*known_names("image set", experiment.config, experiment), *(("train",) if world.sets else ())}
        together = {key: getattr(self, key) for key in ("images", "descriptor", "preprocess")}
        absent = [key for key, value in together.items() if value is None]
        if absent and len(absent) < len(together):
            yield f"{where}.{absent[0]}: missing; images, descriptor and preprocess go together"
        compared = experiment.section("mitigation") or experiment.section("rewriting")
        if absent and (compared or "manifold_walk" in experiment.section("figures")):
            yield (
                f"{where}.images: missing; mitigation, rewriting and manifold_walk compare generations with "
                "images"
            )
        if self.images is not None and self.images not in sets:
            yield f"{where}.images: {self.images!r} holds no training images; use an image set"
        named = METRICS.among(self.metrics) if isinstance(self.metrics, list) else {}
        for name, row in named.items():  # blocks are checked as such
            yield from row.check(row.Options(), experiment, f"{where}.metrics.{name}")


def prompt_forms() -> Mapping[str, Alternative]:
    """The section `prompts`: options that several metrics share stand in it too, if they are given there."""
    return _forms(tuple(METRICS.rows().values()))


@functools.cache
def _forms(rows: tuple[type[Metric], ...]) -> Mapping[str, Alternative]:
    shared: dict[str, Any] = {}
    for row in rows:
        for key in row.shared:
            field = row.Options.model_fields[key]
            of: Any = field.annotation
            for mark in field.metadata:
                of = Annotated[of, mark]
            of = of | None
            shared[key] = (of, Field(default=None, description=described(row.Options, key)))
    form = create_model("SharedOptions", __base__=Options, **shared)
    return {"prompts": Alternative((form, Prompts))}


class PromptList(Options):
    """A list of prompts."""

    file: SourceName
    """Its name under sources; resources/prompts/<name> goes first."""
    column: str = "caption"
    """Column or key that holds the prompt."""


class Families(Options):
    """What makes two prompts kin."""

    similar: float = Field(default=0.4, gt=0, le=1)
    """Jaccard similarity of their n-grams."""
    gram: int = Field(default=3, ge=1)
    """Characters of an n-gram."""
    template_size: int = Field(default=5, ge=2)
    """Prompts with one beginning that make a template."""
    template_share: float = Field(default=0.5, gt=0, le=1)
    """Share of a prompt that the beginning must make up."""


class PromptAudit(Options):
    """What the text of prompts alone gives away."""

    pairs: Annotated[list[Annotated[list[str], Field(min_length=2, max_length=2)]], Field(min_length=1)]
    """Contrasts: a set of memorized prompts and a set of others."""
    match: bool = True
    """Add each contrast among prompts that agree in length and capitals."""
    shuffles: int = Field(default=0, ge=0)
    """Shuffled labels that say what chance gives."""
    families: Families = Field(default_factory=lambda: Families())
    """What makes two prompts kin."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Sets of prompts that are not there."""
        known = WORLDS[experiment.world].sets or tuple(experiment.section("prompt_lists"))
        for name in dict.fromkeys(name for pair in self.pairs for name in pair):
            if name not in known:
                yield f"{where}.pairs: there is no set {name!r}; there are {listed(known)}"
