"""Options of the comparison of a model's mass with that of the law it learned."""

from collections.abc import Iterator
from typing import Annotated

from mmh.options.base import Field, Options, Unique
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
