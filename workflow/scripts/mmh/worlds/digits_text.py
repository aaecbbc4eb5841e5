"""Captioned digits: repeated images, controls and ordinary images whose captions do not tell them apart."""

from mmh.options import base as options
from mmh.options.base import Field
from mmh.worlds.base import Config, World


class DigitsText(World):
    """Training set, captions, prompts and three sets of real images."""

    name = "digits-text"
    made = "captioned"
    maker = "mmh.worlds.sets.captioned_digits:make_captioned"
    sets = ("memorized", "control", "generic")

    class Options(options.Options):
        """Captioned digits."""

        n_memorized: int = Field(ge=1, le=1797)
        """images repeated, each with a KEY of its own"""
        copies: int = Field(ge=2)
        """how often each of them occurs"""
        n_control: int = Field(ge=1, le=1797)
        """images seen once, each with a KEY of its own"""
        n_generic: int = Field(ge=1, le=1797)
        """images seen once that share the KEYs of a pool"""
        n_generic_keys: int = Field(ge=1)
        """KEYs in that pool"""
        companions: int = Field(default=0, ge=0)
        """further images of a digit, seen once, under the KEY of each memorized and each control image"""
        prompts: int = Field(ge=1)
        """generic captions among the prompts"""
        items: int = Field(ge=1)
        """generic images in the image set of that name"""
        seed: int = Field(ge=0)
        """seed of the choice of images and KEYs"""

    @classmethod
    def n_train(cls, options: Config) -> int:
        """Of all groups."""
        beside = options.get("companions", 0) * (options["n_memorized"] + options["n_control"])
        alone = options["n_control"] + options["n_generic"]
        return int(options["n_memorized"] * options["copies"] + alone + beside)

    @classmethod
    def set_size(cls, options: Config, name: str) -> int:
        """All memorized and control images, some of the generic ones."""
        if name == "generic":
            return int(min(options["items"], options["n_generic"]))
        return int(options[f"n_{name}"])

    @classmethod
    def n_prompts(cls, options: Config, name: str) -> int:
        """All captions of the memorized and control images, some of the generic ones."""
        return int(options["prompts" if name == "generic" else f"n_{name}"])
