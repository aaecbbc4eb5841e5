"""Unit embeddings in files, as one array of which only what is asked for is read."""

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmh.errors import InputError

Paths = Sequence[str | os.PathLike[str]]
CHUNK_BYTES = 64 * 2**20  # of rows, or of float64 products, held at once


class Shards:
    """Rows of several files as one array of embeddings, of which only what is asked for is read.

    Parameters
    ----------
    paths : sequence of path
        ``.npy`` files, or uncompressed ``.npz`` files with an array `embedding`; (n, k) float each, in the
        order in which their rows are counted.

    Raises
    ------
    InputError
        If a file is missing, truncated, compressed, or holds rows of another length.
    """

    def __init__(self, paths: Paths) -> None:
        if not paths:
            raise InputError("an index needs at least one file of embeddings, got none")
        self.parts = [_mapped(Path(path)) for path in paths]
        self.paths = [Path(path) for path in paths]
        for path, part in zip(self.paths, self.parts, strict=True):
            if part.ndim != 2 or part.shape[1] != self.parts[0].shape[-1] or part.dtype.kind != "f":
                raise InputError(
                    f"{path}: embeddings are {part.dtype} of shape {part.shape}, expected float rows of "
                    f"{self.parts[0].shape[-1]} as in {self.paths[0]}"
                )
        self.starts = np.cumsum([0, *(len(part) for part in self.parts)])
        self.dim = int(self.parts[0].shape[1])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Read some rows.

        Parameters
        ----------
        rows : (n,) int
            Positions among the rows of all shards.

        Returns
        -------
        (n, k) float32
        """
        out = np.empty((len(rows), self.dim), dtype=np.float32)
        owner = np.searchsorted(self.starts, rows, side="right") - 1
        for number in np.unique(owner):
            mine = owner == number
            out[mine] = self.parts[number][rows[mine] - self.starts[number]]
        return out


def _mapped(path: Path) -> Any:
    """Map the array of a file into memory, without reading it."""
    try:
        if path.suffix == ".npy":
            return np.load(path, mmap_mode="r", allow_pickle=False)
        with zipfile.ZipFile(path) as archive:
            member = archive.getinfo("embedding.npy")
            if member.compress_type != zipfile.ZIP_STORED:
                raise InputError(f"{path}: is compressed; write it with numpy.savez, not savez_compressed")
        with path.open("rb") as file:
            # The bytes of a stored member follow its local header, whose two last lengths may differ from
            # those of the central directory.
            file.seek(member.header_offset + 26)
            lengths = np.frombuffer(file.read(4), dtype="<u2")
            file.seek(member.header_offset + 30 + int(lengths.sum()))
            version = np.lib.format.read_magic(file)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, fortran, dtype = read(file)
            return np.memmap(
                path, dtype=dtype, mode="r", shape=shape, order="F" if fortran else "C", offset=file.tell()
            )
    except KeyError as error:
        raise InputError(f"{path}: lacks the array 'embedding'") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        if not path.exists():
            raise InputError(f"{path}: no such file; run the rule that makes it") from error
        raise InputError(f"{path}: cannot be read as embeddings; delete it and make it anew") from error


def check_unit(rows: np.ndarray, name: str, dim: int | None = None) -> None:
    """Refuse anything but finite unit rows.

    Parameters
    ----------
    rows : ndarray
        Embeddings.
    name : str
        What the message calls them.
    dim : int, optional
        Length of a row, if known.

    Raises
    ------
    InputError
        If they are not (n, k), of that length, or a norm differs from 1 by more than 1e-3.
    """
    if (
        rows.ndim != 2
        or (dim is not None and rows.shape[1] != dim)
        or not np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)
    ):
        expected = "" if dim is None else f" of {dim} values"
        raise InputError(f"{name}: embeddings of shape {rows.shape} are not finite unit rows{expected}")
