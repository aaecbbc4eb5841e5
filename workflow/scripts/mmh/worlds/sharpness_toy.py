"""A plane mixture of two Gaussians, a rare narrow one and a common wide one, whose score is known exactly."""

from mmh.options import base as options
from mmh.options.base import Field
from mmh.worlds.base import Config, World


class SharpnessToy(World):
    """The narrow mode stands for what is memorized: there the density is sharp."""

    name = "sharpness-toy"
    maker = "mmh.worlds.sets.two_modes:make"
    points = True
    oracle = "mmh.worlds.sets.two_modes:oracle"

    class Options(options.Options):
        """Two Gaussians in the plane."""

        n_train: int = Field(ge=2, le=1_000_000)
        """training points"""
        share: float = Field(gt=0, lt=1)
        """probability of the narrow mode"""
        offset: float = Field(gt=0)
        """the modes lie at (-offset, -offset) and (offset, offset)"""
        narrow: float = Field(gt=0)
        """standard deviation of the narrow mode, which is memorized"""
        wide: float = Field(gt=0)
        """standard deviation of the wide mode"""
        seed: int = Field(ge=0)
        """seed of the draw"""

    @classmethod
    def dim(cls, options: Config) -> int:
        """Two."""
        return 2
