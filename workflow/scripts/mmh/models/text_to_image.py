"""A small latent text-to-image pipeline, trained here on captioned images and saved like Stable Diffusion."""

from collections.abc import Mapping
from typing import Annotated, Any

from mmh.compute.network_cost import IMPORTS_MB, START, Need, Network, Parts, unet
from mmh.models.base import Kind
from mmh.options import base as options
from mmh.options.base import Field
from mmh.worlds.base import World

Config = Mapping[str, Any]
Width = Annotated[int, Field(ge=8)]
PARTS = Parts(Network(0.1, 1e-3, 1e-5, 0.5, 0.5), image=3 * 64)


class Autoencoder(options.Options):
    """The autoencoder."""

    steps: int = Field(ge=1)
    """optimiser steps"""
    batch_size: int = Field(ge=1)
    """images per step"""
    learning_rate: float = Field(gt=0)
    """peak learning rate"""
    kl_weight: float = Field(ge=0)
    """weight of the KL term"""
    block_out_channels: list[Width] = Field(min_length=2, max_length=2)
    """block widths, multiples of 8"""
    latent_channels: int = Field(ge=1)
    """channels of the latents"""


class TextToImage(Kind):
    """Autoencoder, text encoder and UNet; draws images from prompts only."""

    name = "text-to-image"
    maker = "mmh.models.latent.making:make"
    reads = ("images", "table", "captions")
    loader = "mmh.models.latent.folder:load_folder"
    folders = (("model_index.json", "StableDiffusionPipeline"),)
    Sampling = None

    class Options(options.Options):
        """Latent text-to-image pipeline, trained here."""

        vae: Autoencoder
        """the autoencoder"""
        tokens: int = Field(ge=4, le=77)
        """tokens of a caption, its ends included"""
        text_width: int = Field(ge=8)
        """width of the text encoder"""
        text_layers: int = Field(ge=1)
        """its layers"""
        block_out_channels: list[Width] = Field(min_length=1, max_length=2)
        """block widths, multiples of 8"""
        heads: int = Field(ge=1)
        """attention heads of the UNet"""
        num_train_timesteps: int = Field(ge=2)
        """number of steps T"""
        steps: int = Field(ge=1)
        """optimiser steps"""
        batch_size: int = Field(ge=1)
        """images per step"""
        learning_rate: float = Field(gt=0)
        """peak learning rate"""
        ema_decay: float = Field(ge=0, lt=1)
        """decay of the averaged weights"""
        empty_share: float = Field(ge=0, lt=1)
        """share of empty captions"""

    @classmethod
    def fits(cls, world: type[World]) -> bool:
        """Of captioned images."""
        return world.made == "captioned"

    @classmethod
    def network(cls, options: Config, dim: int, *, latents: bool = False) -> Network:
        """By its widths and the size of a latent."""
        return unet(options["block_out_channels"], dim)

    @classmethod
    def latent_dim(cls, options: Config, pixels: int = 64) -> int:
        """Half the side of the images, with as many channels as asked for."""
        return int(pixels // 4 * options["vae"]["latent_channels"])

    @classmethod
    def parts(cls, options: Config) -> Parts:
        """A small autoencoder, and a text encoder that does not count."""
        return PARTS

    @classmethod
    def cost_of_making(cls, options: Config, *, points: int, dim: int) -> Need:
        """First the autoencoder, then the rest."""
        net, vae, rows = cls.network(options, dim), options["vae"], options["batch_size"]
        seconds = START[False] + options["steps"] * (2.5 * rows * net.cpu + 20e-3)
        seconds += vae["steps"] * (2.5 * vae["batch_size"] * PARTS.vae.cpu + 10e-3)
        return Need(seconds, IMPORTS_MB["diffusers"] + 200 + 60 * net.millions + rows * net.graph_mb)
