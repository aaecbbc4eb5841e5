"""Options of the retrieval of training images, of copy descriptors, and of the candidates that follow."""

from collections.abc import Iterator
from typing import Literal

from mmh.options.base import DescriptorName, Field, Options, SourceName
from mmh.options.entries import Entry
from mmh.worlds.base import train_size

Preprocess = Literal["native", "tinted", "imagenet-288", "imagenet-320", "imagenet-crop224", "half-crop224"]


class TrainedDescriptor(Options):
    """A copy descriptor that is trained here by SSCD's recipe."""

    images: Literal["digits", "mnist-14", "mnist-28"] = "digits"
    """Embedded images that it is trained on: scikit-learn's digits, or MNIST with this side in pixels."""
    dimension: int = Field(ge=2)
    """Length of the embedding."""
    steps: int = Field(ge=1)
    """Optimiser steps."""
    batch_size: int = Field(ge=2)
    """Images per step."""
    learning_rate: float = Field(gt=0)
    """Peak learning rate."""
    temperature: float = Field(gt=0)
    """Temperature of InfoNCE; smaller is sharper."""
    entropy_weight: float = Field(ge=0)
    """Weight of the entropy term."""


class DownloadedDescriptor(Options):
    """A published TorchScript file."""

    file: SourceName
    """Name of the file under sources."""


class Retrieval(Options):
    """Retrieval of training images."""

    descriptor: DescriptorName
    """A name under descriptors."""
    preprocess: Preprocess
    """How images reach the descriptor."""
    batch_size: int = Field(ge=1)
    """Images per network call; part of a result's bytes."""
    shard_size: int = Field(ge=1)
    """Images per embedding job."""
    top: int = Field(ge=1)
    """Training images kept per sample and metric."""
    neighbours: int = Field(ge=1)
    """Number n of calibrated l2: distinct nearest training images."""
    alpha: float = Field(gt=0)
    """Factor alpha of calibrated l2."""
    anchor: Literal["generated", "match"]
    """Whose neighbours calibrate: generated (Carlini et al.), or match (Yoon et al., with neighbours: 1)."""
    duplicates: Literal["once", "counted"]
    """How exact duplicates among the neighbours count."""
    index: str = "Flat"
    """FAISS factory string; Flat is exact."""
    nprobe: int | None = Field(default=None, ge=1)
    """Lists searched by an inverted index."""
    rerank: int | None = Field(default=None, ge=1)
    """Candidates whose exact distance is computed; top by default."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Options that the index or the training set rules out."""
        n = train_size(experiment)
        if self.neighbours >= n:
            yield f"{where}.neighbours: {self.neighbours} neighbours need more training images than {n}"
        for key in ("nprobe", "rerank") if self.index == "Flat" else ():
            if getattr(self, key) is not None:
                yield f"{where}.{key}: the index 'Flat' is exact and has no such option; remove it"
        if self.rerank is not None and self.rerank < self.top:
            yield f"{where}.rerank: must be at least top, {self.top}"
        if self.top > n:
            yield f"{where}.top: {self.top} of only {n} training images"


class Candidates(Options):
    """Samples to look at: LID is estimated on them only."""

    needs = ("retrieval",)

    top: int = Field(ge=1)
    """Samples with the closest match, by each distance."""
    total: int = Field(ge=1)
    """Samples in all: the candidates and a seeded draw of the rest."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """A number that leaves no others to compare with."""
        n = experiment.section("sampling").get("n_samples", 0)
        if not 2 * self.top < self.total <= n:
            yield (
                f"{where}.total: {self.total} must lie in {2 * self.top + 1}..{n}: two lists of {self.top} "
                "candidates, and no more than the samples"
            )
