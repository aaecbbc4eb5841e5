"""Digests of fetched files, compared again by the steps that read them."""

import hashlib
import os
import sys
from pathlib import Path

from mmh.errors import InputError


def check_digest(path: str | os.PathLike[str], expected: str | None) -> str:
    """Compute a file's sha256 and compare it with the declared one.

    Parameters
    ----------
    path : path
    expected : str or None
        From ``sources`` in the configuration; None: the file is taken as it is, and a note says so.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    InputError
        If the file is missing or another one.
    """
    try:
        with Path(path).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if expected is None:
        print(f"note: {path} is not checked, no sha256 is declared for it; found {found}", file=sys.stderr)
    elif found != expected:
        raise InputError(
            f"{path}: sha256 is {found}, config.yaml declares {expected}; correct the row under sources, or "
            "delete the file and run again to fetch it anew"
        )
    return found
