"""Options of the comparison of a model's mass with that of the law it learned."""

from collections.abc import Iterator
from typing import Annotated

from mmh.options.base import EstimatorName, Field, Options, Unique
from mmh.options.entries import Entry
from mmh.worlds.base import WORLDS


class Copies(Options):
    """Samples in balls whose probability under the true law is known, and training sets drawn anew."""

    needs = ("model", "sampling")

    n_samples: int = Field(ge=1)
    """Samples that are counted, with ids 0..n-1: the first ones are the experiment's own."""
    smallest: float = Field(gt=0)
    """Smallest radius, in the units of the data."""
    largest: float = Field(gt=0)
    """Largest radius."""
    per_decade: int = Field(ge=1, le=100)
    """Radii for each factor of ten."""
    inner: float = Field(gt=0)
    """Inner one of the two radii between which the slope is taken."""
    outer: float = Field(gt=0)
    """Outer one."""
    sizes: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1), Unique()]
    """Numbers of points of the training sets that are drawn anew, to look for duplicates."""
    sets: int = Field(ge=1)
    """Training sets of each size, from the law and from the law without its atoms."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Radii out of order, and a world whose law is not known."""
        if self.smallest >= self.largest:
            yield f"{where}.smallest: must be below largest, {self.largest}"
        if not self.smallest <= self.inner < self.outer <= self.largest:
            yield f"{where}.inner: needs smallest <= inner < outer <= largest"
        world = experiment.world
        if not WORLDS[world].law:
            yield f"{where}: the law of the world {world!r} is not known in closed form; remove copies"


class Definitions(Options):
    """Earlier definitions of copying beside LID, on the samples of an experiment."""

    needs = ("model", "sampling")

    lid: EstimatorName | None = None
    """LID_theta of the samples."""
    low: float | None = None
    """LID_theta at most which a sample counts as memorized, dimensions; without it only the order counts."""
    excess: float = Field(gt=1)
    """Bhattacharjee et al.: lambda."""
    gamma: float = Field(gt=0, lt=1)
    """Bhattacharjee et al.: gamma."""
    ratio: float = Field(gt=0, lt=1)
    """Yoon et al., Gu et al.: largest ratio of the distances to the two nearest training images."""
    neighbours: int = Field(ge=1)
    """Carlini et al.: neighbours of calibrated l2."""
    alpha: float = Field(gt=0)
    """Carlini et al.: alpha of calibrated l2."""
    cells: int = Field(ge=1)
    """Meehan et al.: cells of the training set."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """A world without a test set, LID at other items, and groups of samples that nobody gives."""
        world = WORLDS[experiment.world]
        if not world.fresh:
            yield f"{where}: the world {world.name!r} has no test set; remove definitions"
        if not world.points and not experiment.entry.get("labels"):
            yield f"{where}: needs the section 'labels', which this experiment lacks"
        if self.lid is not None:
            items = experiment.section("estimators").get(self.lid, {}).get("items", ["samples"])
            if "samples" not in items:
                yield f"{where}.lid: {self.lid!r} is not computed on samples; add them to its items"
        elif self.low is not None:
            yield f"{where}.low: is the limit of lid, which is not given; remove it"
