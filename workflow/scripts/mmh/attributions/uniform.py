"""A control: every word alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmh.attributions.base import TextAttribution


class Uniform(TextAttribution):
    """1 for each word: what chance gives."""

    name, printed = "uniform", "chance"

    def of_words(self, words: Sequence[str], counts: Mapping[str, int]) -> list[float]:
        """The same for all."""
        return [1.0] * len(words)
