"""A StyleGAN2-ADA pickle, converted without running anything in it."""

from collections.abc import Mapping
from typing import Any, Literal

from mmh.compute.network_cost import Need, Network
from mmh.models.base import Kind, SamplingOptions
from mmh.options import base as options
from mmh.options.base import Field, SourceName

Config = Mapping[str, Any]
MEASURED = Network(20.2, 0.17, 0.42e-3, 9.0, 20.0, imports="torch")


class Stylegan2(Kind):
    """The averaged generator of a published run."""

    name = "stylegan2"
    made = "convert"
    maker = "mmh.models.stylegan.published:convert"
    loader = "mmh.models.stylegan.model:load_folder"
    folders = (("model.json", "StyleGan2Generator"),)
    gives = "generator"

    class Options(options.Options):
        """StyleGAN2-ADA pickle."""

        source: SourceName
        """name of the pickle under sources"""

    class Sampling(SamplingOptions):
        """One pass of the generator."""

        truncation: float = Field(ge=0, le=1)
        """GAN: truncation psi of w, 1 for none"""
        noise: Literal["const", "none", "random"]
        """GAN: noise inputs"""

    @classmethod
    def network(cls, options: Config, dim: int, *, latents: bool = False) -> Network:
        """The published one's for CIFAR-10."""
        return MEASURED

    @classmethod
    def cost_of_making(cls, options: Config, *, points: int, dim: int) -> Need:
        """A file of 360 MB."""
        return Need(30, 1000)
