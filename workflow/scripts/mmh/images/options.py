"""Options of image sets: images that are looked at besides samples and training images."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from mmh.fetch.options import Digest
from mmh.options.base import Alternative, ExperimentName, Field, Options, SourceName, Unique
from mmh.options.entries import Entry
from mmh.worlds.base import WORLDS


class OtherImages(Options):
    """Training images of another experiment."""

    experiment: ExperimentName
    """Experiment that owns the images."""
    items: Literal["train"]
    """Which of its items."""


class WorldImages(Options):
    """Images of this experiment's world, with captions."""

    world: str
    """The world of the experiment."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """A set that the world does not have, or another world."""
        name = where.rsplit(".", 1)[1]
        sets = WORLDS[experiment.world].sets
        if name not in sets:
            known = ", ".join(sets) or "none"
            yield f"{where}: the world {experiment.world} has no such set; it has {known}"
        elif self.world != experiment.world:
            yield f"{where}.world: {self.world!r} is not this experiment's world, {experiment.world!r}"


class Columns(Options):
    """Names of the columns."""

    caption: str
    """Column of the caption."""
    url: str | None = None
    """Column of the address."""
    image: str | None = None
    """Column that holds the image itself."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Both or neither of addresses and images."""
        if (self.url is None) == (self.image is None):
            yield f"{where}: name one of url (addresses) and image (the images)"


class ListedImages(Options):
    """Images by URL, or within a Parquet file, with captions."""

    files: Annotated[list[SourceName], Field(min_length=1), Unique()]
    """Names of the lists under sources."""
    captions: Annotated[list[SourceName], Unique()] | None = None
    """Names of files under sources; only images whose captions are in them are kept."""
    columns: Columns
    """Names of the columns."""
    header: list[str] | None = None
    """Names of the columns where the file has no line of them."""
    where: dict[str, Annotated[list[str], Field(min_length=1)]] | None = None
    """Values that columns must have."""
    draw: int | None = Field(default=None, ge=1)
    """Rows drawn by the seed, more than n to make up for dead links; all by default."""
    n: int = Field(ge=1)
    """Images at most."""
    size: int = Field(ge=1)
    """Side of every image, pixels."""
    aspect: Literal["squash", "crop"]
    """Way to a square: squash, both sides to size (paper); crop, short side to size, then the centre."""
    placeholder_count: Annotated[int, Field(ge=2)] | None = 3
    """Addresses with one and the same image that make it a placeholder; null: never."""
    placeholders: Annotated[list[Digest], Unique()] = []
    """Digests (SHA-256) of known placeholders."""


def image_set_blocks() -> Mapping[str, Alternative]:
    """The kinds of image sets, by the key that tells them apart."""
    forms: dict[str, type[Options]]
    forms = {"experiment": OtherImages, "world": WorldImages, "files": ListedImages}
    return {key: Alternative((form,)) for key, form in forms.items()}


def image_set_kind(block: Mapping[str, Any], around: Mapping[str, Any]) -> str:
    """Tell the kinds of image sets apart; without any of the three keys, files are missing."""
    return next((key for key in image_set_blocks() if key in block), "files")
