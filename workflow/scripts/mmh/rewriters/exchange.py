"""A rewriter that needs neither a model nor a grammar: words that other prompts have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from mmh.errors import InputError
from mmh.options import base as options
from mmh.options.base import Field
from mmh.rewriters.base import Answer, Ask, Rewriter


class Exchange(Rewriter):
    """Each word that is to go is exchanged for one that several prompts hold and this one does not.

    It keeps no meaning: what it shows is what the choice of words does, whatever comes in their place.
    """

    name, printed = "exchange", "words of other prompts"

    class Options(options.Options):
        """Words of other prompts."""

        least: int = Field(default=2, ge=1)
        """in how many prompts a word has to stand: a word of one alone may bring its image back"""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self._words: list[str] = []

    def prepare(self, prompts: Sequence[str]) -> None:
        """Count in how many prompts each word stands."""
        count = Counter(word for text in prompts for word in set(text.split()))
        self._words = sorted(word for word, n in count.items() if n >= self.options.least)

    def rewrite(self, ask: Ask, attempt: int) -> Answer:
        """Draw a word for each place; the same for the same words and seed."""
        from mmh.compute import rng

        words, held = list(ask.words), set(ask.words)
        known = [word for word in self._words if word not in held]
        if not known:
            raise InputError(
                f"exchange: the prompts have no word in common that prompt {ask.prompt} of "
                f"{ask.prompt_set!r} lacks; use a smaller least, or another rewriter"
            )
        for place in ask.chosen:
            key = (ask.prompt, ask.repeat, place, attempt)
            random = rng.generator(ask.seed, f"exchange:{ask.prompt_set}", *key)
            words[place] = known[random.integers(len(known))]
        return Answer(" ".join(words), self.name)
