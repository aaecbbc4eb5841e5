"""Words drawn at random: the control of every choice with a reason."""

from __future__ import annotations

from collections.abc import Sequence

from mmh.choices.base import Law, WordChoice


class RandomWords(WordChoice):
    """Every word alike."""

    name, printed, plain = "random", "random words", True

    @property
    def law(self) -> Law:
        """No weight counts."""
        return "uniform"

    def weights(self, words: Sequence[str], attributed: Sequence[float]) -> list[float]:
        """All 1."""
        return [1.0] * len(words)
