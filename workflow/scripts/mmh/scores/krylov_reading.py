"""What the further statistics of a Krylov pass have in common: they are read off its table, at no cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from mmh.options import base as declared
from mmh.options.base import ComputedName
from mmh.scores.base import Config, RatioScore
from mmh.scores.following import misfits_of_parts

if TYPE_CHECKING:
    import pandas as pd

    from mmh.options.entries import Entry


class KrylovReading(RatioScore):
    """A statistic that an estimator of the method `krylov` has computed beside LHSD.

    Attributes
    ----------
    part : str
        Its name there.
    """

    random, latents = False, True
    part: ClassVar[str] = ""

    class Options(declared.Options):
        """A statistic of a Krylov pass."""

        of: ComputedName
        """estimator of the method krylov whose pass it is read off"""

    @classmethod
    def printed(cls, options: Config, others: Mapping[str, Config]) -> str:
        """Name those of captioned images apart."""
        source = others.get(options["of"], {})
        kind = {"caption": ", conditional", "empty": ", unconditional"}.get(source.get("condition") or "", "")
        return f"{cls.label}{kind}"

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Find a score that is no Krylov pass, and what it does not take."""
        yield from super().check(options, experiment, where)
        yield from misfits_of_parts(options, experiment, where, ("of",), "a reading")
        source = experiment.section("estimators").get(options.of)
        if source is None:
            return  # reported as an unknown name
        if source["method"] != "krylov":
            yield f"{where}.of: {options.of!r} is computed by {source['method']!r}; name a krylov one"
        elif cls.part == "asymmetry" and not source.get("asymmetry") and source.get("m") != "exact":
            yield f"{where}.of: {options.of!r} takes no J v; set its asymmetry: true"

    @classmethod
    def combined(
        cls, table: pd.DataFrame, name: str, items: str, options: Config, *, calibration: int = 0
    ) -> tuple[pd.DataFrame, dict[str, Any]]:
        """Take the rows of the statistic."""
        from mmh.scores.order import part_name

        wanted = part_name(options["of"], cls.part)
        rows = table[(table["items"] == items) & (table["estimator"] == wanted)]
        return rows.assign(estimator=name), {"read_off": wanted, "n": len(rows)}
