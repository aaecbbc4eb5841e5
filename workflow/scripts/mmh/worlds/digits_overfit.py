"""A few handwritten digits without duplicates: so few that a network learns them by heart."""

from mmh.options import base as options
from mmh.options.base import Field
from mmh.worlds.base import World
from mmh.worlds.digits import Digits


class DigitsOverfit(World):
    """A seeded choice among the digits."""

    name = "digits-overfit"
    maker = "mmh.worlds.sets.digits:make_overfit"
    classifier = Digits.classifier
    planted = True
    fresh = "mmh.worlds.sets.fresh:of_overfit"

    class Options(options.Options):
        """A few digits without duplicates."""

        n_train: int = Field(ge=2, le=1797)
        """number of images"""
        seed: int = Field(ge=0)
        """seed of the choice of images"""
