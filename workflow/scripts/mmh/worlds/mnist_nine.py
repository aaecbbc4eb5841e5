"""Captioned MNIST images: many threes once each, and one nine again and again."""

from typing import Literal

from mmh.options import base as options
from mmh.options.base import Field
from mmh.worlds.base import Config, World


class MnistNine(World):
    """Training set, captions, prompts and three sets of real images."""

    name = "mnist-nine"
    made = "captioned"
    maker = "mmh.worlds.sets.mnist_nine:make_captioned"
    sets = ("memorized", "control", "generic")

    class Options(options.Options):
        """MNIST: threes, and one nine repeated."""

        n_threes: int = Field(ge=1, le=500)
        """threes, once each"""
        copies: int = Field(ge=2)
        """how often the nine occurs"""
        size: Literal[14, 28]
        """side of every image, pixels: 28, or 14 by means of 2 x 2"""
        prompts: int = Field(ge=1)
        """how often each of the two captions stands among the prompts"""
        items: int = Field(ge=1, le=499)
        """threes of the training set, and nines that are not in it, in the image sets"""
        views: int = Field(ge=1)
        """how often the nine stands in the image set memorized, to be noised as often"""
        seed: int = Field(ge=0)
        """seed of the choice of images"""

    @classmethod
    def n_train(cls, options: Config) -> int:
        """Threes, and the copies of the nine."""
        return int(options["n_threes"] + options["copies"])

    @classmethod
    def dim(cls, options: Config) -> int:
        """Grey images."""
        return int(options["size"]) ** 2

    @classmethod
    def set_size(cls, options: Config, name: str) -> int:
        """The nine, some of the threes, some nines that were never seen."""
        if name == "memorized":
            return int(options["views"])
        return int(min(options["items"], options["n_threes"]) if name == "control" else options["items"])

    @classmethod
    def n_prompts(cls, options: Config, name: str) -> int:
        """The caption of the nine, and that of the threes; the nines that were never seen have the former."""
        return 0 if name == "generic" else int(options["prompts"])
