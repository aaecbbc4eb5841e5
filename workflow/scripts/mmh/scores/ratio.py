"""The quotient of two estimators, such as LID / PNG size (Fig. 8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mmh.errors import InputError
from mmh.options import base as declared
from mmh.options.base import ComputedName
from mmh.scores.base import SCORES, Config, RatioScore

if TYPE_CHECKING:
    import pandas as pd

    from mmh.options.entries import Entry


class Ratio(RatioScore):
    """One score over another, item by item, with the numerator's standard error over the divisor."""

    name, random = "ratio", False

    class Options(declared.Options):
        """Quotient of two estimators."""

        numerator: ComputedName
        """estimator"""
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
        from mmh.scores.order import circle

        yield from super().check(options, experiment, where)
        way = circle(where.rpartition(".")[2], experiment.section("estimators"))
        if way:
            yield f"{where}: follows from itself ({' -> '.join(way)}); divide scores that are computed"
        for part in ("numerator", "denominator"):
            name = getattr(options, part)
            source = experiment.section("estimators").get(name)
            if source is None:
                continue  # reported as an unknown name
            lacking = [items for items in experiment.at(where)["items"] if items not in source["items"]]
            if lacking:
                yield f"{where}.items: {name!r} is not computed on {lacking[0]!r}"
            if isinstance(source.get("t"), list):
                yield f"{where}.{part}: {name!r} has a list of t; a ratio needs one"

    @classmethod
    def combined(cls, table: pd.DataFrame, name: str, items: str, options: Config) -> pd.DataFrame:
        """Divide the scores of one item set."""
        chosen = table[table["items"] == items]
        top = chosen[chosen["estimator"] == options["numerator"]].copy()
        bottom = chosen[chosen["estimator"] == options["denominator"]].set_index("item")["value"]
        divisor = top["item"].map(bottom)
        if divisor.isna().any() or (divisor == 0).any():
            first = top["item"][divisor.isna() | (divisor == 0)].iloc[0]
            raise InputError(f"{name}: item {first} of {items} has no nonzero {options['denominator']} score")
        top["value"] = top["value"] / divisor
        top["stderr"] = top["stderr"] / divisor
        top["estimator"] = name
        return top
