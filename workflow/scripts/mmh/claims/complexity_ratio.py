"""Claim 6: LID divided by the size of the PNG."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

from mmh.claims.base import Claim, Context, Finding, Gain
from mmh.options.base import EstimatorName, Field
from mmh.options.entries import Entry


class Options(Gain):
    """Options of claim 6."""

    ratios: dict[EstimatorName, EstimatorName] = Field(default={})
    """Claim 6: name of a LID without PNG size (a ratio or residual) to name of its LID."""


class RatioImproves(Claim):
    """What the division gains, on the same samples."""

    name = "6"
    statement = (
        "Taking PNG size out of LID (by division, or its line for FLIPD, which may be negative) improves the "
        "separation of memorized from not memorized samples"
    )
    figure = "lid_complexity"
    needs = ("evaluation",)
    tables = ("scores", "labels", "matches", "train")
    Options = Options

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Each is a ratio or a residual, and what it is compared with is its numerator, or what it is of."""
        if not options.ratios:
            yield f"{where}.ratios: is missing; give each LID without PNG size, and its LID"
        for name, plain in options.ratios.items():
            block = experiment.section("estimators").get(name)
            key = {"ratio": "numerator", "residual": "of"}.get(block["method"]) if block else None
            if block and not key:
                yield f"{where}.ratios.{name}: {name!r} is neither a ratio nor a residual; name one"
            elif block and key and block[key] != plain:
                yield f"{where}.ratios.{name}: {name!r} is of {block[key]!r}, not of {plain!r}; name its own"

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """The paired difference of AUC above the least that counts, on each contrast."""
        from mmh.evaluation.samples import CONTRASTS, UNITS, contrast_rows
        from mmh.stats.curves import compare

        ratios, least = context.options.ratios, context.options.least_gain
        table = context.labelled(list(dict.fromkeys([*ratios, *ratios.values()])))
        for contrast in CONTRASTS:
            for ratio, plain in ratios.items():
                rows = contrast_rows(table, contrast).dropna(subset=[ratio, plain])
                positive = rows["positive"].to_numpy()
                if min(positive.sum(), (~positive).sum()) < 2:
                    continue
                both = -rows[[ratio, plain]].to_numpy()
                compared = compare(both, positive, rows["cluster"].to_numpy(), unit=UNITS["group"])
                yield Finding(
                    f"AUC of {ratio} minus {plain}, {contrast} (above {least:g})",
                    partial(compared.difference, 0, 1),
                    (least, math.inf),
                    null="0: PNG size adds nothing",
                )
