"""Words drawn by an attribution: the paper's rewriting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from mmh.attributions.base import ATTRIBUTIONS
from mmh.choices.base import Law, WordChoice
from mmh.options import base as options
from mmh.options.base import Field
from mmh.options.entries import Entry
from mmh.options.messages import did_you_mean


class ByAttribution(WordChoice):
    """The more a word drives memorization, the likelier it goes (paper, Section 4.2 and Appendix D.4)."""

    name, printed = "attribution", "by attribution"

    class Options(options.Options):
        """Words by an attribution."""

        attribution: str = Field(min_length=1)
        """name under `attribution.attributions`"""
        level: Literal["output", "input"] = "output"
        """where its gradient is taken: at the text encoder's output (the paper's), or at its input"""
        law: Literal["normalised", "softmax"] = "normalised"
        """normalised: the share of the sum, the paper's; softmax: that of its authors' program"""

    @property
    def law(self) -> Law:
        """As the options say."""
        found: Law = self.options.law
        return found

    @property
    def reads(self) -> tuple[str, str]:
        """Name and level of the attribution."""
        return self.options.attribution, self.options.level

    def weights(self, words: Sequence[str], attributed: Sequence[float]) -> list[float]:
        """Its values."""
        return list(attributed)

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Attributions and levels that are not there, or not of all the prompts."""
        section, name = experiment.section("attribution"), options.attribution
        there = section.get("attributions", {})
        if not there:
            yield f"{where}: needs the section 'attribution', which this experiment lacks"
            return
        if name not in there:
            yield f"{where}.attribution: there is no attribution {name!r}{did_you_mean(name, list(there))}"
            return
        row = ATTRIBUTIONS.rows().get(there[name].get("method"))
        if row is not None and row.how == "gradient" and options.level not in section["levels"]:
            yield f"{where}.level: attribution.levels has no {options.level!r}; add it"
        for prompts, n in experiment.section("rewriting").get("sets", {}).items():
            attributed = section["sets"].get(prompts, 0)
            if n > attributed:
                yield f"{where}: {n} prompts of {prompts!r}, of which attribution.sets has {attributed}"
