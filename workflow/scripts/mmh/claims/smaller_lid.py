"""Claims 2 and 3: the model's LID of memorized samples is smaller."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any, ClassVar

from mmh.claims.base import HALF, Claim, Context, Finding, Relevance
from mmh.options.base import EstimatorName, Field, Unique
from mmh.options.computed import not_on_samples
from mmh.options.entries import Entry


class Options(Relevance):
    """Options of claims 2 and 3."""

    model_estimators: Annotated[list[EstimatorName], Field(min_length=1), Unique()] | None = None
    """Claims 2, 3: LID_theta."""


class SmallerLid(Claim):
    """The AUC of a small LID_theta, from the evaluation, on one contrast."""

    figure = "lid_model"
    needs = ("evaluation",)
    tables = ("evaluation",)
    contrast: ClassVar[str]
    Options = Options

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """LID_theta is of samples."""
        names = options.model_estimators or ()
        if not names:
            yield f"{where}.model_estimators: is missing; name evaluated estimators of LID_theta"
        yield from not_on_samples(experiment, names, f"{where}.model_estimators")

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """Each above the least that counts."""
        from mmh.evaluation.compared import area_of

        table = context.tables["evaluation"]
        rows = table[table["contrast"] == cls.contrast].set_index("estimator")
        for name in context.options.model_estimators or ():
            if name in rows.index:
                least = context.options.least_auc
                yield Finding(
                    f"AUC of {name}, {cls.contrast} against not memorized (above {least:g})",
                    partial(area_of, rows.loc[name]),
                    (least, math.inf),
                    null=HALF,
                )


class ExactSmaller(SmallerLid):
    """Of exact copies."""

    name = "2"
    statement = "LID_theta is smaller for exactly memorized than for not memorized samples"
    contrast = "exact"


class ReconstructiveSmaller(SmallerLid):
    """Of reconstructive ones."""

    name = "3"
    statement = "LID_theta is smaller for reconstructively memorized than for not memorized samples"
    contrast = "reconstructive"
