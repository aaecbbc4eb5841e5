"""Random numbers put in (RNA; Somepalli et al., 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmh.choices.base import Augmentation

if TYPE_CHECKING:
    import numpy as np

LARGEST = 10**5


class RandomNumbers(Augmentation):
    """Whole numbers below 100 000."""

    name, printed = "random-numbers", "random numbers (RNA)"

    def addition(self, words: Sequence[str], vocabulary: Sequence[str], random: np.random.Generator) -> str:
        """Draw evenly."""
        return str(int(random.integers(LARGEST)))
