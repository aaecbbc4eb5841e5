"""Names in ``evaluation.csv`` of what is evaluated on image sets and prompts."""

import re
from dataclasses import dataclass
from typing import Self

PROMPTS = "prompts:"
"""Before the contrasts of prompts."""
TURNED = ".turned"
"""Behind a control that is no text, turned to the side that the other folds say."""
MATCHED = ":matched"
"""Behind a contrast of prompts that are matched in length and capitals."""


_DETECTOR = re.compile(r"(?P<metric>[\w-]+)\.(?P<variant>first\d*|mean|low|final)\.n(?P<generations>\d+)")


def contrast_name(positive: str, negative: str) -> str:
    """Name the contrast of two sets."""
    return f"{positive}-{negative}"


@dataclass(frozen=True)
class Detector:
    """A detector of prompts: a metric, averaged; ``metric.variant.nG`` in print.

    Attributes
    ----------
    metric : str
        A name of `mmh.metrics.base.METRICS`.
    variant : str
        Where it is averaged: at the first step (``first``), over the first k (``firstk``) or all steps
        (``mean``), over those that it sees alone (``low``), or on the finished image (``final``).
    generations : int
        How many generations it is averaged over.
    """

    metric: str
    variant: str
    generations: int

    def __str__(self) -> str:
        return f"{self.metric}.{self.variant}.n{self.generations}"

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Read a name; None if it is no detector of prompts."""
        parts = _DETECTOR.fullmatch(name)
        return cls(parts["metric"], parts["variant"], int(parts["generations"])) if parts else None

    @property
    def steps(self) -> int | None:
        """How many of the first steps are averaged; None where that is not what is averaged."""
        return int(self.variant.removeprefix("first") or 1) if self.variant.startswith("first") else None


def first_steps(count: int) -> str:
    """Variant of the first so many steps."""
    return "first" if count == 1 else f"first{count}"
