"""All handwritten digits, once each."""

from typing import Literal

from mmh.options import base as options
from mmh.worlds.base import World
from mmh.worlds.digits import Digits


class DigitsControl(World):
    """What a model of the digits learns that memorizes nothing."""

    name = "digits-control"
    maker = "mmh.worlds.sets.digits:make_control"
    classifier = Digits.classifier
    planted = True

    class Options(options.Options):
        """All digits."""

        n_train: Literal[1797]
        """all of scikit-learn's digits: 1797"""
