"""Random tokens put in (RTA; Somepalli et al., 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmh.choices.base import Augmentation

if TYPE_CHECKING:
    import numpy as np


class RandomTokens(Augmentation):
    """Any token of the tokenizer, as a text."""

    name, printed = "random-tokens", "random tokens (RTA)"

    def addition(self, words: Sequence[str], vocabulary: Sequence[str], random: np.random.Generator) -> str:
        """Draw evenly."""
        return vocabulary[int(random.integers(len(vocabulary)))]
