"""Finished blocks of a long job, kept until its output is whole, so that a stopped job goes on where it was.

They lie in ``chunks/<rule>/<key>/``, outside of the results. The key covers everything that a result's bytes
depend on, so that whatever is found there may be used as it is. Who writes a chunk does not matter: two jobs
with one key write equal blocks, and every file appears by a rename.
"""

import hashlib
import json
import shutil
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmh import provenance
from mmh.io.files import atomic

Arrays = dict[str, np.ndarray]

FOLDER = Path("chunks")
FORMAT = 1
EVERY_SECONDS = 60.0


class Chunks:
    """Blocks of one job on disk.

    Parameters
    ----------
    folder : Path
        From `chunk_folder`; made by the first `save`, so that a short job leaves no trace.
    every_seconds : float
        Least time between two saves.
    after_save : callable, optional
        Called without arguments after each save; what it raises stops the job.
    """

    def __init__(
        self,
        folder: Path,
        *,
        every_seconds: float = EVERY_SECONDS,
        after_save: Callable[[], None] | None = None,
    ) -> None:
        self.folder = folder
        self.every_seconds = every_seconds
        self.after_save = after_save

    def part(self, name: str) -> "Chunks":
        """Give a store in a folder of its own below this one, for blocks that are cut in another way.

        Parameters
        ----------
        name : str
            Of the folder.

        Returns
        -------
        Chunks
            `remove` of this store removes it, too.
        """
        return Chunks(self.folder / name, every_seconds=self.every_seconds, after_save=self.after_save)

    def load(self) -> dict[int, Arrays]:
        """Read what is there; a damaged file is named in the log, removed and left out.

        Returns
        -------
        dict of int to dict of str to ndarray
            Arrays by name for each block that was saved.
        """
        blocks: dict[int, Arrays] = {}
        for file in sorted(self.folder.glob("[!.]*.npz")):
            try:
                blocks |= _read(file)
            except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
                print(f"note: {file} is damaged ({error}); its blocks are computed again", file=sys.stderr)
                file.unlink(missing_ok=True)
        return blocks

    def save(self, blocks: Mapping[int, Arrays]) -> None:
        """Add blocks; a full disk is noted in the log and stops nothing.

        Parameters
        ----------
        blocks : mapping of int to dict of str to ndarray
        """
        arrays = {f"{number}.{name}": a for number, block in blocks.items() for name, a in block.items()}
        digest = _digest(arrays)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            target = self.folder / f"{min(blocks):06d}-{digest[:16]}.npz"
            with atomic(target) as partial, partial.open("wb") as file:
                np.savez(file, digest=np.array(digest), **arrays)  # type: ignore[arg-type]
        except OSError as error:
            print(f"note: {self.folder}: finished blocks cannot be saved ({error.strerror})", file=sys.stderr)
        if self.after_save is not None:
            self.after_save()

    def remove(self) -> None:
        """Remove the blocks, and the folders above them if they are empty then."""
        if not self.folder.is_dir():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        for parent in list(self.folder.parents)[:2]:
            try:
                parent.rmdir()
            except OSError:  # another job's chunks
                return


def blockwise(
    compute: Callable[[np.ndarray], Arrays],
    blocks: Sequence[np.ndarray],
    *,
    progress: Callable[..., Callable[..., None]],
    store: Chunks | None = None,
    unit: str = "image",
) -> Arrays:
    """Compute rows block by block; with a store, take finished blocks from it and save new ones now and then.

    Parameters
    ----------
    compute : callable
        ``compute(rows)`` gives named arrays whose first axis is that of `rows`; their bytes depend on the
        block alone.
    blocks : sequence of (m,) int64
        Rows of the result; together each of 0..n-1 once. A block is never cut, so it should be whole batches
        and, if possible, less than a minute of work.
    progress : callable
        As `mmh.job.frame.Run.progress`; it counts the rows that are left and says how many were resumed.
    store : Chunks, optional
        None: nothing is saved.
    unit : str
        What a row is.

    Returns
    -------
    dict of str to ndarray
        First axis n.
    """
    done = {} if store is None else store.load()
    total, resumed = sum(map(len, blocks)), sum(len(blocks[number]) for number in done)
    if store is not None and resumed:
        print(f"resumed: {resumed} of {total} {unit}s, {len(done)} of {len(blocks)} blocks in {store.folder}")
        unit = f"{resumed} {unit}s resumed, {unit}"
    report, finished = progress(total - resumed, unit=unit), 0
    report(0)
    result: Arrays = {}
    for number, arrays in done.items():
        _put(result, arrays, blocks[number], total)
    left = [number for number in range(len(blocks)) if number not in done]
    done.clear()
    pending: dict[int, Arrays] = {}
    saved = time.monotonic()
    try:
        for number in left:
            arrays = compute(blocks[number])
            _put(result, arrays, blocks[number], total)
            finished += len(blocks[number])
            report(finished)
            if store is not None:
                pending[number] = arrays
                if time.monotonic() - saved >= store.every_seconds and number != left[-1]:
                    _flush(store, pending)
                    saved = time.monotonic()
    except BaseException:
        # Stopped, or out of memory. A few seconds of work are not worth a file.
        if store is not None and pending and time.monotonic() - saved >= store.every_seconds / 6:
            _flush(store, pending)
        raise
    return result


def chunk_folder(rule: str, inputs: Mapping[str, Any], *, device: str, **fields: Any) -> Path:
    """Folder of a job's chunks, named by a digest of everything that its result's bytes depend on.

    Besides the given fields these are path, size and modification time of every input file (content would
    have to be read, gigabytes of it), the versions of the packages, and the names of processor and GPU:
    another one may round differently, and a result half of each would equal no uninterrupted run.

    Parameters
    ----------
    rule : str
    inputs : mapping of str to Path or list of Path
        Files and folders.
    device : str
        ``"cpu"`` or ``"cuda"``.
    **fields
        JSON values: code digest, options, seed, threads, span.

    Returns
    -------
    Path
        Relative to the working directory; not made.
    """
    files = {
        name: [_identity(path) for path in (value if isinstance(value, list) else [value])]
        for name, value in inputs.items()
    }
    key = {
        "format": FORMAT,
        "rule": rule,
        "inputs": files,
        "processor": provenance.processor(),
        "gpu": _gpu() if device == "cuda" else None,
        "versions": provenance.versions(),
        **fields,
    }
    text = json.dumps(key, sort_keys=True, default=repr)
    return FOLDER / rule / hashlib.sha256(text.encode()).hexdigest()[:24]


def _put(result: Arrays, arrays: Arrays, rows: np.ndarray, total: int) -> None:
    for name, part in arrays.items():
        if name not in result:
            result[name] = np.empty((total, *part.shape[1:]), dtype=part.dtype)
        result[name][rows] = part


def _flush(store: Chunks, pending: dict[int, Arrays]) -> None:
    blocks = dict(pending)
    pending.clear()  # first: an ownership lost while saving must not save them twice
    store.save(blocks)


def _read(file: Path) -> dict[int, Arrays]:
    with np.load(file, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored}
    if str(arrays.pop("digest")) != _digest(arrays):
        raise ValueError("its digest differs")
    blocks: dict[int, Arrays] = {}
    for key, array in arrays.items():
        number, name = key.split(".", 1)
        blocks.setdefault(int(number), {})[name] = array
    return blocks


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode() + array.tobytes())
    return digest.hexdigest()


def _identity(path: Path) -> list[Any]:
    """Path, size and time of a file, or of each file in a folder; hidden files are nobody's input."""
    files: Iterable[Path] = [path]
    if path.is_dir():
        files = sorted(file for file in path.rglob("[!.]*") if file.is_file())
    found: list[Any] = [str(path)]
    for file in files:
        if file.exists():  # if not, whoever reads it says so
            status = file.stat()
            found.append([str(file), status.st_size, status.st_mtime_ns])
    return found


def _gpu() -> str:
    import torch

    return torch.cuda.get_device_name()
