"""The network of `unet`, trained here by flow matching: on straight lines from image to noise."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from mmh.compute.network_cost import IMPORTS_MB, START, Need, Network, unet
from mmh.models.base import Kind, SamplingOptions
from mmh.options import base as options
from mmh.options.base import Field

Config = Mapping[str, Any]
Width = Annotated[int, Field(ge=8)]


class UnetFlow(Kind):
    """A UNet of two resolutions that predicts n - x, sampled by Euler steps."""

    name = "unet-flow"
    maker = "mmh.models.flow.training:make"
    loader = "mmh.models.flow.model:load_folder"
    folders = (("model_index.json", "UNetFlow"),)

    class Options(options.Options):
        """A UNet2DModel of diffusers, as a flow."""

        block_out_channels: list[Width] = Field(min_length=2, max_length=2)
        """block widths, multiples of 8"""
        num_train_timesteps: int = Field(ge=2)
        """the network is told t times this"""
        times: Literal["uniform", "logit-normal"]
        """law of t in training"""
        shift: float = Field(default=1.0, gt=0)
        """t goes to shift t / (1 + (shift - 1) t), in training and in the sampler's steps"""
        steps: int = Field(ge=1)
        """optimiser steps"""
        batch_size: int = Field(ge=1)
        """images per step"""
        learning_rate: float = Field(gt=0)
        """peak learning rate"""
        ema_decay: float = Field(ge=0, lt=1)
        """decay of the averaged weights"""

    class Sampling(SamplingOptions):
        """Euler."""

        steps: int = Field(ge=1)
        """sampler steps"""

    @classmethod
    def network(cls, options: Config, dim: int, *, latents: bool = False) -> Network:
        """By its widths and the pixels."""
        return unet(options["block_out_channels"], dim)

    @classmethod
    def cost_of_making(cls, options: Config, *, points: int, dim: int) -> Need:
        """Forward, backward, and the optimiser's step."""
        net, rows = cls.network(options, dim), options["batch_size"]
        seconds = START[False] + options["steps"] * (2.5 * rows * net.cpu + 5e-3)
        return Need(seconds, IMPORTS_MB["diffusers"] + 40 * net.millions + rows * net.graph_mb)
