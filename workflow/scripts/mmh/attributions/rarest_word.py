"""A control: the rarest word of a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmh.attributions.base import TextAttribution


class RarestWord(TextAttribution):
    """1 / (1 + occurrences in the captions): memorized captions are told by rare words, says common sense."""

    name, printed = "rarest-word", "rarest word"

    def of_words(self, words: Sequence[str], counts: Mapping[str, int]) -> list[float]:
        """Large for rare words."""
        return [1.0 / (1 + counts.get(word, 0)) for word in words]
