"""An improved-diffusion checkpoint, converted to a diffusers folder with a process of its own.

The names of its options are those of the repository's flags.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from mmh.compute import network_cost
from mmh.compute.network_cost import Network
from mmh.models.base import Kind, SamplingOptions
from mmh.options import base as options
from mmh.options.base import Field, SourceName
from mmh.options.entries import Entry

Config = Mapping[str, Any]
STEPS = 4000  # of a published network


class Iddpm(Kind):
    """An unconditional network, as the published one for CIFAR-10; ancestral or DDIM sampling."""

    name = "iddpm"
    made = "convert"
    maker = "mmh.models.improved.published:convert"
    loader = "mmh.models.improved.model:load_folder"
    folders = (("process.json", "iddpm"),)

    class Options(options.Options):
        """A checkpoint of improved-diffusion."""

        source: SourceName
        """name of the checkpoint under sources"""
        image_size: int | None = Field(None, ge=4, le=1024)
        """side of the images; without it, what the widths and the attention say (32 for CIFAR-10's)"""
        num_heads: int = Field(4, ge=1)
        """heads of attention"""
        diffusion_steps: int = Field(STEPS, ge=20)
        """levels of the process"""
        noise_schedule: Literal["cosine", "linear"] = "cosine"
        """law of the levels"""
        rescale_timesteps: bool = True
        """whether the network is told the level in thousandths of the process"""

    class Sampling(SamplingOptions):
        """Respaced ancestral sampling, or DDIM."""

        sampler: Literal["ancestral", "ddim"]
        """iDDPM: ancestral with the learned variance, or DDIM"""
        respacing: str = Field(pattern=r"^$|^[0-9]+$|^ddim[0-9]+$")
        """iDDPM: steps kept, the empty text for all, N, or ddimN"""
        eta: float = Field(0.0, ge=0, le=1)
        """iDDPM with DDIM: share of fresh noise"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """As for every kind, and that as many steps are kept as a stride can keep."""
        yield from super().check(options, experiment, where)
        respacing = experiment.section("sampling").get("respacing")
        place, steps = f"{experiment.where}.sampling.respacing", options.diffusion_steps
        if not isinstance(respacing, str) or not (kept := respacing.removeprefix("ddim")).isdecimal():
            return
        if not 2 <= int(kept) <= steps:
            yield f"{place}: {respacing!r} must keep 2 to {steps} steps"
        elif respacing.startswith("ddim") and all(
            len(range(0, steps, stride)) != int(kept) for stride in range(1, steps)
        ):
            yield f"{place}: no stride keeps {kept} of {steps} steps; use {kept!r} without ddim"

    @classmethod
    def check_sampling(cls, sampling: Config, where: str) -> Iterator[str]:
        """Fresh noise is DDIM's alone."""
        if sampling.get("eta") and sampling.get("sampler") == "ancestral":
            yield f"{where}.eta: belongs to the sampler 'ddim'; remove it"

    @classmethod
    def network(cls, options: Config, dim: int, *, latents: bool = False) -> Network:
        """Measured."""
        return network_cost.IDDPM

    @classmethod
    def calls(cls, sampling: Config) -> int:
        """The steps that respacing keeps; all of a published network's where it says none."""
        return int(sampling["respacing"].removeprefix("ddim") or STEPS)
