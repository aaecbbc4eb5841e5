"""Arrays in ``.npz`` files; a missing or truncated file becomes one ``InputError`` that names it."""

import os
import zipfile

import numpy as np

from mmh.errors import InputError
from mmh.io.files import atomic, unreadable


def write_arrays(path: str | os.PathLike[str], **arrays: np.ndarray) -> None:
    """Write named arrays to an uncompressed ``.npz``.

    Parameters
    ----------
    path : path
    **arrays : ndarray

    Raises
    ------
    InputError
        If a floating-point array holds NaN or an infinity.
    """
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            rows = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))
            ids = arrays["id"][rows] if "id" in arrays else rows
            raise InputError(
                f"{path}: array {name!r} is not finite for {len(ids)} items, first at id {ids[0]}"
            )
    with atomic(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def array_names(path: str | os.PathLike[str]) -> list[str]:
    """Names of the arrays of a ``.npz``, sorted; raises `InputError` if the file is missing or truncated."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return sorted(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise unreadable(path, "an .npz file", error) from error


def read_arrays(path: str | os.PathLike[str], *names: str) -> tuple[np.ndarray, ...]:
    """Read named arrays of a ``.npz``.

    Parameters
    ----------
    path : path
    *names : str
        Which arrays, in the order wanted.

    Returns
    -------
    tuple of ndarray

    Raises
    ------
    InputError
        If the file is missing or truncated, or lacks an array.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in names if name not in file]
            if missing:
                raise InputError(f"{path}: lacks the arrays {missing}; it holds {sorted(file)}")
            return tuple(file[name] for name in names)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        raise unreadable(path, "an .npz file", error) from error
