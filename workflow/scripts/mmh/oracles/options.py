"""Options of estimates against the truth: laws of known dimension, estimators, networks to train."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from mmh.options.base import Alternative, Block, Field, NoiseLevel, Options, Percentile, Unique
from mmh.options.entries import Entry
from mmh.options.messages import did_you_mean

SKETCHES = ("hutch++", "hutch++-complement", "hutch++-diagonal", "xtrace-complement")
"""Laws of probes that need some products for a sketch."""


class Law(Options):
    """A law of known dimension."""

    ambient: int = Field(ge=1)
    """Dimension of the space."""
    items: int = Field(ge=1)
    """Points at which LID is estimated."""
    spectra_items: int | None = Field(default=None, ge=1)
    """How many of them the normal bundle is computed at; all by default."""

    def least_ambient(self) -> list[int]:
        """Numbers of dimensions that the space must have at least."""
        return []

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Too small a space, and more points than there are."""
        for dimension in self.least_ambient():
            if dimension > self.ambient:
                yield f"{where}.ambient: {self.ambient} dimensions are too few; use {dimension} or more"
        if self.spectra_items is not None and self.spectra_items > self.items:
            yield f"{where}.spectra_items: {self.spectra_items} exceeds items, {self.items}"
        for name, options in experiment.section("accuracy")["estimators"].items():
            law, probes = options.get("probe"), options.get("trace")
            limited = law == "orthogonal" or law in SKETCHES
            if limited and isinstance(probes, int) and probes > self.ambient:
                yield f"{where}.ambient: {name} asks for more {law} probes than {self.ambient}"


class Gaussians(Law):
    """Unit Gaussians on random subspaces, in equal shares."""

    dimensions: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
    """Dimension of each part; 0 is a point."""
    separation: float = Field(ge=0)
    """Distance of each part's centre from the origin."""

    def least_ambient(self) -> list[int]:
        """Each part must fit."""
        return self.dimensions


class Sphere(Law):
    """Uniform on a sphere."""

    dimension: int = Field(ge=1)
    """Dimension of the sphere."""
    radius: float = Field(gt=0)
    """Its radius."""

    def least_ambient(self) -> list[int]:
        """A k-sphere bends through k + 1 coordinates."""
        return [self.dimension + 1]


class Points(Law):
    """Points drawn once from a unit Gaussian: the perfect memorizer."""

    points: int = Field(ge=1)
    """How many."""


class FlipdOfLaw(Options):
    """FLIPD."""

    trace: Literal["exact"] | Annotated[int, Field(ge=1)]
    """Divergence: exact, or the number of Hutchinson probes (an integer >= 1)."""
    probe: Literal[
        "gaussian",
        "rademacher",
        "orthogonal",
        "hutch++",
        "hutch++-complement",
        "hutch++-diagonal",
        "xtrace-complement",
    ] = "gaussian"
    """Law of the probes; the exact trace has none."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Numbers of products that a sketch cannot be made of."""
        even = self.probe == "xtrace-complement"
        few = self.trace != "exact" and (self.trace < 3 or (even and (self.trace < 4 or self.trace % 2)))
        if self.probe in SKETCHES and few:
            yield f"{where}.trace: {self.probe} needs {'an even number from 4' if even else '3 products'} on"


class DenoisingLossOfLaw(Options):
    """Denoising loss."""

    draws: int = Field(ge=1)
    """Noises of each point; each is one forward pass."""


class NormalBundleOfLaw(Options):
    """Normal bundle, threshold pooled over the points of a law."""

    copies_per_dimension: int = Field(ge=1)
    """Noised copies per point and dimension."""
    percentile: Literal["truth"] | Percentile
    """Percentile of the pool in (0, 100), or truth: the one at which the mean estimate is right."""


class NormalBundleNoiseOfLaw(Options):
    """Normal bundle, threshold from the noise itself."""

    copies_per_dimension: int = Field(ge=1)
    """Noised copies per point and dimension."""
    fraction: float = Field(gt=0, lt=1)
    """Share of the noise's variance below which a direction counts as tangent."""


class LocalPcaOfLaw(Options):
    """Local PCA on samples of the law."""

    neighbours_from: int = Field(ge=3)
    """Points drawn for local PCA."""
    k: int = Field(ge=2)
    """Neighbours."""
    percentile: Percentile
    """Percentile of the pool, in (0, 100)."""
    radius: Literal["knn", "all", "none"]
    """Distances of the radius rule."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """More neighbours than points."""
        if self.k >= self.neighbours_from:
            yield f"{where}.k: {self.k} neighbours need more than {self.neighbours_from} points"


class LinearSchedule(Options):
    """Noise schedule of the exact scores: linear VP."""

    beta_min: float = Field(gt=0)
    """Rate beta at t = 0."""
    beta_max: float = Field(gt=0)
    """Rate beta at t = 1."""


class LearnedLaw(Options):
    """An MLP with EDM preconditioning."""

    n_train: int = Field(ge=2)
    """Training points."""
    width: int = Field(ge=1)
    """Hidden units."""
    depth: int = Field(ge=1)
    """Hidden layers."""
    features: int = Field(ge=1)
    """Fourier features of log sigma."""
    sigma_min: float = Field(gt=0)
    """Smallest noise."""
    sigma_max: float = Field(gt=0)
    """Largest noise."""
    steps: int = Field(ge=1)
    """Optimiser steps."""
    draws: int = Field(ge=1)
    """Noise draws per point and step."""
    learning_rate: float = Field(gt=0)
    """Peak learning rate."""
    ema_decay: float = Field(ge=0, lt=1)
    """Decay of the averaged weights."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Noise levels out of order."""
        if self.sigma_min >= self.sigma_max:
            yield f"{where}.sigma_min: must be below sigma_max, {self.sigma_max}"


def law_blocks() -> Mapping[str, Alternative]:
    """The kinds of laws."""
    forms: dict[str, type[Options]] = {"gaussians": Gaussians, "sphere": Sphere, "points": Points}
    return {name: Alternative((form,)) for name, form in forms.items()}


def estimator_blocks() -> Mapping[str, Alternative]:
    """The estimators that are compared with the truth."""
    forms: dict[str, type[Options]] = {
        "flipd": FlipdOfLaw,
        "denoising-loss": DenoisingLossOfLaw,
        "normal-bundle": NormalBundleOfLaw,
        "normal-bundle-noise": NormalBundleNoiseOfLaw,
        "local-pca": LocalPcaOfLaw,
    }
    return {name: Alternative((form,)) for name, form in forms.items()}


OneLaw = Annotated[dict[str, Any], Block("kind", law_blocks, text="a law of known dimension")]
Estimator = Annotated[dict[str, Any], Block("method", estimator_blocks, text="an estimator")]


class Conditioned(Options):
    """What is known of a point of a law."""

    measurements: int = Field(ge=1)
    """Random directions in which it is measured."""


class Accuracy(Options):
    """Estimates of LID against the truth on laws of known dimension."""

    schedule: LinearSchedule
    """Noise schedule of the exact scores: linear VP."""
    t: Annotated[list[NoiseLevel], Field(min_length=1), Unique()]
    """Noise levels in (0, 1]."""
    laws: dict[str, Annotated[dict[str, Any], Block("kind", law_blocks, text="a law of known dimension")]] = (
        Field(min_length=1)
    )
    """Laws of known dimension, by name."""
    estimators: dict[
        str, Annotated[dict[str, Any], Block("method", estimator_blocks, text="an estimator")]
    ] = Field(min_length=1)
    """Estimators, by name."""
    learned: dict[str, LearnedLaw] = {}
    """Networks to train, by the name of the law."""
    conditioned: dict[str, Conditioned] = {}
    """Laws of kind gaussians whose points are looked at given their part, and given measurements, by name."""
    resamples: int = Field(ge=100)
    """Bootstrap resamples."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Sections that such an experiment does not have, and networks for no law."""
        for key in experiment.entry:
            if key not in {"accuracy", "figures", "claims"}:
                what = "an experiment on accuracy has no data, model or samples"
                yield f"{experiment.where}.{key}: {what}; remove {key}"
        for name in self.learned:
            if name not in self.laws:
                yield f"{where}.learned.{name}: there is no law {name!r}{did_you_mean(name, self.laws)}"
        for name in self.conditioned:
            if name not in self.laws:
                yield f"{where}.conditioned.{name}: there is no law {name!r}{did_you_mean(name, self.laws)}"
            elif self.laws[name].get("kind") != "gaussians":
                yield f"{where}.conditioned.{name}: only laws of kind gaussians can be conditioned; remove it"
