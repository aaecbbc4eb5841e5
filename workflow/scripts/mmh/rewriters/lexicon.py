"""A rewriter that needs no model: the lexicon of the embedded world `digits-captions`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mmh.options import base as options
from mmh.options.entries import Entry
from mmh.rewriters.base import Answer, Ask, Rewriter
from mmh.worlds.base import WORLDS


class Lexicon(Rewriter):
    """Numerals become the next one, KEYs and decoys others of a list, all other words a synonym.

    The paper's instruction keeps names. Here a KEY is exchanged if it is asked for: it is what is planted.
    """

    name, printed = "lexicon", "lexicon"

    class Options(options.Options):
        """Words from the world's own grammar."""

        others: list[str] = []
        """made-up words of no image of its own, for KEYs and decoys; empty: those of several prompts"""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self._others = list(self.options.others)

    def prepare(self, prompts: Sequence[str]) -> None:
        """Find the made-up words that occur in several prompts, unless some are given."""
        from mmh.worlds.sets.caption_words import shared_words

        self._others = self._others or shared_words(prompts)

    def rewrite(self, ask: Ask, attempt: int) -> Answer:
        """Replace the chosen words in turn."""
        from mmh.compute import rng
        from mmh.worlds.sets.wordings import GRAMMAR

        words = list(ask.words)
        for place in ask.chosen:
            key = (ask.prompt, ask.repeat, place, attempt)
            random = rng.generator(ask.seed, f"lexicon:{ask.prompt_set}", *key)
            words[place] = GRAMMAR.synonym(words[place], self._others, random)
        return Answer(" ".join(words), self.name)

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Worlds whose words it does not know."""
        if experiment.world and not WORLDS[experiment.world].grammar:
            yield (
                f"{where}.method: lexicon knows the words of digits-captions, not those of the world "
                f"{experiment.world}; use table, openai or transformers"
            )
