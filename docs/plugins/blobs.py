"""A world: images of one bright blob, of which a few are repeated."""

from mmh.options import base as options
from mmh.options.base import Field
from mmh.worlds.base import World


class Blobs(World):
    """Blobs at random places: two numbers say all of an image, so LID_* is 2, and 0 where it is repeated."""

    name = "blobs"
    planted = True

    class Options(options.Options):
        """Images of one bright blob."""

        n_train: int = Field(ge=20)
        """number of images"""
        copies: int = Field(5, ge=2)
        """how often the first image stands in the set"""
        seed: int = Field(0, ge=0)
        """seed of the places"""


def make(*, n_train, copies, seed):
    """Draw the images, float32 (n, 1, 8, 8) in [-1, 1], and their table."""
    import numpy as np
    import pandas as pd

    from mmh.compute.rng import generator

    source = np.maximum(np.arange(n_train) - copies + 1, 0)
    place = generator(seed, "blobs", 0).uniform(1.0, 6.0, (n_train, 2))[source]
    squares = (np.indices((8, 8))[None] - place[:, :, None, None]) ** 2
    x = 2.0 * np.exp(-squares.sum(axis=1) / 2.0) - 1.0
    table = pd.DataFrame({"train": np.arange(n_train), "source": source})
    table["population"] = np.where(source == 0, "duplicate", "ordinary")
    table["group"] = np.where(source == 0, 0, table["train"])
    table["copies"] = np.where(source == 0, copies, 1)
    return x[:, None].astype(np.float32), table
