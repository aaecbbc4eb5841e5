"""CIFAR-10, from the archive that its authors give."""

from typing import Literal

from mmh.compute.network_cost import Need
from mmh.options import base as options
from mmh.options.base import Field, SourceName
from mmh.worlds.base import Config, World


class Cifar10(World):
    """Colour images of 32 x 32 pixels in ten classes."""

    name = "cifar10"
    made = "import"
    maker = "mmh.worlds.sets.cifar10:read_cifar10"

    class Options(options.Options):
        """CIFAR-10 from its tar.gz."""

        source: SourceName
        """name of the archive under sources"""
        split: Literal["train", "test", "all"]
        """which of its images"""
        n_train: int = Field(ge=1, le=1_000_000)
        """number of images in that split"""

    @classmethod
    def dim(cls, options: Config) -> int:
        """3 x 32 x 32."""
        return 3072

    @classmethod
    def cost_of_making(cls, options: Config) -> Need:
        """One large file; bytes, not floats."""
        return Need(15, 300 + 1.5 * cls.n_train(options) * cls.dim(options) * 4e-6)
