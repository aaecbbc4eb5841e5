"""An MLP with EDM preconditioning (Karras et al. 2022) for points of the plane."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmh.compute.network_cost import START, Need, Network
from mmh.models.base import Kind, SamplingOptions
from mmh.options import base as options
from mmh.options.base import Field
from mmh.options.entries import Entry
from mmh.worlds.base import World

Config = Mapping[str, Any]
MEASURED = Network(0.2, 3.6e-6, 4e-8, 0.01, 0.03, imports="torch")


class EdmMlp(Kind):
    """An MLP of some thousand full-batch steps, sampled by Heun's method."""

    name = "edm-mlp"
    maker = "mmh.models.edm.training:make"
    loader = "mmh.models.edm.model:load_folder"
    folders = (("model.json", "EdmNetwork"),)

    class Options(options.Options):
        """MLP with EDM preconditioning."""

        width: int = Field(ge=1)
        """hidden units"""
        depth: int = Field(ge=1)
        """hidden layers"""
        features: int = Field(ge=1)
        """Fourier features of log sigma"""
        sigma_data: float = Field(gt=0)
        """EDM's sigma_data"""
        sigma_min: float = Field(gt=0)
        """smallest noise"""
        sigma_max: float = Field(gt=0)
        """largest noise"""
        steps: int = Field(ge=1)
        """optimiser steps"""
        draws: int = Field(ge=1)
        """noise draws per point and step"""
        learning_rate: float = Field(gt=0)
        """peak learning rate"""
        ema_decay: float = Field(ge=0, lt=1)
        """decay of the averaged weights"""
        second_order: float = Field(default=0, ge=0)
        """weight of the second-order loss, which fits the Jacobian of the score, too (Lu et al. 2022)"""

    class Sampling(SamplingOptions):
        """Heun's method."""

        steps: int = Field(ge=1)
        """sampler steps"""

    @classmethod
    def fits(cls, world: type[World]) -> bool:
        """Of points alone."""
        return world.points

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """As for every kind, and the order of the noise levels."""
        yield from super().check(options, experiment, where)
        if options.sigma_min >= options.sigma_max:
            yield f"{where}.sigma_min: must be below sigma_max, {options.sigma_max}"

    @classmethod
    def network(cls, options: Config, dim: int, *, latents: bool = False) -> Network:
        """So narrow that activations take the time."""
        scale = options["width"] / 256 * options["depth"] / 3
        return MEASURED.scaled(scale, scale)

    @classmethod
    def calls(cls, sampling: Config) -> int:
        """Two for each step of Heun's method."""
        return 2 * int(sampling["steps"])

    @classmethod
    def cost_of_making(cls, options: Config, *, points: int, dim: int) -> Need:
        """Every step takes all points, `draws` times."""
        net, rows = cls.network(options, dim), points * options["draws"]
        seconds = START[False] + options["steps"] * (3 * rows * net.cpu + 1e-3)  # the optimiser's own time
        return Need(seconds, 380 + rows * net.graph_mb)
