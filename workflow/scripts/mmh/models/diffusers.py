"""A diffusers folder or a repository on the hub: a UNet, with classes or without, or a whole pipeline."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from mmh.fetch.hub import DESCRIPTIONS, FLAT, NETWORKS
from mmh.models.base import Kind, SamplingOptions
from mmh.options import base as options
from mmh.options.base import Field, Unique
from mmh.options.entries import Entry
from mmh.worlds.base import World

Repository = Annotated[str, Field(pattern=r"^[^/ ]+/[^/ @]+(@[^ @]+)?$")]


class Diffusers(Kind):
    """Someone's own model, of whatever width."""

    name = "diffusers"
    made = "import"
    maker = "mmh.models.importing:make"
    loader = "mmh.models.loading:load_model"
    loads = ("unet", "text-to-image", "iddpm")

    class Options(options.Options):
        """A diffusers pipeline of a UNet2DModel, or a StableDiffusionPipeline."""

        path: str | None = None
        """local folder with model_index.json"""
        id: str | None = Field(None, pattern=r"^[^/ ]+/[^/ ]+$")
        """repository on the hub"""
        revision: str | None = None
        """commit, tag or branch of the repository"""
        mirrors: Annotated[list[Repository], Unique()] | None = None
        """repositories to try after id, as owner/name or owner/name@revision"""
        lora: str | None = Field(None, pattern=r"\.safetensors$")
        """LoRA of a text-to-image model, a file that diffusers wrote; it is merged into the copied weights"""
        lora_scale: float | None = Field(None, gt=0)
        """its strength, beside its own alpha / rank; 1 without"""

    class Sampling(SamplingOptions):
        """DDIM."""

        steps: int = Field(ge=1)
        """sampler steps"""

    @classmethod
    def files(cls, options: Any) -> list[str]:
        """The files of a local folder that are there, none of a repository on the hub; and the LoRA."""
        beside = [options.lora] if options.lora else []
        if not options.path:
            return beside
        patterns = (*DESCRIPTIONS, *FLAT, *(f"{part}/*.safetensors*" for part in NETWORKS))
        files = [str(file) for one in patterns for file in sorted(Path(options.path).glob(one))]
        return [*(files or [f"{options.path}/model_index.json"]), *beside]

    @classmethod
    def fits(cls, world: type[World]) -> bool:
        """Of others' images, whether they are at hand or not."""
        return super().fits(world) or world.made == "none"

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """As for every kind, and that it is either local or on the hub."""
        yield from super().check(options, experiment, where)
        if (options.path is None) == (options.id is None):
            yield f"{where}: give either path, a local folder, or id and revision, a repository on the hub"
        if (options.id is None) != (options.revision is None):
            yield f"{where}.revision: a repository needs one (a commit pins it), a local folder has none"
        if options.lora is None and options.lora_scale is not None:
            yield f"{where}.lora_scale: there is no lora; name its file, or remove the key"
