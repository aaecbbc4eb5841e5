"""From the bytes of an image of the web to pixels: decoding under a limit, aspect policy, perceptual hash.

Colour profiles are not applied: the published pipelines do not apply them either. Nothing here imports torch.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
from PIL import Image, ImageOps

from mmh.errors import InputError, in_short

# Formats that are decoded, with the suffix of their files; every other decoder of Pillow stays out of reach.
FORMATS = {
    "BMP": "bmp",
    "GIF": "gif",
    "JPEG": "jpg",
    "PNG": "png",
    "TIFF": "tif",
    "WEBP": "webp",
}

_FLAT = 8  # grey levels between the darkest and the brightest pixel; JPEG leaves a few on a plain ground
_HASHED = 32  # side of the image whose transform is taken
_KEPT = 8  # lowest frequencies kept along each axis
_COMPARED = 512  # hashes compared with all others at a time


class UndecodableError(ValueError):
    """Bytes that give no image; `status` is that of the ledger."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Decoded:
    """A decoded image and the suffix of its file."""

    image: Image.Image  # mode RGB, upright
    suffix: str


def decode(data: bytes, *, max_pixels: int) -> Decoded:
    """Decode an image wholly, as a viewer would show it on white paper.

    The first frame is taken; the orientation of EXIF is applied; palettes, greys and CMYK become RGB; of
    16-bit grey the upper 8 bits are kept, as Pillow does for 16-bit colour; transparent pixels are laid over
    white.

    Parameters
    ----------
    data : bytes
        The file.
    max_pixels : int
        Largest width times height; looked at before any pixel is decoded.

    Returns
    -------
    Decoded

    Raises
    ------
    UndecodableError
        With status ``too_large``, ``truncated`` or ``not_an_image``.
    """
    try:
        with Image.open(io.BytesIO(data), formats=tuple(FORMATS)) as file:
            width, height = file.size
            if width * height > max_pixels:
                raise UndecodableError(
                    "too_large", f"{width} x {height} pixels, at most {max_pixels} are read"
                )
            suffix = FORMATS.get(file.format or "", "jpg")  # JPEG files with several pictures are "MPO"
            file.load()
            return Decoded(_rgb(_upright(file)), suffix)
    except UndecodableError:
        raise
    except Image.DecompressionBombError as error:
        raise UndecodableError("too_large", f"more pixels than Pillow reads, at most {max_pixels}") from error
    except Image.UnidentifiedImageError as error:
        raise UndecodableError("not_an_image", f"no {', '.join(sorted(FORMATS))} image") from error
    except Exception as error:  # decoders raise anything on damaged files
        reason = in_short(error)
        cut = isinstance(error, EOFError) or "truncated" in reason.lower()
        raise UndecodableError("truncated" if cut else "not_an_image", f"damaged: {reason}") from error


def fit(image: Image.Image, size: int, aspect: str) -> np.ndarray:
    """Bring an image to a square, bilinear with antialiasing.

    Parameters
    ----------
    image : PIL.Image.Image
        Mode RGB.
    size : int
        Side of the result, pixels.
    aspect : {"squash", "crop"}
        The whole image, its aspect distorted (the paper); or its central square, the short side kept whole.

    Returns
    -------
    (3, size, size) uint8

    Raises
    ------
    InputError
        If `aspect` is another.
    """
    width, height = image.size
    if aspect == "squash":
        box = (0.0, 0.0, float(width), float(height))
    elif aspect == "crop":
        # Cut out before it is resized: the other order would blow a long narrow image up beyond all memory.
        short = min(width, height)
        left, top = (width - short) / 2, (height - short) / 2
        box = (left, top, left + short, top + short)
    else:
        raise InputError(f"aspect is {aspect!r}, expected squash or crop; correct it in config.yaml")
    square = image.resize((size, size), Image.Resampling.BILINEAR, box=box)
    return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))


def perceptual_hash(image: Image.Image) -> str:
    """Hash what an image looks like: a resize or a re-encoding changes hardly any bit.

    The grey image at 32 x 32 is transformed by a two-dimensional DCT-II; each of the 8 x 8 lowest frequencies
    gives a bit, set if its coefficient exceeds their median. Bits of one Pillow version are compared.

    Parameters
    ----------
    image : PIL.Image.Image
        Mode RGB.

    Returns
    -------
    str
        64 bits, 16 hexadecimal digits; the first bit is that of the mean.
    """
    grey = image.convert("L").resize((_HASHED, _HASHED), Image.Resampling.LANCZOS)
    coefficients = scipy.fft.dctn(np.asarray(grey, dtype=np.float64), norm="ortho")[:_KEPT, :_KEPT]
    coefficients = coefficients.round(6)  # rounding errors of exact zeros must not become bits
    return np.packbits(coefficients > np.median(coefficients)).tobytes().hex()


def near_pairs(hashes: Sequence[str], bits: int) -> np.ndarray:
    """Find perceptual hashes that hardly differ.

    Parameters
    ----------
    hashes : sequence of str
        n of them, 16 hexadecimal digits each.
    bits : int
        Most bits in which two may differ.

    Returns
    -------
    (pairs, 2) int64
        Places i < j.
    """
    words = np.array([int(text, 16) for text in hashes], dtype=np.uint64)
    pairs = [np.empty((0, 2), np.int64)]
    for start in range(0, len(words), _COMPARED):
        near = np.bitwise_count(words[start : start + _COMPARED, None] ^ words[None, :]) <= bits
        first, second = np.nonzero(near)
        first += start
        pairs.append(np.stack([first, second], axis=1)[first < second].astype(np.int64))
    return np.concatenate(pairs)


def is_one_colour(image: Image.Image) -> bool:
    """Tell whether an image shows nothing: no channel varies by more than 8 of 255 levels.

    Parameters
    ----------
    image : PIL.Image.Image
        Mode RGB.

    Returns
    -------
    bool
    """
    return bool(np.ptp(np.asarray(image.getextrema()), axis=1).max() <= _FLAT)


def _upright(file: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(file)
    except Exception:  # a broken EXIF block is no reason to lose its image
        return file


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        values = np.asarray(image)
        if image.mode == "F" or values.min() < 0 or values.max() > 0xFFFF:
            raise UndecodableError("not_an_image", f"pixels of mode {image.mode}, expected at most 16 bits")
        image = Image.fromarray((values >> 8).astype(np.uint8))
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert("RGB")
