"""What a person's folder of images holds, before anything is computed: every image's size and colours."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mmh.command.models_of_others import Found
from mmh.errors import InputError
from mmh.worlds.sets.image_folder import SUFFIXES, image_files

FEWEST = 10
"""Images that say anything: fewer have no neighbours to compare with."""
_MOVING = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v")
_GREY = ("1", "L", "LA")


@dataclass(frozen=True)
class Folder:
    """A folder of images of one size.

    Attributes
    ----------
    path : Path
    n, size, channels : int
    classes : int
        Sub-folders, 0 without.
    """

    path: Path
    n: int
    size: int
    channels: int
    classes: int


def look_at_images(path: Path, flag: str, fewest: int = FEWEST) -> Folder:
    """Read the header of every image.

    Parameters
    ----------
    path : Path
    flag : str
        What gave it, for messages: ``--images``.
    fewest : int
        Images that there must be.

    Returns
    -------
    Folder

    Raises
    ------
    InputError
        If there are too few images, of several sizes, not square, damaged, or films; it says what to do.
    """
    from PIL import Image

    if path.suffix.lower() in _MOVING and path.is_file():
        raise InputError(
            f"{flag} {path}: is a film; give a folder of single pictures ({', '.join(SUFFIXES)})"
        )
    if not path.is_dir():
        raise InputError(f"{flag} {path}: no such folder; give a folder of pictures ({', '.join(SUFFIXES)})")
    films = sorted(file for file in path.rglob("*") if file.suffix.lower() in _MOVING)
    if films:
        raise InputError(
            f"{flag} {films[0]}: is a film; take it out of the folder, or save its pictures as PNG"
        )
    files = image_files(path)
    if not files:
        raise InputError(f"{flag} {path}: holds no pictures ({', '.join(SUFFIXES)}); check the path")
    if len(files) < fewest:
        raise InputError(
            f"{flag} {path}: holds {len(files)} pictures, at least {fewest} are needed to compare with; add "
            "more"
        )
    sizes: Counter[tuple[int, int]] = Counter()
    first: dict[tuple[int, int], Path] = {}
    grey = colour = 0
    for file in files:
        try:
            with Image.open(path / file) as image:
                size, mode = image.size, image.mode
        except Exception as error:  # decoders raise anything on damaged files
            raise InputError(
                f"{flag} {path / file}: cannot be read as a picture; replace or remove it"
            ) from error
        sizes[size] += 1
        first.setdefault(size, file)
        grey, colour = grey + (mode in _GREY), colour + (mode not in _GREY)
    if len(sizes) > 1:
        (most, n), (other, _) = sizes.most_common(2)
        raise InputError(
            f"{flag} {path}: pictures of {len(sizes)} sizes: {n} of {most[0]} x {most[1]}, {first[other]} of "
            f"{other[0]} x {other[1]}; nothing is resized here: bring all to the size that the model draws"
        )
    ((width, height),) = sizes
    if width != height:
        raise InputError(f"{flag} {path}: pictures are {width} x {height}, not square; crop them")
    if grey and colour:
        raise InputError(
            f"{flag} {path}: {grey} pictures are grey and {colour} in colour; bring all to one kind"
        )
    classes = len({file.parts[0] for file in files if len(file.parts) > 1})
    return Folder(path, len(files), width, 3 if colour else 1, classes)


def check_together(model: Found, images: Folder, flag: str = "--images") -> Folder:
    """See that a model draws such images.

    Parameters
    ----------
    model : Found
    images : Folder
    flag : str

    Returns
    -------
    Folder
        With the channels of the model: pictures in colour files may hold no colour.

    Raises
    ------
    InputError
        If sizes, channels or classes differ.
    """
    if model.prompts:
        raise InputError(
            f"--model {model.path}: draws images of prompts; ask it about prompts (--prompts) or about "
            "pictures with captions (--captioned)"
        )
    if model.size is not None and model.size != images.size:
        raise InputError(
            f"{flag} {images.path}: pictures of {images.size} x {images.size}, the model draws {model.size} "
            f"x {model.size}; bring them to that size, in the way in which they were for its training"
        )
    if model.channels == 3 and images.channels == 1:
        raise InputError(
            f"{flag} {images.path}: pictures are grey, the model draws colours; convert them to RGB"
        )
    if model.classes and images.classes != model.classes:
        raise InputError(
            f"{flag} {images.path}: {images.classes} sub-folders, the model knows {model.classes} classes; "
            "put the pictures into one sub-folder for each class, in the order of the classes"
        )
    return Folder(images.path, images.n, images.size, model.channels or images.channels, images.classes)
