"""Handwritten 8x8 digits with planted populations: duplicates, a template family, ordinary images."""

from mmh.options import base as options
from mmh.options.base import Field
from mmh.worlds.base import Config, World


class Digits(World):
    """Some images are repeated, and one has variants in a corner."""

    name = "digits"
    maker = "mmh.worlds.sets.digits:make"
    classifier = "mmh.worlds.sets.digits:classes"
    planted = True
    fresh = "mmh.worlds.sets.fresh:of_digits"

    class Options(options.Options):
        """Digits with planted populations."""

        n_ordinary: int = Field(ge=1, le=1797)
        """images seen once"""
        n_duplicated: int = Field(ge=0, le=1797)
        """images repeated"""
        copies: int = Field(ge=1)
        """how often each of them occurs"""
        n_template_variants: int = Field(ge=0)
        """variants of the template image"""
        patch: int = Field(ge=1, le=7)
        """side of the template's free corner, pixels"""
        seed: int = Field(ge=0)
        """seed of the choice of images"""

    @classmethod
    def n_train(cls, options: Config) -> int:
        """Of all populations."""
        repeated = options["n_duplicated"] * options["copies"]
        return int(options["n_ordinary"] + repeated + options["n_template_variants"])
