"""No training set at hand: lists of images with captions only."""

from mmh.options import base as options
from mmh.worlds.base import Config, World


class NoTrainingSet(World):
    """Of a model whose training images nobody has in one place."""

    name = "none"
    made = "none"

    class Options(options.Options):
        """No training set at hand."""

    @classmethod
    def n_train(cls, options: Config) -> int:
        """None."""
        return 0
