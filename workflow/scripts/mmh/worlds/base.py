"""Worlds: training sets, a file each, with a class that says all that is asked of it.

The file is named like the world, with "_" for "-". What draws or reads it is named, not called, as for kinds
of models. A whole one, which ``data: {world: blobs, n_train: 500, seed: 0}`` asks for:

    from mmh.options import base as options
    from mmh.options.base import Field
    from mmh.worlds.base import World

    class Blobs(World):
        name = "blobs"

        class Options(options.Options):
            \"\"\"images of one bright pixel\"\"\"

            n_train: int = Field(ge=2)
            \"\"\"number of images\"\"\"
            seed: int = Field(ge=0)
            \"\"\"seed of the draw\"\"\"

    def make(*, n_train, seed):
        ...  # float32 (n, 1, 8, 8) in [-1, 1], and a table: train, source, population, group, copies
        return x, table
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mmh.compute.network_cost import Need
from mmh.options.entries import Entry
from mmh.rows import Row, Table, named_function

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mmh.diffusion.schedule import Schedule
    from mmh.oracles.exact import Oracle
    from mmh.worlds.sets.wordings import Grammar

Config = Mapping[str, Any]


class World(Row):
    """A world.

    Attributes
    ----------
    made : {"make", "import", "captioned", "none"}
        How its training set comes about: drawn; read from a file under `sources`, which the option `source`
        names, or from the folder `path`; drawn with captions, prompts and image sets; or not at all.
    maker : str
        What does it, as ``module:function``; without a module, a function of the row's own file. Called as

        - make: ``function(**options)``; returns the items, float32 (n, C, H, W) or (n, 2), and their table;
        - import: ``function(file, **options)``, without the options `source`, `path` and `n_train`; returns a
          `mmh.worlds.sets.image_set.ImageSet`;
        - captioned: ``function(**options)``; returns a `mmh.worlds.sets.captioned.CaptionedSet`.
    classifier : str
        What gives the class of each item from the column `source` of the table; empty: no classes.
    points : bool
        Whether its items are points of the plane instead of images.
    planted : bool
        Whether labels can be planted: its repeated images are known.
    law : str
        What gives the law that the items are drawn from, if its mass in a ball is known, as
        ``module:function`` of the section `data`; empty: not known. `mmh.worlds.sets.von_mises_law` shows
        what a law has.
    oracle : str
        What gives the exact score of the law that the items are drawn from, as ``module:function`` of the
        section `data` and a noise schedule, a `mmh.oracles.exact.Oracle`; empty: not known.
    places : str
        What chooses the training items at which that law is compared with a model.
    fresh : str
        What gives a test set of the law that the training set comes from, as ``module:function`` of the
        options, see `mmh.worlds.sets.fresh`; empty: there is none.
    sets : tuple of str
        Image sets with captions, and sets of prompts, that come with it.
    grammar : str
        What says which part each word of its captions plays, as ``module:object``, a
        `mmh.worlds.sets.wordings.Grammar`; empty: not known.
    """

    made: ClassVar[Literal["make", "import", "captioned", "none"]] = "make"
    maker: ClassVar[str] = ":make"
    classifier: ClassVar[str] = ""
    points: ClassVar[bool] = False
    planted: ClassVar[bool] = False
    law: ClassVar[str] = ""
    oracle: ClassVar[str] = ""
    places: ClassVar[str] = ""
    fresh: ClassVar[str] = ""
    sets: ClassVar[tuple[str, ...]] = ()
    grammar: ClassVar[str] = ""

    @classmethod
    def make(cls, options: Any) -> "tuple[np.ndarray, pd.DataFrame]":
        """Draw the training set: items and their table."""
        x, table = named_function(cls, cls.maker)(**options.model_dump())
        return x, table

    @classmethod
    def classes(cls, table: "pd.DataFrame") -> "np.ndarray | None":
        """Give the class of every item, int64; None for a world without classes."""
        if not cls.classifier:
            return None
        classes: np.ndarray = named_function(cls, cls.classifier)(table["source"].to_numpy())
        return classes

    @classmethod
    def law_of(cls, section: Config) -> Any:
        """Give the law that the items are drawn from."""
        return named_function(cls, cls.law)(section)

    @classmethod
    def oracle_of(cls, section: Config, schedule: "Schedule") -> "Oracle":
        """Give the law that the items are drawn from, with its exact score under noise."""
        exact: Oracle = named_function(cls, cls.oracle)(section, schedule)
        return exact

    @classmethod
    def places_of(cls, x: "np.ndarray", table: "pd.DataFrame") -> "pd.DataFrame":
        """Choose the training items at which the law is compared with a model."""
        chosen: pd.DataFrame = named_function(cls, cls.places)(x, table)
        return chosen

    @classmethod
    def fresh_of(cls, section: Config) -> "tuple[np.ndarray, np.ndarray]":
        """Give items that the training set does not hold, and which of them it repeats."""
        items, repeated = named_function(cls, cls.fresh)(section)
        return items, repeated

    @classmethod
    def grammar_of(cls) -> "Grammar | None":
        """Give what knows the words of its captions; None where nothing does."""
        found: Any = named_function(cls, cls.grammar) if cls.grammar else None
        return found

    @classmethod
    def read_file(cls, file: Path, options: Any) -> Any:
        """Read the training set from its file or folder."""
        plain = options.model_dump(exclude={"source", "path", "n_train"})
        return named_function(cls, cls.maker)(file, **plain)

    @classmethod
    def make_captioned(cls, options: Any) -> Any:
        """Draw the training set with its captions, prompts and image sets."""
        return named_function(cls, cls.maker)(**options.model_dump())

    @classmethod
    def read(cls, section: Config) -> Any:
        """Read a section `data` into an object of `Options`."""
        return cls.Options.model_validate({key: value for key, value in section.items() if key != "world"})

    @classmethod
    def n_train(cls, options: Config) -> int:
        """Number of training items."""
        return int(options["n_train"])

    @classmethod
    def dim(cls, options: Config) -> int:
        """Numbers of an item: of an image of the digits, if the options do not say its size."""
        return int(options.get("channels", 3)) * int(options["size"]) ** 2 if "size" in options else 64

    @classmethod
    def set_size(cls, options: Config, name: str) -> int:
        """Number of images of one of its `sets`."""
        raise NotImplementedError

    @classmethod
    def n_prompts(cls, options: Config, name: str) -> int:
        """Number of prompts of one of its `sets`."""
        raise NotImplementedError

    @classmethod
    def cost_of_making(cls, options: Config) -> Need:
        """What the job needs that makes or reads it."""
        held = cls.n_train(options) * cls.dim(options) * 4e-6
        if cls.made == "captioned":
            return Need(10, 400)
        return Need(3, 210 + 3 * held) if cls.made == "make" else Need(300, 300 + 3 * held)


WORLDS: Table[World] = Table("world", "mmh.worlds", World)


def train_size(experiment: Entry) -> int:
    """Number of training items of an experiment."""
    return WORLDS[experiment.world].n_train(experiment.section("data"))
