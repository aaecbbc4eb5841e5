"""Options of labels: where they come from, and the page on which people give them."""

from collections.abc import Iterator
from typing import Literal

from mmh.options.base import Field, Options
from mmh.options.entries import Entry
from mmh.worlds.base import WORLDS


class PlantedLabels(Options):
    """Labels by distance to the planted images."""

    needs = ("retrieval",)

    exact_distance: float = Field(gt=0)
    """Distance (l2) below which a sample is a copy of a training image."""
    not_distance: float = Field(gt=0)
    """Distance (l2) above which it is not; between the two: unsure."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """A world without planted images, and thresholds out of order."""
        if not WORLDS[experiment.world].planted:
            yield f"{where}.source: nothing is planted in the world {experiment.world}; use 'files'"
        if self.exact_distance > self.not_distance:
            yield f"{where}.exact_distance: must not exceed not_distance, {self.not_distance}"


class LabelFiles(Options):
    """Labels of people from resources/labels/<experiment>/*.csv."""

    needs = ("retrieval",)


class LabelSheet(Options):
    """The page on which people label."""

    needs = ("candidates",)

    only: Literal["all", "disagreements"] = "all"
    """Which pairs: all, or those of a second round."""
