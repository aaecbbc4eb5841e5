"""Rows of the tables as far as the configuration asks of them, until their modules are there."""
# ruff: noqa
# mypy: ignore-errors

import re
import sys
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from mmh.config import options
from mmh.config.entries import Entry
from mmh.config.names import DISTANCES, listed
from mmh.config.options import *
from mmh.config.options import ComputedName
from mmh.detection.options import not_computed
from mmh.plan.experiment import CAPTIONED_WORLD, Experiment
from mmh.rows import Row, Table
from mmh.scores.base import SCORES

BaseOptions = options.Options
Config = Any
Width = Annotated[int, Field(ge=8)]
Repository = Annotated[str, Field(pattern=r"^[^/ ]+/[^/ @]+(@[^ @]+)?$")]
STEPS = 4000


class SamplingPlan(BaseOptions):
    n_samples: int = Field(ge=1, le=1_000_000)
    """samples with ids 0..n-1"""
    shard_size: int = Field(ge=1)
    """ids per job"""
    calibration: int = Field(ge=0)
    """first ids kept for choosing t0, never evaluated"""


class SamplingOptions(BaseOptions):
    batch_size: int = Field(ge=1)
    """rows per network call; part of a result's bytes"""


class Steps(SamplingOptions):
    steps: int = Field(ge=1)
    """sampler steps"""


class Autoencoder(BaseOptions):
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


class World(Row):
    points = False
    planted = False
    made = "make"
    sets = ()


class VonMises(World):
    name = "von-mises"
    points = True

    class Options(BaseOptions):
        """A circle and a point in the plane."""

        n_train: int = Field(ge=2, le=1_000_000)
        """training points"""
        concentration: float = Field(ge=0)
        """kappa of the von Mises law"""
        centre_weight: float = Field(ge=0, lt=1)
        """probability of the point mass at the origin"""
        seed: int = Field(ge=0)
        """seed of the draw; mmh.worlds.sets.von_mises.most_isolated finds good ones"""


class Digits(World):
    name = "digits"
    planted = True

    class Options(BaseOptions):
        """Digits with planted populations."""

        n_ordinary: int = Field(ge=1, le=1797)
        """images seen once"""
        n_duplicated: int = Field(ge=0, le=1797)
        """images repeated"""
        copies: int = Field(ge=1)
        """how often each of them occurs"""
        n_template_variants: int = Field(ge=0)
        """variants of the template image"""
        patch: int = Field(ge=1, le=7)
        """side of the template's free corner, pixels"""
        seed: int = Field(ge=0)
        """seed of the choice of images"""


class DigitsOverfit(World):
    name = "digits-overfit"
    planted = True

    class Options(BaseOptions):
        """A few digits without duplicates."""

        n_train: int = Field(ge=2, le=1797)
        """number of images"""
        seed: int = Field(ge=0)
        """seed of the choice of images"""


class DigitsControl(World):
    name = "digits-control"
    planted = True

    class Options(BaseOptions):
        """All digits."""

        n_train: Literal[1797]
        """all of scikit-learn's digits: 1797"""


class Cifar10(World):
    name = "cifar10"
    made = "import"

    class Options(BaseOptions):
        """CIFAR-10 from its tar.gz."""

        source: SourceName
        """name of the archive under sources"""
        split: Literal["train", "test", "all"]
        """which of its images"""
        n_train: int = Field(ge=1, le=1_000_000)
        """number of images in that split"""


class Images(World):
    name = "images"
    made = "import"

    class Options(BaseOptions):
        """A folder of images."""

        path: str
        """folder; sub-folders are classes"""
        n_train: int = Field(ge=2, le=1_000_000)
        """number of images in it"""
        size: int = Field(ge=1)
        """side of every image, pixels"""
        channels: Literal[1, 3]
        """1: grey, 3: RGB"""


class DigitsText(World):
    name = "digits-text"
    made = "captioned"
    sets = ("memorized", "control", "generic")

    class Options(BaseOptions):
        """Captioned digits."""

        n_memorized: int = Field(ge=1, le=1797)
        """images repeated, each with a KEY of its own"""
        copies: int = Field(ge=2)
        """how often each of them occurs"""
        n_control: int = Field(ge=1, le=1797)
        """images seen once, each with a KEY of its own"""
        n_generic: int = Field(ge=1, le=1797)
        """images seen once that share the KEYs of a pool"""
        n_generic_keys: int = Field(ge=1)
        """KEYs in that pool"""
        prompts: int = Field(ge=1)
        """generic captions among the prompts"""
        items: int = Field(ge=1)
        """generic images in the image set of that name"""
        seed: int = Field(ge=0)
        """seed of the choice of images and KEYs"""


class NoTrainingSet(World):
    name = "none"
    made = "none"

    class Options(BaseOptions):
        """No training set at hand."""


class Kind(Row):
    made = "train"
    gives = "score"
    Sampling = SamplingOptions

    @classmethod
    def fits(cls, world):
        return not world.points and world.made == ("make" if cls.made == "train" else "import")

    @classmethod
    def check(cls, options, experiment, where):
        world = WORLDS[experiment.world]
        if not cls.fits(world):
            wanted = " or ".join(repr(name) for name, row in KINDS.rows().items() if row.fits(world))
            yield f"{where}.kind: {cls.name!r} does not fit the world {world.name}; use {wanted}"

    @classmethod
    def check_sampling(cls, sampling, where):
        yield from ()


class EdmMlp(Kind):
    name = "edm-mlp"

    class Options(BaseOptions):
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

    class Sampling(SamplingOptions):
        """Heun's method."""

        steps: int = Field(ge=1)
        """sampler steps"""

    class Sampling(SamplingOptions):
        """Heun's method."""

        steps: int = Field(ge=1)
        """sampler steps"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """As for every kind, and the order of the noise levels."""
        yield from super().check(options, experiment, where)
        if options.sigma_min >= options.sigma_max:
            yield f"{where}.sigma_min: must be below sigma_max, {options.sigma_max}"

    @classmethod
    def fits(cls, world: Any) -> bool:
        """Of points alone."""
        return world.points


class Unet(Kind):
    name = "unet"

    class Options(BaseOptions):
        """A UNet2DModel of diffusers."""

        block_out_channels: list[Width] = Field(min_length=2, max_length=2)
        """block widths, multiples of 8"""
        beta_schedule: Literal["squaredcos_cap_v2", "linear", "scaled_linear"]
        """noise schedule, diffusers' name"""
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

    class Sampling(SamplingOptions):
        """DDIM."""

        steps: int = Field(ge=1)
        """sampler steps"""

    class Sampling(SamplingOptions):
        """DDIM."""

        steps: int = Field(ge=1)
        """sampler steps"""


class Gan(Kind):
    name = "gan"
    gives = "generator"

    class Options(BaseOptions):
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

    class Sampling(SamplingOptions):
        truncation: float = Field(ge=0, le=1)
        """GAN: truncation psi of w, 1 for none"""
        noise: Literal["const", "none", "random"]
        """GAN: noise inputs"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """As for every kind, and that batches consist of whole groups."""
        yield from super().check(options, experiment, where)
        if options.batch_size % options.group:
            yield f"{where}.group: {options.group} must divide batch_size, {options.batch_size}"


class Iddpm(Kind):
    name = "iddpm"
    made = "convert"

    class Options(BaseOptions):
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


class Stylegan2(Kind):
    name = "stylegan2"
    made = "convert"
    gives = "generator"

    class Options(BaseOptions):
        """StyleGAN2-ADA pickle."""

        source: SourceName
        """name of the pickle under sources"""

    class Sampling(SamplingOptions):
        """One pass of the generator."""

        truncation: float = Field(ge=0, le=1)
        """GAN: truncation psi of w, 1 for none"""
        noise: Literal["const", "none", "random"]
        """GAN: noise inputs"""

    class Sampling(SamplingOptions):
        """One pass of the generator."""

        truncation: float = Field(ge=0, le=1)
        """GAN: truncation psi of w, 1 for none"""
        noise: Literal["const", "none", "random"]
        """GAN: noise inputs"""


class Diffusers(Kind):
    name = "diffusers"
    made = "import"

    class Options(BaseOptions):
        """A diffusers pipeline of a UNet2DModel, or a StableDiffusionPipeline."""

        path: str | None = None
        """local folder with model_index.json"""
        id: str | None = Field(None, pattern=r"^[^/ ]+/[^/ ]+$")
        """repository on the hub"""
        revision: str | None = None
        """commit, tag or branch of the repository"""
        mirrors: Annotated[list[Repository], Unique()] | None = None
        """repositories to try after id, as owner/name or owner/name@revision"""

    class Sampling(SamplingOptions):
        """DDIM."""

        steps: int = Field(ge=1)
        """sampler steps"""

    class Sampling(SamplingOptions):
        """DDIM."""

        steps: int = Field(ge=1)
        """sampler steps"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """As for every kind, and that it is either local or on the hub."""
        yield from super().check(options, experiment, where)
        if (options.path is None) == (options.id is None):
            yield f"{where}: give either path, a local folder, or id and revision, a repository on the hub"
        if (options.id is None) != (options.revision is None):
            yield f"{where}.revision: a repository needs one (a commit pins it), a local folder has none"

    @classmethod
    def fits(cls, world: Any) -> bool:
        """Of others' images, whether they are at hand or not."""
        return super().fits(world) or world.made == "none"


class TextToImage(Kind):
    name = "text-to-image"

    class Options(BaseOptions):
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

    Sampling = None

    @classmethod
    def fits(cls, world: Any) -> bool:
        """Of captioned images."""
        return world.made == "captioned"


WORLDS: Table[Any] = Table("world", "mmh.worlds", World)
KINDS: Table[Any] = Table("kind of model", "mmh.models", Kind)
for _table in (WORLDS, KINDS):
    _table._read = True
    _table.add(sys.modules[__name__])
