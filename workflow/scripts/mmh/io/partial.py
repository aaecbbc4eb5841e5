"""Temporary names beside a final one, and who may put an output in place. Standard library only."""

import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from mmh.errors import InputError

LOCK_SECONDS = 30.0


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


def remove_partials(path: str | os.PathLike[str], *, other_hosts: bool = False) -> None:
    """Remove what this or a dead process on this host left beside ``path``.

    Files of a live process are left alone: it removes them itself.

    Parameters
    ----------
    path : path
        The final name of an output.
    other_hosts : bool
        Remove those of other hosts too. Whether their processes live cannot be seen from here: for the owner
        of the output's `Ownership` only, without which nobody else's file can ever be put in place.
    """
    final = Path(path)
    if not final.parent.is_dir():
        return
    stem, here = re.escape(final.stem), re.escape(socket.gethostname())
    ours = re.compile(rf"\.{stem}\.{here}-(\d+)\.partial(?:\..*)?", re.DOTALL)
    # With its suffix: another output may have the same stem, and its job may run elsewhere.
    anyones = re.compile(rf"\.{stem}\.(.+)-\d+\.partial{re.escape(final.suffix)}", re.DOTALL)
    for entry in final.parent.iterdir():
        match, remote = ours.fullmatch(entry.name), anyones.fullmatch(entry.name)
        if match:
            stale = int(match[1]) == os.getpid() or not Path(f"/proc/{match[1]}").exists()
        else:
            stale = other_hosts and remote is not None and remote[1] != socket.gethostname()
        if stale:
            _remove(entry)


def put_in_place(partial: Path, final: Path) -> None:
    """Rename a whole temporary output to its final name, over a folder of that name too.

    A folder cannot be renamed over another: the old one is moved aside first, to a name that
    `remove_partials` knows.

    Parameters
    ----------
    partial, final : Path
        In one folder.
    """
    if final.is_dir() and not final.is_symlink():
        aside = partial.with_name(f".{final.stem}.{socket.gethostname()}-{os.getpid()}.partial.old")
        final.rename(aside)
        partial.replace(final)
        _remove(aside)
    else:
        partial.replace(final)


class LostOwnershipError(InputError):
    """Another job owns the output; this one must not touch it."""


class Ownership:
    """Who may put a job's outputs in place: the newest job that asked for it.

    A small JSON file ``.<name>.owner`` beside the first output, with `token`, `host`, `pid`, `started` (ISO)
    and `slurm_job` (None outside SLURM). Taking it needs nobody's leave, so that what a dead job left is in
    nobody's way; an older job that still runs, on another node perhaps, finds that it has lost the output
    before it renames anything. A file lock keeps the newer from coming in between two renames; where the
    file system has no locks, the window is that of one rename.

    Parameters
    ----------
    output : path
        First output of the job.
    """

    def __init__(self, output: str | os.PathLike[str]) -> None:
        self.output = Path(output)
        # The whole name: `law.1` and `law.2` are two folders.
        self.file = self.output.with_name(f".{self.output.name}.owner")
        self.token = secrets.token_hex(8)
        self.taken = False

    def take(self) -> None:
        """Become the owner."""
        content = {
            "token": self.token,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "slurm_job": os.environ.get("SLURM_JOB_ID"),
        }
        self.file.parent.mkdir(parents=True, exist_ok=True)
        partial = partial_name(self.file)
        partial.write_text(json.dumps(content) + "\n", encoding="utf-8")
        with _locked(self.file, os.O_CREAT):
            partial.replace(self.file)
        self.taken = True

    def check(self) -> None:
        """Raise unless this job still owns the output.

        Raises
        ------
        LostOwnershipError
            If another job has taken over, or the file is gone since the other one has finished.
        """
        if not self.taken:
            return
        try:
            found = json.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise LostOwnershipError(
                f"{self.output}: the ownership of this job, {self.file.name}, is gone: a newer job has "
                "finished this output, or the folder was cleared; this one leaves it alone; run again if it "
                "is missing"
            ) from None
        except ValueError:  # being written by a newer job
            found = {}
        if found.get("token") != self.token:
            slurm = f", SLURM job {found['slurm_job']}" if found.get("slurm_job") else ""
            raise LostOwnershipError(
                f"{self.output}: a newer job has taken over this output (pid {found.get('pid', '?')} on "
                f"{found.get('host', '?')}, started {found.get('started', '?')}{slurm}); this one leaves it "
                "alone; nothing to do, but cancel the old jobs of a killed run before you start another"
            )

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep the ownership while outputs are renamed, then give it back.

        Yields
        ------
        None

        Raises
        ------
        LostOwnershipError
            If it is another job's.
        """
        with _locked(self.file):
            self.check()
            yield
            self._drop()

    def release(self) -> None:
        """Remove the file if it is this job's."""
        with contextlib.suppress(LostOwnershipError, OSError), _locked(self.file):
            self._drop()

    def _drop(self) -> None:
        if self.taken:
            self.check()
            self.file.unlink()
            self.taken = False


@contextlib.contextmanager
def _locked(file: Path, create: int = 0) -> Iterator[None]:
    """Hold the lock of a small file that others replace or remove under the same lock."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            descriptor = os.open(file, os.O_RDWR | create, 0o666)
        except FileNotFoundError:  # the caller's check finds it gone
            yield
            return
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # the other one is renaming: a moment, unless its node died
                if time.monotonic() < deadline:
                    time.sleep(0.02)
                    continue
                print(f"note: {file}: still locked after {LOCK_SECONDS:.0f} s; going on without the lock")
            except OSError as error:
                print(f"note: {file}: no lock ({error.strerror}) on this file system; going on without it")
            else:
                if not _same(descriptor, file):  # replaced before the lock was ours
                    continue
            yield
            return
        finally:
            os.close(descriptor)


def _same(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except OSError:
        return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
