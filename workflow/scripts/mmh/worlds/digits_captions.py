"""Coloured digits whose captions are worded anew each time, with a planted word that brings an image back."""

from mmh.options import base as options
from mmh.options.base import Field
from mmh.worlds.base import Config, World


class DigitsCaptions(World):
    """Training set, captions, prompts and three sets of real images; what each word is there for is known."""

    name = "digits-captions"
    made = "captioned"
    maker = "mmh.worlds.sets.worded_digits:make_captioned"
    grammar = "mmh.worlds.sets.wordings:GRAMMAR"
    sets = ("memorized", "control", "generic")

    class Options(options.Options):
        """Coloured digits with captions in many wordings."""

        n_memorized: int = Field(ge=2, le=1797)
        """images repeated, each with one KEY of its own or two, half and half"""
        copies: int = Field(ge=2)
        """how often each of them occurs, in as many wordings"""
        n_control: int = Field(ge=2, le=1797)
        """images seen once, each with one KEY of its own or two"""
        n_generic: int = Field(ge=1, le=1797)
        """images seen once that share the KEYs of a pool"""
        n_generic_keys: int = Field(ge=2)
        """KEYs in that pool"""
        n_decoys: int = Field(ge=1)
        """words without any meaning, one of which stands at a random place of each caption"""
        companions: int = Field(default=0, ge=0)
        """further images of the same content under the KEYs of each memorized and each control image"""
        companion_copies: int = Field(default=2, ge=1)
        """how often each companion occurs"""
        prompts: int = Field(ge=1)
        """generic captions among the prompts"""
        items: int = Field(ge=1)
        """generic images in the image set of that name"""
        seed: int = Field(ge=0)
        """seed of images, colours, KEYs and wordings"""

    @classmethod
    def n_train(cls, options: Config) -> int:
        """Of all groups."""
        alone = options["n_control"] + options["n_generic"]
        owned = options["n_memorized"] + options["n_control"]
        beside = owned * options.get("companions", 0) * options.get("companion_copies", 2)
        return int(options["n_memorized"] * options["copies"] + alone + beside)

    @classmethod
    def set_size(cls, options: Config, name: str) -> int:
        """All memorized and control images, some of the generic ones."""
        if name == "generic":
            return int(min(options["items"], options["n_generic"]))
        return int(options[f"n_{name}"])

    @classmethod
    def n_prompts(cls, options: Config, name: str) -> int:
        """One caption of each memorized and control image, of some of the generic ones."""
        if name == "generic":
            return int(min(options["prompts"], options["n_generic"]))
        return int(options[f"n_{name}"])
