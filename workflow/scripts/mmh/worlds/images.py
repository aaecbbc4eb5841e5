"""A folder of images of one's own."""

from typing import Literal

from mmh.options import base as options
from mmh.options.base import Field
from mmh.worlds.base import World


class Images(World):
    """Images of one size; sub-folders are classes."""

    name = "images"
    made = "import"
    maker = "mmh.worlds.sets.image_folder:read_image_folder"

    class Options(options.Options):
        """A folder of images."""

        path: str
        """folder; sub-folders are classes"""
        n_train: int = Field(ge=2, le=1_000_000)
        """number of images in it"""
        size: int = Field(ge=1)
        """side of every image, pixels"""
        channels: Literal[1, 3]
        """1: grey, 3: RGB"""
