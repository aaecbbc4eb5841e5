"""Digests of code, kept beside the bytecode from one start of Snakemake to the next.

Snakemake starts anew for every command and for every job of a cluster, and half of that time goes into
reading 300 files for their digests. They are those of `mmh.digest.code`, and hold as long as no byte of any
file below the folder of the scripts differs.
"""

import atexit
import hashlib
import importlib.util
import json
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from mmh.digest import code
from mmh.digest.reach import Root


class Kept:
    """Digests of one state of the code.

    Parameters
    ----------
    folder : Path
        The folder of the scripts, with the package in it.
    compute : callable
        As `mmh.digest.code.code_digest`.
    """

    def __init__(self, folder: Path, compute: Callable[..., str]) -> None:
        self.folder, self.compute = folder, compute
        # One for each version of Python, which may read the same file in another way.
        place = Path(importlib.util.cache_from_source(str(folder / "mmh" / "digests.py"), optimization=""))
        self.file = place.with_suffix(".json")
        self._state = state_of(folder)
        self._digests = self._read()
        self._new = False

    def digest(self, script: str, *roots: Root) -> str:
        """As `mmh.digest.code.code_digest`; of plug-ins, which lie elsewhere, nothing is kept."""
        if any(isinstance(where, Path) or where.endswith(".py") for where, _ in roots):
            return self.compute(script, *roots)
        key = json.dumps([script, *roots])
        if key not in self._digests:
            self._digests[key] = self.compute(script, *roots)
            self._new = True
        return self._digests[key]

    def save(self) -> None:
        """Keep what is new, unless a file was edited meanwhile; a folder that is read-only stops nothing."""
        if not self._new or state_of(self.folder) != self._state:
            return
        partial = self.file.with_name(f"{self.file.name}.{os.getpid()}")
        with suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            # Another start may have kept other digests of the same code.
            content = {"state": self._state, "digests": {**self._read(), **self._digests}}
            partial.write_text(json.dumps(content))
            partial.replace(self.file)
            self._new = False

    def _read(self) -> dict[str, str]:
        try:
            content = json.loads(self.file.read_text())
            return dict(content["digests"]) if content["state"] == self._state else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}


def state_of(folder: Path) -> str:
    """Digest of the names and bytes of all files below a folder, bytecode left out."""
    found = hashlib.sha256()
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(files):
            path = os.path.join(parent, name)  # noqa: PTH118
            content = b""
            with suppress(OSError), open(path, "rb") as file:  # an editor's lock leads nowhere  # noqa: PTH123
                content = file.read()
            found.update(f"{path[len(str(folder)) :]}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


def code_digest(script: str, *roots: Root) -> str:
    """As `mmh.digest.code.code_digest`, from an earlier start if the code is as it was then."""
    return _shipped().digest(script, *roots)


@cache
def _shipped() -> Kept:
    kept = Kept(code.SCRIPTS, code.code_digest)
    atexit.register(kept.save)
    return kept
