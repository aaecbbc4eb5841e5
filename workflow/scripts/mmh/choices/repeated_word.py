"""A word of the prompt put in once more (CWR; Somepalli et al., 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmh.choices.base import Augmentation

if TYPE_CHECKING:
    import numpy as np


class RepeatedWord(Augmentation):
    """Any word of the prompt as it then is."""

    name, printed = "repeated-word", "a word repeated (CWR)"

    def addition(self, words: Sequence[str], vocabulary: Sequence[str], random: np.random.Generator) -> str:
        """Draw evenly."""
        return words[int(random.integers(len(words)))]
