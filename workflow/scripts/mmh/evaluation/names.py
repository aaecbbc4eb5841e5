"""Names in ``evaluation.csv`` beside those of `config.yaml`: a reference, detectors of prompts."""

import re
from dataclasses import dataclass
from typing import Self

TEXT = "text_"
"""Before the names of controls that see words alone."""
REFERENCE = "distance"
"""The distance that planted labels follow from: a reference, never a detector."""
ITEM, MATCH, PAIR = "item", "match", "pair"
"""What a score is of: a sample (an image, a prompt), the training image that it matches, or both."""
PROMPTS = "prompts:"
"""Before the contrasts of prompts."""
TURNED = ".turned"
"""Behind a control that is no text, turned to the side that the other folds say."""
MATCHED = ":matched"
"""Behind a contrast of prompts that are matched in length and capitals."""


_DETECTOR = re.compile(
    r"(?P<metric>[\w-]+)\.(?P<variant>first\d*|step\d+|mean|low|final)\.n(?P<generations>\d+)"
)


def marked(printed: str, estimator: str, score_of: str) -> str:
    """Print a score so that nobody takes it for one of the sample where it is none.

    Parameters
    ----------
    printed : str
        Its printed name.
    estimator, score_of : str
        As in ``evaluation.csv``.

    Returns
    -------
    str
        Such as ``lpca (of the match)``.
    """
    if estimator == REFERENCE:
        return f"{printed} (labels follow from it)"
    return f"{printed} (of the match)" if score_of == MATCH else printed


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
        (``mean``), at step k alone (``stepk``), over those that it sees alone (``low``), or on the finished
        image (``final``).
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

    @property
    def step(self) -> int | None:
        """Number of the one step that is taken, from 1; None where several may be."""
        return int(self.variant.removeprefix("step")) if self.variant.startswith("step") else None


def one_step(number: int) -> str:
    """Variant of one step, by its number from 1."""
    return f"step{number}"


def first_steps(count: int) -> str:
    """Variant of the first so many steps."""
    return "first" if count == 1 else f"first{count}"
