"""Temporary names beside a final one, and their removal. Standard library only."""

import os
import re
import shutil
import socket
from pathlib import Path


def partial_name(path: str | os.PathLike[str]) -> Path:
    """Temporary name for an output: same folder, same suffix, hidden, with host and process in it.

    Parameters
    ----------
    path : path

    Returns
    -------
    Path
    """
    final = Path(path)
    return final.with_name(f".{final.stem}.{socket.gethostname()}-{os.getpid()}.partial{final.suffix}")


def is_partial(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path is a temporary name made by ``partial_name``.

    Parameters
    ----------
    path : path

    Returns
    -------
    bool
    """
    name = Path(path).name
    return name.startswith(".") and ".partial" in name


def remove_partials(path: str | os.PathLike[str]) -> None:
    """Remove what this or a dead process on this host left beside ``path``.

    Files of a live process, or of another host, are left alone: they may still be written.

    Parameters
    ----------
    path : path
        The final name of an output.
    """
    final = Path(path)
    if not final.parent.is_dir():
        return
    host = re.escape(socket.gethostname())
    pattern = re.compile(rf"\.{re.escape(final.stem)}\.{host}-(\d+)\.partial(?:\..*)?", re.DOTALL)
    for entry in final.parent.iterdir():
        match = pattern.fullmatch(entry.name)
        if match and (int(match[1]) == os.getpid() or not Path(f"/proc/{match[1]}").exists()):
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
