"""Kinds of models: a file each, with a class that says all that is asked of it.

The file is named like the kind, with "_" for "-". What a job runs is named, not called, so that a change of
a training loop reruns trainings and nothing else. docs/plugins/blur.py is a whole one. What comes after a
model sees only the object that `load` gives, a `Model`, and cannot tell how the model was made.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from mmh.compute import network_cost
from mmh.compute.network_cost import Need, Network, Parts
from mmh.options import base as options
from mmh.options.base import Field
from mmh.options.entries import Entry
from mmh.rows import Row, Table, named_function
from mmh.worlds.base import WORLDS, World

if TYPE_CHECKING:
    import numpy as np

    from mmh.diffusion.score_model import ScoreModel

Config = Mapping[str, Any]
Making = Literal["train", "convert", "import"]


class Model(Protocol):
    """What every model folder gives."""

    @property
    def classes(self) -> int | None:
        """Number of classes if the score needs one; item i is drawn from class ``i % classes``."""
        ...

    def attention(self) -> str:
        """Name the attention implementation, for the run record; ``none`` without attention."""
        ...

    def score_model(self) -> "ScoreModel":
        """Return the noise predictor with its schedule."""
        ...

    @property
    def sample(self) -> "Callable[..., np.ndarray]":
        """``sample(ids, *, seed, batch_size, progress, ...)`` draws one float32 item per id.

        A row depends on (seed, id) alone; what else may be given are the fields of the kind's `Sampling`.
        """
        ...

    def latents(self, ids: "Sequence[int] | np.ndarray", *, seed: int) -> "dict[str, np.ndarray]":
        """Give what else defines each item, by name: its ``class``, a GAN's ``z``."""
        ...


class SamplingPlan(options.Options):
    """Keys of the section `sampling` that the plan reads."""

    n_samples: int = Field(ge=1, le=1_000_000)
    """samples with ids 0..n-1"""
    shard_size: int = Field(ge=1)
    """ids per job"""
    calibration: int = Field(ge=0)
    """first ids kept for choosing t0, never evaluated"""


class SamplingOptions(options.Options):
    """Options of `Model.sample`; a kind adds those of its sampler."""

    batch_size: int = Field(ge=1)
    """rows per network call; part of a result's bytes"""


class Kind(Row):
    """A kind of model.

    Attributes
    ----------
    Options : type
        Options of the section `model`.
    Sampling : type or None
        Options of the section `sampling`; None for a model that draws nothing by an id alone.
    made : {"train", "convert", "import"}
        How its folder comes about: trained on the training set; converted from a file under `sources`, which
        the option `source` names; or copied or fetched.
    maker : str
        What does it, as ``module:function``; without a module, a function of the row's own file. Called as

        - train: ``function(folder, options, *, inputs, seed, progress)``, `inputs` being the files that
          `reads` names; returns the history of the losses, a pandas.DataFrame;
        - convert: ``function(checkpoint, folder, options)``; returns what the run record shall say;
        - import: ``function(folder, options, *, offline)``; the same.
    reads : tuple of str
        Files of the training set that a training reads: ``images`` (train.npz), ``table`` (train.parquet),
        ``captions`` (captions.parquet).
    loader : str
        What loads its folder, as for `maker`: ``function(folder, *, device, **loading)`` gives a `Model`.
    folders : tuple of (str, str)
        By what its folders are known: a file with a JSON object, and the value of the key in it that
        `DESCRIPTIONS` names; ``*`` for any that no other kind claims.
    loads : tuple of str
        Without folders of its own: kinds whose folders it makes.
    gives : {"score", "generator"}
        Whether it has a score, or only maps a latent vector to an image.
    """

    Sampling: ClassVar[type[SamplingOptions] | None] = SamplingOptions
    made: ClassVar[Making] = "train"
    maker: ClassVar[str] = ":make"
    reads: ClassVar[tuple[str, ...]] = ("images",)
    loader: ClassVar[str] = ":load"
    folders: ClassVar[tuple[tuple[str, str], ...]] = ()
    loads: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[Literal["score", "generator"]] = "score"

    @classmethod
    def make(cls, *args: Any, **kwargs: Any) -> Any:
        """Call what makes a model folder."""
        return named_function(cls, cls.maker)(*args, **kwargs)

    @classmethod
    def load(cls, folder: Path, *, device: str = "cpu", **loading: Any) -> Model:
        """Load a folder of this kind; `loading` is of text-to-image models alone."""
        model: Model = named_function(cls, cls.loader)(folder, device=device, **loading)
        return model

    @classmethod
    def read(cls, section: Config) -> Any:
        """Read a section `model` into an object of `Options`."""
        return cls.Options.model_validate({key: value for key, value in section.items() if key != "kind"})

    @classmethod
    def files(cls, options: Any) -> list[str]:
        """Name the files that an import copies, as far as they are on this machine."""
        return []

    @classmethod
    def fits(cls, world: type[World]) -> bool:
        """Whether it is a model of such data: of embedded images if it is trained, else of others' images."""
        return not world.points and world.made == ("make" if cls.made == "train" else "import")

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Find what contradicts the rest of the experiment: a world that it does not fit."""
        world = WORLDS[experiment.world]
        if not cls.fits(world):
            wanted = " or ".join(repr(name) for name, row in KINDS.rows().items() if row.fits(world))
            yield f"{where}.kind: {cls.name!r} does not fit the world {world.name}; use {wanted}"

    @classmethod
    def check_sampling(cls, sampling: Config, where: str) -> Iterator[str]:
        """Find what contradicts itself in the section `sampling`."""
        yield from ()

    # What it costs; docs/resources.md says what was measured.

    @classmethod
    def network(cls, options: Config, dim: int, *, latents: bool = False) -> Network:
        """Cost of a row of its network, of items of `dim` numbers; here: of a network of unknown width."""
        if latents:
            return network_cost.STABLE_DIFFUSION
        return network_cost.IDDPM.scaled(dim / 3072, dim / 3072)

    @classmethod
    def latent_dim(cls, options: Config, pixels: int = 64) -> int:
        """Numbers of a latent, of a model that works on latents of images of so many pixels.

        Here Stable Diffusion's, 4 x 64 x 64, whatever the images.
        """
        return 16384

    @classmethod
    def z_dim(cls, options: Config) -> int:
        """Numbers of a generator's input."""
        return int(options.get("z_dim", 512))

    @classmethod
    def parts(cls, options: Config) -> Parts:
        """Cost of what a text-to-image model has beside its UNet."""
        return network_cost.STABLE_DIFFUSION_PARTS

    @classmethod
    def calls(cls, sampling: Config) -> int:
        """Network calls for one sample."""
        return int(sampling.get("steps", 1))

    @classmethod
    def cost_of_making(cls, options: Config, *, points: int, dim: int) -> Need:
        """What the job needs that makes its folder, from `points` training items of `dim` numbers."""
        if cls.made == "convert":
            return Need(30, 1200)
        if cls.made == "import":
            return Need(1800, 300)
        net, rows = cls.network(options, dim), int(options.get("batch_size", 64))
        seconds = network_cost.START[False]
        seconds += int(options.get("steps", 10_000)) * (2.5 * rows * net.cpu + 5e-3)
        mem_mb = network_cost.IMPORTS_MB[net.imports] + 40 * net.millions + rows * net.graph_mb
        return Need(seconds, mem_mb + points * dim * 4e-6)


# A model folder is described by the first of these files that it has, and by this key in it.
DESCRIPTIONS = {"process.json": "kind", "model_index.json": "_class_name", "model.json": "class"}
KINDS: Table[Kind] = Table("kind of model", "mmh.models", Kind)


def dimension(entry: Config) -> int:
    """Numbers of one item of an experiment; of one latent where there are latents."""
    data = entry.get("data")
    items = {"pixels": WORLDS[data["world"]].dim(data)} if data else {}
    if "latents" in entry:
        return KINDS[entry["model"]["kind"]].latent_dim(entry["model"], **items)
    return items["pixels"]
