"""What the claims about images with captions share: the memorized set against each of the others.

Every interval draws families of images together. Scores are oriented as the papers expect: small LID and
small PNG size, but a large CFG-vector norm, speak for memorization.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from mmh.claims.base import Claim, Context, Finding, FlipdName
from mmh.errors import InputError
from mmh.options import base as options
from mmh.options.base import EstimatorName, Field, ImageSetName
from mmh.options.computed import of_another_method
from mmh.options.entries import Entry

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mmh.stats.resampling import Interval

MIN_CLASS = 2


class SetOptions(options.Options):
    """Which image sets are compared."""

    positive_set: ImageSetName = "memorized"
    """Claims 7-11, 18: image set of the memorized images."""
    negative_sets: list[ImageSetName] = Field([])
    """Claims 7-11, 18: sets that it is compared with; all others by default."""


class Flipds(FlipdName, SetOptions):
    """FLIPD with and without the caption."""

    flipd_uncond: EstimatorName = "flipd_uncond"
    """Claims 7, 9-11, 18: FLIPD with the empty caption."""


class Norm(Flipds):
    """FLIPD and the CFG-vector norm."""

    cfg_norm: EstimatorName = "cfg_norm"
    """Claims 9, 10: CFG-vector norm."""


class SetClaim(Claim):
    """A claim about image sets of one experiment."""

    figure = "metric_histograms"
    needs = ("detection",)
    tables = ("scores", "image_sets")
    Options: ClassVar[type[SetOptions]] = Flipds

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """FLIPD and the CFG-vector norm are of these methods."""
        for key, method in (("flipd", "flipd"), ("flipd_uncond", "flipd"), ("cfg_norm", "cfg-norm")):
            if key in type(options).model_fields:
                yield from of_another_method(experiment, getattr(options, key), method, f"{where}.{key}")


def negative_sets(context: Context) -> list[str]:
    """Names of the sets that the memorized images are compared with."""
    known = list(dict.fromkeys(context.tables["image_sets"]["items"]))
    positive = context.options.positive_set
    if positive not in known:
        raise InputError(
            f"claims.positive_set: there is no image set '{positive}'; there are {', '.join(known)}"
        )
    return list(context.options.negative_sets) or [name for name in known if name != positive]


def pairs(context: Context, estimators: Sequence[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Images of each contrast that have all scores, where both classes have at least two."""
    from mmh.evaluation.image_sets import side_by_side

    positive = context.options.positive_set
    for negative in negative_sets(context):
        table = side_by_side(
            context.tables["scores"], context.tables["image_sets"], [positive, negative], estimators
        ).dropna(subset=list(estimators))
        count = int((table["items"] == positive).sum())
        if min(count, len(table) - count) >= MIN_CLASS:
            yield f"{positive} against {negative}", table


def gain(context: Context, table: pd.DataFrame, score: np.ndarray, other: np.ndarray) -> Interval:
    """Paired difference of the AUC of two scores of the images of `pairs`."""
    from mmh.stats.curves import paired_auc_difference

    return paired_auc_difference(
        score,
        other,
        (table["items"] == context.options.positive_set).to_numpy(),
        table["family"].to_numpy(),
        unit="family",
    )


def detects_better(context: Context, name: str, than: str, *, large: Sequence[str] = ()) -> Iterator[Finding]:
    """The paired difference of AUC of two scores on each contrast above 0; all but `large` are turned."""
    for contrast, table in pairs(context, [name, than]):
        score, other = ((1 if one in large else -1) * table[one].to_numpy() for one in (name, than))
        interval = gain(context, table, score, other)
        yield f"AUC of {name} minus {than}, {contrast} (above 0)", interval, (0.0, float("inf"))


def detects(context: Context, names: Sequence[str]) -> Iterator[Finding]:
    """The AUC of each score on each contrast above one half, from rows of the evaluation."""
    from mmh.evaluation.compared import area_of
    from mmh.evaluation.names import contrast_name

    rows = context.tables["evaluation"].set_index(["contrast", "estimator"])
    positive = context.options.positive_set
    for name in names:
        for negative in negative_sets(context):
            key = (contrast_name(positive, negative), name)
            if key in rows.index:
                statistic = f"AUC of {name}, {positive} against {negative} (above .5)"
                yield statistic, area_of(rows.loc[key]), (0.5, float("inf"))
