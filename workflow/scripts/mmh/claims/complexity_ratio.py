"""Claim 6: LID divided by the size of the PNG."""

import math
from collections.abc import Iterator
from typing import Any

from mmh.claims.base import Claim, Context, Finding
from mmh.options import base as options
from mmh.options.base import EstimatorName, Field
from mmh.options.entries import Entry


class Options(options.Options):
    """Options of claim 6."""

    ratios: dict[EstimatorName, EstimatorName] = Field(default={})
    """Claim 6: name of LID / PNG to name of its LID."""


class RatioImproves(Claim):
    """What the division gains, on the same samples."""

    name = "6"
    statement = "Dividing LID by PNG size improves the separation of memorized from not memorized samples"
    figure = "lid_complexity"
    needs = ("evaluation",)
    tables = ("scores", "labels", "matches", "train")
    Options = Options

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Each is a ratio, and what it is compared with is its numerator."""
        estimators = experiment.section("estimators")
        for ratio, plain in options.ratios.items():
            if ratio in estimators and estimators[ratio].get("numerator") != plain:
                yield f"{where}.ratios.{ratio}: {ratio!r} is no ratio of the numerator {plain!r}; use its own"

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """The paired difference of AUC above 0, on each contrast."""
        from mmh.evaluation.samples import CONTRASTS, UNITS, contrast_rows
        from mmh.stats.curves import paired_auc_difference

        ratios = context.options.ratios
        table = context.labelled(list(dict.fromkeys([*ratios, *ratios.values()])))
        for contrast in CONTRASTS:
            for ratio, plain in ratios.items():
                rows = contrast_rows(table, contrast).dropna(subset=[ratio, plain])
                positive = rows["positive"].to_numpy()
                if min(positive.sum(), (~positive).sum()) < 2:
                    continue
                interval = paired_auc_difference(
                    -rows[ratio].to_numpy(),
                    -rows[plain].to_numpy(),
                    positive,
                    rows["cluster"].to_numpy(),
                    unit=UNITS["group"],
                )
                yield f"AUC of {ratio} minus {plain}, {contrast} (above 0)", interval, (0.0, math.inf)
