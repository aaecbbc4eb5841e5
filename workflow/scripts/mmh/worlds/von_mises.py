"""A plane mixture: a von Mises law on the unit circle and a point mass at the origin (the data of Fig. 4)."""

from mmh.options import base as options
from mmh.options.base import Field
from mmh.worlds.base import Config, World


class VonMises(World):
    """A few points; the loneliest one of the circle is what a model overfits."""

    name = "von-mises"
    maker = "mmh.worlds.sets.von_mises:make"
    points = True
    law = "mmh.worlds.sets.von_mises_law:make"
    fresh = "mmh.worlds.sets.fresh:of_von_mises"
    places = "mmh.worlds.sets.von_mises_law:places"

    class Options(options.Options):
        """A circle and a point in the plane."""

        n_train: int = Field(ge=2, le=1_000_000)
        """training points"""
        concentration: float = Field(ge=0)
        """kappa of the von Mises law"""
        centre_weight: float = Field(ge=0, lt=1)
        """probability of the point mass at the origin"""
        seed: int = Field(ge=0)
        """seed of the draw; mmh.worlds.sets.von_mises.most_isolated finds good ones"""

    @classmethod
    def dim(cls, options: Config) -> int:
        """Two."""
        return 2
