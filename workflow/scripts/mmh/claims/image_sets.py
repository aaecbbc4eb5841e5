"""What the claims about images with captions share: the memorized set against each of the others.

Every interval is over families of images. Where the words of the captions alone tell two sets apart, that
number stands beside what is found; and what is claimed of memorized images is asked of two sets without any,
too. Scores are oriented as the papers expect: small LID and
small PNG size, but a large CFG-vector norm, speak for memorization.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mmh.claims.base import HALF, Claim, Context, Finding, FlipdName
from mmh.errors import InputError
from mmh.options import base as options
from mmh.options.base import EstimatorName, Field, ImageSetName
from mmh.options.computed import of_another_method
from mmh.options.entries import Entry

if TYPE_CHECKING:
    from mmh.stats.curves import Comparison

    Role = Literal["claim", "control"]

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
    tables: ClassVar[tuple[str, ...]] = ("scores", "image_sets", "evaluation")
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


def contrasts(context: Context) -> Iterator[tuple[str, str, Role]]:
    """Sets that are compared: the memorized one with each of the others, and, as controls, two others."""
    positive, others = context.options.positive_set, negative_sets(context)
    for negative in others:
        yield positive, negative, "claim"
    for one, other in itertools.combinations(others, 2):
        yield one, other, "control"


def compared(context: Context, one: str, other: str, signs: Mapping[str, float]) -> Comparison | None:
    """Scores of the images of two sets that have all of them; nothing where a set has too few.

    `signs` are 1 for scores whose large values speak for memorization, by name, and -1 for the others.
    """
    import numpy as np

    from mmh.stats.curves import compare

    names = list(signs)
    table = context.images([one, other], names).dropna(subset=names)
    positive = (table["items"] == one).to_numpy()
    if min(positive.sum(), (~positive).sum()) < MIN_CLASS:
        return None
    values = table[names].to_numpy() * np.array([signs[name] for name in names])
    return compare(values, positive, table["family"].to_numpy(), unit="family")


def by_text(context: Context, one: str, other: str) -> str:
    """Say how well words alone tell two sets apart, if the evaluation has looked."""
    from mmh.evaluation.names import TEXT, contrast_name

    table = context.tables["evaluation"]
    texts = table[[str(name).startswith(TEXT) for name in table["estimator"]]]
    if texts.empty:
        return ""
    for name in (contrast_name(one, other), contrast_name(other, one)):
        rows = texts[texts["contrast"] == name]
        if len(rows):
            best = rows.loc[(rows["auc"] - 0.5).abs().idxmax()]
            return f"{best.estimator}: {best.auc:.3f} [{best.auc_low:.3f}, {best.auc_high:.3f}]"
    return ""


def detects_better(context: Context, name: str, than: str, *, large: Sequence[str] = ()) -> Iterator[Finding]:
    """The paired difference of AUC of two scores; all but `large` are turned.

    Above the least gain where memorized images are compared with others; within it where neither are.
    """
    least = context.options.least_gain
    signs = {one: 1.0 if one in large else -1.0 for one in (name, than)}
    for one, other, role in contrasts(context):
        found = compared(context, one, other, signs)
        if found is None:
            continue
        said, region = f"above {least:g}", (least, math.inf)
        if role == "control":
            said, region = f"none memorized: within {least:g} of 0", (-least, least)
        yield Finding(
            f"AUC of {name} minus {than}, {one} against {other} ({said})",
            partial(found.difference, 0, 1),
            region,
            null="0: both tell the sets alike" if role == "claim" else "as with memorized images",
            role=role,
            beside=by_text(context, one, other),
        )


def detects(context: Context, names: Mapping[str, float]) -> Iterator[Finding]:
    """The AUC of each score, by name with its sign: from the evaluation, for controls from the scores."""
    from mmh.evaluation.compared import area_of
    from mmh.evaluation.names import contrast_name

    least = context.options.least_auc
    rows = context.tables["evaluation"].set_index(["contrast", "estimator"])
    for name, sign in names.items():
        for one, other, role in contrasts(context):
            key = (contrast_name(one, other), name)
            if role == "claim" and key in rows.index:
                at: Any = partial(area_of, rows.loc[key])
            elif found := compared(context, one, other, {name: sign}):
                at = partial(found.area, 0)
            else:
                continue
            said, region, null = f"above {least:g}", (least, math.inf), HALF
            if role == "control":
                said, region = f"none memorized: within {least - 0.5:.2g} of .5", (1 - least, least)
                null = "as with memorized images"
            yield Finding(
                f"AUC of {name}, {one} against {other} ({said})",
                at,
                region,
                null=null,
                role=role,
                beside=by_text(context, one, other),
            )
