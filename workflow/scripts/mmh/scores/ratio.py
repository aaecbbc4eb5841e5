"""The quotient of two estimators, such as LID / PNG size (Fig. 8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mmh.errors import InputError
from mmh.options import base as declared
from mmh.options.base import ComputedName
from mmh.scores.base import SCORES, Config, RatioScore
from mmh.scores.following import misfits_of_parts, side_by_side

if TYPE_CHECKING:
    import pandas as pd

    from mmh.options.entries import Entry


class Ratio(RatioScore):
    """One score over another, item by item, with the numerator's standard error over the divisor.

    A quotient orders by the numerator's size at a given divisor only where the numerator is positive: docs/
    estimators.md says what `residual` is for.

    Formula: numerator / denominator.

    Source: Fig. 8 of the paper, LID / PNG size.

    Cost: none beyond its two scores.

    Fails: where the numerator is negative: a larger divisor then raises the quotient instead of lowering it.
    """

    name, random = "ratio", False

    class Options(declared.Options):
        """Quotient of two estimators."""

        numerator: ComputedName
        """estimator; of counts such as nb or jacobian, which are never negative: FLIPD may be"""
        denominator: ComputedName
        """estimator"""

    @classmethod
    def printed(cls, options: Config, others: Mapping[str, Config]) -> str:
        """Name both."""
        parts = [others[options[part]] for part in ("numerator", "denominator")]
        names = [SCORES[part["method"]].printed(part, others) for part in parts]
        return " / ".join(names) if all(names) else ""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Find scores that are not there for every item, and a ratio that follows from itself."""
        yield from super().check(options, experiment, where)
        yield from misfits_of_parts(options, experiment, where, ("numerator", "denominator"), "a ratio")

    @classmethod
    def combined(
        cls, table: pd.DataFrame, name: str, items: str, options: Config, *, calibration: int = 0
    ) -> tuple[pd.DataFrame, dict[str, Any]]:
        """Divide the scores of one item set, and say how many numerators are negative."""
        bottom = options["denominator"]
        rows, divisor = side_by_side(table, name, items, options["numerator"], bottom)
        if (divisor == 0).any():
            first = rows["item"][divisor == 0].iloc[0]
            raise InputError(
                f"{name}: item {first} of {items} has the {bottom} score 0, which divides nothing"
            )
        negative = int((rows["value"] < 0).sum())
        rows["value"] = rows["value"] / divisor
        rows["stderr"] = rows["stderr"] / divisor
        return rows, {"n": len(rows), "negative_numerators": negative}
