"""Points as rows of an array, read in parts so that what is computed of them stays small."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmh.errors import InputError

RANGE = 1e-15, 1e15  # largest values whose squares, and what rounding leaves of them, float32 holds
PART_BYTES = 4 * 2**20  # of a part, as float64


def flatten(values: ArrayLike, name: str) -> NDArray:
    """Lay points out as rows, without a copy where their type is one that is searched as it is.

    Parameters
    ----------
    values : array_like
        (n, ...); integers of more than two bytes become float64.
    name : str
        What error messages call them.

    Returns
    -------
    numpy.ndarray
        (n, d).

    Raises
    ------
    InputError
        If there are none, or a value is not finite.
    """
    array = np.asarray(values)
    if array.ndim < 2 or len(array) == 0:
        raise InputError(f"{name} must be (n, ...) with n > 0, got shape {array.shape}")
    if array.dtype.kind != "f" and array.dtype.itemsize > 2:
        array = array.astype(np.float64)
    array = array.reshape(len(array), -1)
    if array.dtype.kind == "f" and not all(np.isfinite(part).all() for part, _ in parts(array)):
        raise InputError(f"{name} holds NaN or infinity")
    return array


def parts(array: NDArray) -> Iterator[tuple[NDArray, slice]]:
    """Cut rows into parts of a few MiB, so that what is computed of them stays small."""
    step = part_rows(array.shape[1])
    for start in range(0, len(array), step):
        place = slice(start, min(start + step, len(array)))
        yield array[place], place


def part_rows(dim: int) -> int:
    """Give the number of rows of a part."""
    return max(1, PART_BYTES // (8 * max(1, dim)))


def largest(rows: NDArray) -> float:
    """Largest absolute value."""
    if rows.dtype.kind == "u":
        return float(rows.max())
    return max(float(np.abs(part).max()) for part, _ in parts(rows)) if rows.size else 0.0


def scale(rows: NDArray) -> float:
    """Power of two that brings points into the range that float32 can square; 1 if they are in it."""
    size = largest(rows) if rows.dtype.kind == "f" else 0.0
    if size == 0 or RANGE[0] < size < RANGE[1]:
        return 1.0
    return float(2.0 ** -np.round(np.log2(size)))
