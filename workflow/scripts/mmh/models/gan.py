"""A small StyleGAN2, trained here, conditional on the class if the data have classes."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmh.compute.network_cost import START, Need, Network
from mmh.models.base import Kind
from mmh.models.stylegan2 import Stylegan2
from mmh.options import base as options
from mmh.options.base import Field
from mmh.options.entries import Entry

Config = Mapping[str, Any]
MEASURED = Network(0.3, 0.4e-3, 8e-6, 0.2, 0.9, imports="torch")


class Gan(Kind):
    """A generator trained against a discriminator, both of some thousand steps."""

    name = "gan"
    maker = "mmh.models.stylegan.training:make"
    loader = Stylegan2.loader
    loads = ("stylegan2",)
    gives = "generator"
    Sampling = Stylegan2.Sampling

    class Options(options.Options):
        """StyleGAN2, trained here."""

        steps: int = Field(ge=1)
        """optimiser steps of each network"""
        batch_size: int = Field(ge=2)
        """images of each kind per step"""
        learning_rate: float = Field(gt=0)
        """peak learning rate"""
        z_dim: int = Field(ge=2)
        """values of the latent z"""
        w_dim: int = Field(ge=2)
        """values of the style w"""
        channels: int = Field(ge=4)
        """feature maps of both networks"""
        mapping_layers: int = Field(ge=1)
        """layers from z to w"""
        mapping_lr: float = Field(gt=0)
        """share of the learning rate that the mapping gets"""
        group: int = Field(ge=2)
        """images per minibatch-deviation group, all of one class"""
        r1_gamma: float = Field(ge=0)
        """weight of the R1 penalty"""
        r1_every: int = Field(ge=1)
        """steps between two penalties"""
        ema_decay: float = Field(ge=0, lt=1)
        """decay of the averaged weights"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """As for every kind, and that batches consist of whole groups."""
        yield from super().check(options, experiment, where)
        if options.batch_size % options.group:
            yield f"{where}.group: {options.group} must divide batch_size, {options.batch_size}"

    @classmethod
    def network(cls, options: Config, dim: int, *, latents: bool = False) -> Network:
        """By its feature maps."""
        return MEASURED.scaled((options["channels"] / 64) ** 2, options["channels"] / 64)

    @classmethod
    def cost_of_making(cls, options: Config, *, points: int, dim: int) -> Need:
        """Steps of both networks."""
        net, rows = cls.network(options, dim), options["batch_size"]
        seconds = START[False] + options["steps"] * (2.2 * rows * net.cpu + 8e-3)
        return Need(seconds, 350 + 80 * net.millions + 2 * rows * net.graph_mb)
