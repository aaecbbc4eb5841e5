"""A rewriter that needs no model: the lexicon of the embedded world `digits-captions`."""

from __future__ import annotations

from typing import Annotated

from mmh.options import base as options
from mmh.options.base import Field
from mmh.rewriters.base import Answer, Ask, Rewriter


class Lexicon(Rewriter):
    """Numerals become the next one, KEYs and decoys others of a list, all other words a synonym.

    The paper's instruction keeps names. Here a KEY is exchanged if it is asked for: it is what is planted.
    """

    name, printed = "lexicon", "lexicon"

    class Options(options.Options):
        """Words from the world's own grammar."""

        others: Annotated[list[str], Field(min_length=2)]
        """made-up words that belong to no image of its own, for KEYs and decoys"""

    def rewrite(self, ask: Ask, attempt: int) -> Answer:
        """Replace the chosen words in turn."""
        from mmh.compute import rng
        from mmh.worlds.sets.wordings import GRAMMAR

        words = list(ask.words)
        for place in ask.chosen:
            key = (ask.prompt, ask.repeat, place, attempt)
            random = rng.generator(ask.seed, f"lexicon:{ask.prompt_set}", *key)
            words[place] = GRAMMAR.synonym(words[place], self.options.others, random)
        return Answer(" ".join(words), self.name)
