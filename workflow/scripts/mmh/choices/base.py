"""Choices of what is changed in a prompt, a file each, with a class. Most name the words that are to go.

A whole one, which ``rewriting: choices: {longest: {method: longest-word}}`` asks for:

    from mmh.choices.base import WordChoice

    class LongestWord(WordChoice):
        name, printed = "longest-word", "longest words"

        def weights(self, words, attributed):
            return [float(len(word)) for word in words]

Words are drawn by these weights, a rewriter puts others in their place, and sampling, measures, table and
figure are done for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mmh.rows import Row, Table

if TYPE_CHECKING:
    import numpy as np

Law = Literal["normalised", "softmax", "uniform"]
"""How words are drawn by their weights: `mmh.rewriting.draws.probabilities`."""


class Choice(Row):
    """What is changed in a prompt.

    Attributes
    ----------
    printed : str
        Its name in figures; its name in the configuration if empty.
    plain : bool
        Whether it prefers no word: what others are compared with.
    """

    printed: ClassVar[str] = ""
    plain: ClassVar[bool] = False

    def __init__(self, options: Any = None) -> None:
        self.options: Any = self.Options() if options is None else options


class WordChoice(Choice):
    """Which words are to go, for a rewriter to put others in their place."""

    @property
    def law(self) -> Law:
        """How words are drawn by their weights."""
        return "normalised"

    @property
    def reads(self) -> tuple[str, str] | None:
        """The attribution, and its level, that `weights` is given; nothing if it needs none."""
        return None

    def weights(self, words: Sequence[str], attributed: Sequence[float]) -> list[float]:
        """Give the weight of each word, not negative; `attributed` is empty where `reads` is nothing."""
        raise NotImplementedError(self.name)


class Augmentation(Choice):
    """What is put in at random places, whatever the words are (Somepalli et al., 2023)."""

    def addition(self, words: Sequence[str], vocabulary: Sequence[str], random: np.random.Generator) -> str:
        """Give what is put in next; `words` are the prompt so far, `vocabulary` the tokens as texts."""
        raise NotImplementedError(self.name)

    def augmented(
        self, words: Sequence[str], k: int, vocabulary: Sequence[str], random: np.random.Generator
    ) -> str:
        """Put in k additions, one after the other, each at one of the places that there then are."""
        found = list(words)
        for _ in range(k):
            new = self.addition(found, vocabulary, random)
            found.insert(int(random.integers(len(found) + 1)), new)
        return " ".join(found)


CHOICES: Table[Choice] = Table("choice", "mmh.choices", Choice)


def made(asked: Mapping[str, Mapping[str, Any]]) -> dict[str, Choice]:
    """Make choices from their blocks, by name."""
    found = {}
    for name, block in asked.items():
        row = CHOICES[block["method"]]
        given = {key: value for key, value in block.items() if key != "method"}
        found[name] = row(row.Options.model_validate(given))
    return found
