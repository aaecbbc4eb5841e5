"""Files that are put in place by a rename, so that a kill leaves nothing half-written."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmh.errors import InputError, in_short
from mmh.io.partial import is_partial, partial_name


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary name beside ``path`` and rename it into place on success.

    Parameters
    ----------
    path : path
        The final name.

    Yields
    ------
    Path
        Name to write to; removed if the block raises.
    """
    final = Path(path)
    if is_partial(final):  # an output of a running job: mmh.job.frame renames it
        yield final
        return
    partial = partial_name(final)
    try:
        yield partial
        partial.replace(final)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write JSON with sorted keys and a final newline.

    Parameters
    ----------
    path : path
    value : JSON value
    """
    with atomic(path) as partial:
        partial.write_text(
            json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8"
        )


def unreadable(path: str | os.PathLike[str], what: str, error: Exception) -> InputError:
    """Say that a file is missing or cannot be read as what it should be."""
    if not Path(path).exists():
        return InputError(f"{path}: no such file; run the rule that makes it")
    return InputError(
        f"{path}: cannot be read as {what} ({in_short(error)}); it is probably truncated: "
        "delete it and run again, Snakemake makes it anew"
    )
