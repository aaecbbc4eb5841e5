"""Estimators of single images and samples: a file each, with a class that says all that is asked of it.

The file is named like the method, with "_" for "-". An estimator of one number per image is a function of
arrays; reading images and captions, loading models, batches, tables and run records are done for it, in
`mmh.scores.steps` and `mmh.scores.setting`. A whole one, which the entry
``contrast: {method: contrast, items: [samples], shard_size: 500}`` asks for:

    from mmh.options.base import Field, Options
    from mmh.scores.base import SpanScore

    class Contrast(SpanScore):
        name, needs, label, unit = "contrast", "images", "contrast", "1"

        class Options(Options):
            power: float = Field(default=2.0, gt=0)
            \"\"\"exponent of the deviations\"\"\"

        @classmethod
        def of_rows(cls, setting, rows):
            x = setting.x[rows].reshape(len(rows), -1)
            deviations = abs(x - x.mean(axis=1, keepdims=True)) ** setting.options.power
            return {"value": deviations.mean(axis=1)}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from mmh.options import base as declared
from mmh.options.base import BatchSize, Field, ItemSetName, Unique
from mmh.rows import Row, Table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from mmh.options.entries import Entry
    from mmh.plan.work import Need, Work
    from mmh.scores.setting import Setting

    Places = NDArray[np.int64]
    Arrays = dict[str, NDArray[Any]]

Config = Mapping[str, Any]
Needs = Literal["images", "score", "captions", "decoder", "generator"]


class SetPlan(declared.Options):
    """Keys that the plan reads, of an estimator of whole item sets."""

    items: Annotated[list[ItemSetName], Field(min_length=1), Unique()]
    """item sets: samples, selected, train, or a name under image_sets"""


class SpanPlan(SetPlan):
    """Keys that the plan reads, of an estimator that is computed span by span."""

    subset: Literal["calibration"] | None = None
    """restrict to the calibration samples"""
    shard_size: int = Field(ge=1)
    """ids per job"""


class NetworkOptions(declared.Options):
    """Options of every estimator that calls a network."""

    batch_size: BatchSize
    """rows per network call: an integer >= 1, or auto (what a GPU's free memory holds; 8 on a CPU); part of a
    result's bytes"""


class Score(Row):
    """An estimator.

    Attributes
    ----------
    shape : {"span", "spectra", "set", "ratio"}
        Its steps: a table for each span of items; singular values of each span, then a table of the set; a
        table of the set; none, as it follows from the scores of others.
    needs : {"images", "score", "captions", "decoder", "generator"}
        What it is computed from: images or latents alone; a model's score at them, by caption or class if
        they have one; latents, captions and a text-to-image model; latents and its decoder; a generator
        and the inputs of its samples.
    large, latents : bool
        Whether large values speak for memorization; whether it may be asked for with a text-to-image model.
    label, unit, axis : str
        Its name in figures (without one, its name in the configuration), the unit of its values, and what
        stands on an axis of them, if that is more than the unit.
    numerics, random, derivatives, whole : bool
        Whether run records say how its first step was computed; its values depend on the seed; it
        differentiates the network; its value at one item depends on the others of the set.
    later : frozenset of str
        Options that only the step over a whole set takes.
    """

    shape: ClassVar[Literal["span", "spectra", "set", "ratio"]] = "span"
    needs: ClassVar[Needs] = "images"
    large: ClassVar[bool] = False
    latents: ClassVar[bool] = False
    label: ClassVar[str] = ""
    unit: ClassVar[str] = ""
    axis: ClassVar[str] = ""
    numerics: ClassVar[bool] = True
    random: ClassVar[bool] = True
    derivatives: ClassVar[bool] = False
    whole: ClassVar[bool] = False
    later: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def planning(cls) -> type[declared.Options]:
        """Keys of its block that the plan reads."""
        return SpanPlan if cls.shape in ("span", "spectra") else SetPlan

    @classmethod
    def wants_gpu(cls) -> bool:
        """Whether its first step calls a network."""
        return cls.needs != "images"

    @classmethod
    def printed(cls, options: Config, others: Mapping[str, Config]) -> str:
        """Name in figures, empty if it has none; `others` are the experiment's estimators by name."""
        return cls.label

    @classmethod
    def has_stderr(cls, options: Config) -> bool:
        """Whether its values have standard errors, as far as its block says."""
        return True

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Find where it does not fit the model, the samples or the item sets of its experiment."""
        from mmh.scores.checks import misfits

        yield from misfits(cls, experiment, where, SCORES)

    @classmethod
    def calls(cls, work: Work) -> float:
        """Forward calls of the network that one item is worth, in a job."""
        return 2.0

    @classmethod
    def cost(cls, work: Work) -> Need:
        """What a job of its first step needs."""
        return work.of_images() if cls.needs == "images" else work.of_network(cls)

    @classmethod
    def cost_of_set(cls, work: Work) -> Need:
        """What the job of a whole set needs."""
        return work.of_spectra() if cls.shape == "spectra" else cls.cost(work)


class SpanScore(Score):
    """An estimator of one number for each item, computed span by span.

    Attributes
    ----------
    parts : tuple of str
        Further numbers of each item that the same pass may give, and ``<part>_stderr``: they are rows of the
        estimator ``<its name>:<part>``, which a score that follows from others can read.
    """

    latents = True
    parts: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def of_rows(cls, setting: Setting, rows: Places) -> Arrays:
        """Compute the items of one whole batch.

        Parameters
        ----------
        setting : Setting
            Images, model, options and noise level.
        rows : numpy.ndarray
            int64 (size,), their places in `setting.x`; some repeat, to fill the batch.

        Returns
        -------
        dict of str to ndarray
            float64 (size,): `value`, and `stderr` if it has standard errors.
        """
        raise NotImplementedError

    @classmethod
    def values(cls, setting: Setting, rows: Places, numbers: Places, size: int) -> Arrays:
        """Compute some items by `of_rows`, each always in the same row of a batch of `size`.

        `rows`: places in `setting.x`, `numbers`: ids, both int64 (m,). Own batches: take its place.
        """
        import numpy as np

        from mmh.compute.rows import fixed_batches

        found: dict[str, Any] = {}
        for taken, places in fixed_batches(numbers, size):
            for name, values in cls.of_rows(setting, rows[taken]).items():
                found.setdefault(name, np.empty(len(rows)))[taken[places]] = np.asarray(values)[places]
        return found

    @classmethod
    def columns(cls, setting: Setting) -> dict[str, Any]:
        """Columns of the table that all items share: `t`, `index`, `sigma`, `probes`, `seed`, `dtype`."""
        return setting.level()

    @classmethod
    def describe(cls, setting: Setting) -> dict[str, Any]:
        """Say how it was computed, for run records."""
        return {"method": cls.name}


class SpectraScore(Score):
    """An estimator that counts singular values by one percentile of them, pooled over all items.

    Attributes
    ----------
    beside, once : tuple of str
        Names of the arrays of each item besides `spectrum`, and of those that all items share.
    perhaps : tuple of str
        Names of further arrays of each item, of some models alone.
    above : bool
        Whether the values above the threshold are counted, instead of those that do not exceed it.
    zeros : int
        Values of each spectrum that are zero whatever the item is.
    """

    shape = "spectra"
    later = frozenset({"percentile"})
    batched: ClassVar[bool] = False  # whether items are computed in batches of the option `batch_size`
    above: ClassVar[bool] = False
    zeros: ClassVar[int] = 0
    needs: ClassVar[Needs] = "score"
    beside: ClassVar[tuple[str, ...]] = ()
    perhaps: ClassVar[tuple[str, ...]] = ()
    once: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def spectra(cls, setting: Setting, rows: Places) -> Arrays:
        """Compute `spectrum` float64 (m, d), descending, and the arrays `beside` it, of some items."""
        raise NotImplementedError

    @classmethod
    def constants(cls, setting: Setting) -> Arrays:
        """The arrays that all items share."""
        return {}

    @classmethod
    def describe(cls, setting: Setting) -> dict[str, Any]:
        """Say how it was computed, for run records."""
        return {"method": cls.name}

    @classmethod
    def counts(cls, arrays: Arrays, threshold: float, options: Any, seed: int) -> dict[str, Any]:
        """Turn the arrays of all items into columns of the table, `value` among them."""
        from mmh.lid.spectra import count_above, count_below

        count = count_above if cls.above else count_below
        return {"value": count(arrays["spectrum"], threshold).astype(float)}


class SetScore(Score):
    """An estimator of a whole item set, from its images."""

    shape = "set"
    numerics = False

    @classmethod
    def of_set(
        cls, x: NDArray[Any], ids: Places, options: Any, seed: int, record: dict[str, Any]
    ) -> dict[str, Any]:
        """Compute columns of the table, `value` among them, from images (n, ...); `record` is the run's."""
        raise NotImplementedError


class RatioScore(Score):
    """A score that follows from others when all of them are put together."""

    shape, numerics = "ratio", False

    @classmethod
    def combined(
        cls, table: pd.DataFrame, name: str, items: str, options: Config, *, calibration: int = 0
    ) -> tuple[pd.DataFrame, dict[str, Any]]:
        """Give its rows for one item set, from those of all scores, and what the run record says of it.

        No evaluation sees the first `calibration` samples.
        """
        raise NotImplementedError


SCORES: Table[Score] = Table("method of an estimator", "mmh.scores", Score)


def printed_names(estimators: Mapping[str, Config]) -> dict[str, str]:
    """Give names that figures print: the method's for the first estimator that it fits, the others' own."""
    names: dict[str, str] = {}
    for name, options in estimators.items():
        printed = SCORES[options["method"]].printed(options, estimators)
        names[name] = printed if printed and printed not in names.values() else name
    return names
