"""The machine that a run starts on: made usable before anything trips over it, or refused in one line."""

import getpass
import os
import shlex
import sys
from pathlib import Path

from mmh.errors import InputError

# Folders that rules write to; people point them to other disks.
FOLDERS = ("results", "logs", "benchmarks", "chunks", "runs", "resources", ".snakemake")


def settle(folder: Path) -> None:
    """See that Snakemake and its jobs can work here, which inherit what is set.

    A user whom the system does not know, as in containers, gets a name; one without a home that can be
    written to gets places for what programs keep.

    Parameters
    ----------
    folder : Path
        The working directory.

    Raises
    ------
    InputError
        If a folder that will be written to is a link to nowhere.
    """
    for name in FOLDERS:
        place = folder / name
        if place.is_symlink() and not place.exists():
            raise InputError(
                f"{name} is a link to {place.readlink()}, which does not exist; make that folder, or remove "
                "the link"
            )
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["LOGNAME"] = f"uid{os.getuid()}"
    home, kept = Path("~").expanduser() if _has_home() else None, folder / ".snakemake" / "home"
    if home is not None and home.is_dir() and os.access(home, os.W_OK):
        return
    if home is None or not home.is_dir():
        kept.mkdir(parents=True, exist_ok=True)
        os.environ["HOME"] = str(kept)
    for name in ("XDG_CACHE_HOME", "MPLCONFIGDIR"):
        os.environ.setdefault(name, str(kept / "cache"))


def quote_interpreter() -> None:
    """Let Snakemake start Python from a path with a space, which it writes into commands as it is."""
    if not sys.executable.startswith("'"):
        sys.executable = shlex.quote(sys.executable)


def _has_home() -> bool:
    try:
        Path("~").expanduser()
    except RuntimeError:  # neither a variable nor an entry of the user says where it is
        return False
    return True
