"""An oracle: the words that an embedded world planted go first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mmh.choices.base import WordChoice
from mmh.options.entries import Entry
from mmh.worlds.base import WORLDS


class KeyFirst(WordChoice):
    """KEYs, in random order; then the others, in random order."""

    name, printed = "key-first", "KEY first (oracle)"

    def weights(self, words: Sequence[str], attributed: Sequence[float]) -> list[float]:
        """1 for a KEY, 0 for others: those come when no KEY is left."""
        from mmh.worlds.sets.wordings import GRAMMAR

        return [float(GRAMMAR.role(word) == "key") for word in words]

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Worlds that do not say which word is planted."""
        if experiment.world and not WORLDS[experiment.world].grammar:
            yield (
                f"{where}: the world {experiment.world} does not say which words are planted; leave it out, "
                "or use random"
            )
