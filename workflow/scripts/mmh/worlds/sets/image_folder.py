"""Reader of folders of images, which are taken as they are, neither resized nor turned to grey."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmh.errors import InputError, in_short
from mmh.worlds.sets.image_set import ImageSet

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
OTHER_IMAGES = (
    ".tif",
    ".tiff",
    ".gif",
    ".heic",
    ".heif",
    ".avif",
    ".jfif",
    ".jp2",
    ".jxl",
    ".ppm",
    ".pgm",
    ".tga",
)
"""Images that are not read: named, since half of a data set may be of them."""
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
_GREY, _COLOUR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA")


def read_image_folder(folder: Path, *, size: int | None, channels: int) -> ImageSet:
    """Read every image below a folder, ordered by path.

    Orientations of EXIF are applied, palettes resolved, transparent pixels laid over white. Hidden files are
    passed over. Links are followed.

    Parameters
    ----------
    folder : path
        PNG, JPEG, WebP or BMP files, in the folder or in sub-folders of any depth. If all of them lie in
        sub-folders, the name of the uppermost one is the class.
    size : int or None
        Side of the images, pixels; that of the first one if None.
    channels : {1, 3}
        3: colour; greyscale files are refused. 1: grey; colour files are taken if no pixel has a colour.

    Returns
    -------
    ImageSet
        Images (n, channels, side, side); names are paths relative to the folder, with slashes.

    Raises
    ------
    InputError
        If there are no images, or one is damaged, not square, of another size or kind: the first such one.
    """
    from PIL import Image

    if channels not in (1, 3):
        raise InputError(f"channels must be 1 or 3, it is {channels}")
    paths = image_files(folder)
    labels, classes = _classes(folder, paths)
    images: np.ndarray | None = None
    for row, path in enumerate(paths):
        what = str(folder / path)
        try:
            with Image.open(what, formats=_FORMATS) as file:
                side = size or (file.width if images is None else images.shape[-1])
                if file.size != (side, side):
                    raise _wrong_size(what, file.size, side, size, None if images is None else paths[0])
                pixels = _pixels(file, what, channels)
        except InputError:
            raise
        except Exception as error:  # decoders raise anything on damaged files
            reason = in_short(error)
            raise InputError(
                f"{what}: cannot be read as an image ({reason}); replace or remove it"
            ) from error
        if images is None:
            images = np.empty((len(paths), *pixels.shape), np.uint8)
        images[row] = pixels
    if images is None:
        raise InputError(f"{folder}: holds no images ({', '.join(SUFFIXES)}); check the path")
    names = tuple(path.as_posix() for path in paths)
    return ImageSet(images, names, labels, classes)


def image_files(folder: Path) -> list[Path]:
    """List the images below a folder, relative to it, in the order in which they are read.

    Parameters
    ----------
    folder : path

    Returns
    -------
    list of path

    Raises
    ------
    InputError
        If there is no such folder, or some images are of a kind that is not read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; check the path of the images in config.yaml")
    files = [path.relative_to(folder) for path in _below(folder, (folder.resolve(),))]
    unread = sorted(file for file in files if file.suffix.lower() in OTHER_IMAGES)
    if unread:
        kinds = ", ".join(sorted({file.suffix.lower() for file in unread}))
        raise InputError(
            f"{folder / unread[0]}: {len(unread)} images are of a kind that is not read ({kinds}); convert "
            "them to PNG, or move them elsewhere"
        )
    return sorted((file for file in files if file.suffix.lower() in SUFFIXES), key=Path.as_posix)


def _below(folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    """Files of a folder and all below it, links to folders too, but hidden ones; `above`: its ancestors."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_symlink() and not path.exists():
            raise InputError(f"{path}: is a link to something that is not there; mend or remove it")
        if not path.is_dir():
            yield path
        elif (real := path.resolve()) not in above:  # a link to a folder that it lies in has no end
            yield from _below(path, (*above, real))


def _classes(folder: Path, paths: list[Path]) -> tuple[np.ndarray | None, tuple[str, ...] | None]:
    classes = sorted({path.parts[0] for path in paths if len(path.parts) > 1})
    if not classes:
        return None, None
    for path in paths:
        if len(path.parts) == 1:
            raise InputError(
                f"{folder / path}: lies beside sub-folders ({classes[0]}, ...), whose names are classes; "
                "move it into one of them, or put all images into one folder"
            )
    labels = np.array([classes.index(path.parts[0]) for path in paths], dtype=np.int64)
    return labels, tuple(classes)


def _pixels(file: "ImageFile", what: str, channels: int) -> np.ndarray:
    """Values of one image, (channels, H, W) uint8."""
    from PIL import Image, ImageOps

    frames = getattr(file, "n_frames", 1)
    if frames != 1:
        raise InputError(f"{what}: holds {frames} pictures, expected one; replace or remove it")
    if file.format == "PNG" and _bits(what) > 8:  # Pillow would cut colours to 8 bits in silence
        raise InputError(f"{what}: has {_bits(what)} bits a channel, expected 8; convert it")
    if file.mode not in _GREY + _COLOUR:
        raise InputError(f"{what}: is of mode {file.mode}, expected 8-bit grey or RGB; convert it")
    if channels == 3 and file.mode in _GREY:
        raise InputError(f"{what}: is greyscale, expected colour; set channels to 1, or convert it to RGB")
    image = ImageOps.exif_transpose(file)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    pixels = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    if channels == 1 and (pixels != pixels[:1]).any():
        raise InputError(f"{what}: is in colour, expected grey; set channels to 3, or convert it to grey")
    return pixels[:channels]


def _bits(path: str) -> int:
    """Bits of a channel of a PNG file, from its header."""
    with Path(path).open("rb") as file:
        return file.read(25)[24]


def _wrong_size(
    what: str, found: tuple[int, int], side: int, size: int | None, first: Path | None
) -> InputError:
    width, height = found
    if width != height:
        return InputError(f"{what}: is {width} x {height} pixels, expected a square; crop or remove it")
    reason = f"size {size} in config.yaml" if size else f"as {first}"
    return InputError(
        f"{what}: is {width} x {height} pixels, expected {side} x {side} ({reason}); "
        "nothing is resized here: resize the images beforehand, or correct size"
    )
