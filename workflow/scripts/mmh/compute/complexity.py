"""Complexity of an image: the size of its PNG file."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from mmh.errors import InputError


def to_uint8(x: ArrayLike) -> NDArray[np.uint8]:
    """Map an image from [-1, 1] to 8 bits: round(127.5 (x + 1)), values outside the range clipped.

    Parameters
    ----------
    x : array_like
        Floating point, any shape, range [-1, 1].

    Returns
    -------
    numpy.ndarray
        uint8, the same shape, 0..255.

    Raises
    ------
    InputError
        If `x` is not floating point or holds a value that is not finite.
    """
    array = np.asarray(x)
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"to_uint8 needs floats in [-1, 1], got {array.dtype}")
    if not np.isfinite(array).all():
        raise InputError("to_uint8 needs finite values, got NaN or infinity")
    scaled = (array.astype(np.float64) + 1.0) * 127.5
    return np.rint(np.clip(scaled, 0.0, 255.0)).astype(np.uint8)


def png_bits(images: ArrayLike) -> NDArray[np.int64]:
    """Measure the PNG size of images in bits: 8 times the bytes of the whole file, headers included.

    Encoder: Pillow, ``compress_level=9``, ``optimize=False``, mode ``L`` or ``RGB``, no metadata, Pillow's
    default filters and zlib strategy. Sizes differ by a few per cent between encoders and zlib builds, so
    compare only sizes made by one installation.

    Parameters
    ----------
    images : array_like
        uint8, (n, H, W), (n, H, W, 1) or (n, H, W, 3), 0..255.

    Returns
    -------
    numpy.ndarray
        int64 (n,), bits.

    Raises
    ------
    InputError
        If the type is not uint8 or the shape is none of the above.
    """
    array = np.asarray(images)
    if array.dtype != np.uint8:
        raise InputError(f"png_bits needs uint8 images, got {array.dtype}; convert with to_uint8 first")
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if not (array.ndim == 3 or (array.ndim == 4 and array.shape[-1] == 3)):
        raise InputError(f"png_bits needs (n, H, W), (n, H, W, 1) or (n, H, W, 3), got shape {array.shape}")
    return np.array([_png_bytes(image) * 8 for image in array], dtype=np.int64)


def _png_bytes(image: NDArray[np.uint8]) -> int:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, format="PNG", compress_level=9, optimize=False)
    return buffer.getbuffer().nbytes
