"""An improved-diffusion checkpoint, converted to a diffusers folder with a process of its own."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from mmh.compute import network_cost
from mmh.compute.network_cost import Network
from mmh.models.base import Kind, SamplingOptions
from mmh.options import base as options
from mmh.options.base import Field, SourceName

Config = Mapping[str, Any]
STEPS = 4000


class Iddpm(Kind):
    """The published network for CIFAR-10, ancestral or DDIM sampling over some of its steps."""

    name = "iddpm"
    made = "convert"
    maker = "mmh.models.improved.published:convert"
    loader = "mmh.models.improved.model:load_folder"
    folders = (("process.json", "iddpm"),)

    class Options(options.Options):
        """A checkpoint of improved-diffusion."""

        source: SourceName
        """name of the checkpoint under sources"""

    class Sampling(SamplingOptions):
        """Respaced ancestral sampling, or DDIM."""

        sampler: Literal["ancestral", "ddim"]
        """iDDPM: ancestral with the learned variance, or DDIM"""
        respacing: str = Field(pattern=r"^$|^[0-9]+$|^ddim[0-9]+$")
        """iDDPM: steps kept, the empty text for all, N, or ddimN"""
        eta: float = Field(0.0, ge=0, le=1)
        """iDDPM with DDIM: share of fresh noise"""

    @classmethod
    def check_sampling(cls, sampling: Config, where: str) -> Iterator[str]:
        """Fresh noise is DDIM's alone; as many steps as a stride can keep."""
        if sampling.get("eta") and sampling.get("sampler") == "ancestral":
            yield f"{where}.eta: belongs to the sampler 'ddim'; remove it"
        kept = sampling.get("respacing", "").removeprefix("ddim")
        if kept and not 2 <= int(kept) <= STEPS:
            yield f"{where}.respacing: {sampling['respacing']!r} must keep 2 to {STEPS} steps"
        elif sampling.get("respacing", "").startswith("ddim") and all(
            len(range(0, STEPS, stride)) != int(kept) for stride in range(1, STEPS)
        ):
            yield f"{where}.respacing: no stride keeps {kept} of {STEPS} steps; use {kept!r} without ddim"

    @classmethod
    def network(cls, options: Config, dim: int, *, latents: bool = False) -> Network:
        """Measured."""
        return network_cost.IDDPM

    @classmethod
    def calls(cls, sampling: Config) -> int:
        """The steps that respacing keeps."""
        counts = sampling["respacing"].removeprefix("ddim").split(",")
        return sum(int(part or STEPS) for part in counts)
