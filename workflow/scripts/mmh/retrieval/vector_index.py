"""Approximate search of unit embeddings by inner product, in memory or over shards that need not fit in it.

A FAISS index holds compressed embeddings and proposes candidates; the embeddings themselves, read from their
shards where they lie on disk, order the candidates in float64. So a compressed index costs recall only where
it leaves the right image out of the candidates.
"""

import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmh.compute import rng
from mmh.errors import InputError
from mmh.io.files import atomic

if TYPE_CHECKING:
    import faiss

Paths = Sequence[str | os.PathLike[str]]
TRAIN_ROWS = 65_536  # FAISS uses at most 256 points per centroid, and advises 39
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


def build(
    shards: Paths,
    factory: str,
    path: str | os.PathLike[str],
    *,
    train_rows: int = TRAIN_ROWS,
    seed: int = 0,
) -> None:
    """Build an index over shards, one at a time, and save it.

    Memory is bounded by the training sample, one part of a shard, and the index itself.

    Parameters
    ----------
    shards : sequence of path
        As for `Shards`; unit rows.
    factory : str
        FAISS factory string, for instance ``"IVF256,PQ64"``.
    path : path
        The index file.
    train_rows : int
        Rows drawn at random from all shards, on which an index that needs it is trained.
    seed : int
        Root seed of the draw. FAISS starts its k-means from a fixed seed, so that the same shards, seed and
        threads give the same file.

    Raises
    ------
    InputError
        If a shard is unreadable or its rows are no unit vectors, or FAISS cannot make such an index.
    """
    import faiss

    rows = Shards(shards)
    index = trained(factory, rows.dim, len(rows), rows.take, train_rows=train_rows, seed=seed)
    step = max(1, CHUNK_BYTES // (4 * rows.dim))
    for name, part in zip(rows.paths, rows.parts, strict=True):
        for start in range(0, len(part), step):
            chunk = np.ascontiguousarray(part[start : start + step], dtype=np.float32)
            check_unit(chunk, str(name))
            index.add(chunk)
    with atomic(path) as partial:
        faiss.write_index(index, str(partial))


def search(
    path: str | os.PathLike[str],
    shards: Paths,
    queries: np.ndarray,
    top: int,
    *,
    nprobe: int | None = None,
    rerank: int | None = None,
    name: str | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest rows of the shards by a saved index.

    The lists of an IVF index stay on disk and are read where they are probed; of the shards only the
    candidates are read.

    Parameters
    ----------
    path : path
        Written by `build` from the same shards.
    shards : sequence of path
        In the same order.
    queries : (n, k) float32
        Unit rows.
    top : int
        Matches per query.
    nprobe, rerank : int, optional
        As for `candidates`.
    name : str, optional
        What error messages call the index; its path by default.

    Returns
    -------
    distance : (n, top) float64
        1 - cosine, in [0, 2], ascending.
    row : (n, top) int64
        Positions among the rows of all shards; ties by row.

    Raises
    ------
    InputError
        If the index or a shard is unreadable, they do not belong together, queries are no unit vectors, or
        the index finds fewer than `top` rows.
    """
    import faiss

    rows = Shards(shards)
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP)
    except RuntimeError as error:
        if not Path(path).exists():
            raise InputError(f"{path}: no such index; build it first") from error
        raise InputError(f"{path}: not a FAISS index, or truncated; delete it and build it again") from error
    if index.ntotal != len(rows) or index.d != rows.dim:
        raise InputError(
            f"{path}: holds {index.ntotal} rows of {index.d} values, the shards {len(rows)} of {rows.dim}: "
            "build it again"
        )
    check_unit(queries, "queries", rows.dim)
    found = candidates(index, queries, top, nprobe=nprobe, rerank=rerank, name=name or str(path))
    return nearest(queries, found, rows.take, top)


def trained(
    factory: str,
    dim: int,
    n: int,
    take: Callable[[np.ndarray], np.ndarray],
    *,
    train_rows: int = TRAIN_ROWS,
    seed: int = 0,
) -> "faiss.Index":
    """Make an empty inner-product index, trained where it needs training.

    Parameters
    ----------
    factory : str
        FAISS factory string.
    dim, n : int
        Length and number of the rows.
    take : callable
        Gives the rows at positions, (m,) int64 -> (m, dim) float32.
    train_rows, seed : int
        As for `build`.

    Returns
    -------
    faiss.Index

    Raises
    ------
    InputError
        If FAISS cannot make or train it.
    """
    import faiss

    if train_rows < 1:
        raise InputError(f"train_rows must be positive, it is {train_rows}")
    try:
        index = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
        if not index.is_trained:
            _plain_codes(index)
            chosen = np.arange(n)
            if n > train_rows:
                drawn = rng.generator(seed, "vector-index").choice(n, train_rows, replace=False)
                chosen = np.sort(drawn)
            index.train(np.ascontiguousarray(take(chosen), dtype=np.float32))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(f"FAISS cannot build index '{factory}' on {n} embeddings: {reason}") from error
    return index


def candidates(
    index: "faiss.Index",
    queries: np.ndarray,
    top: int,
    *,
    nprobe: int | None = None,
    rerank: int | None = None,
    name: str = "index",
) -> np.ndarray:
    """Ask an index for the rows that will be put in order exactly.

    Parameters
    ----------
    index : faiss.Index
        Of inner products.
    queries : (n, k) float32
    top : int
        Matches wanted in the end.
    nprobe : int, optional
        Lists that an IVF index looks into; a quarter of them by default. Other indexes have none.
    rerank : int, optional
        Candidates per query, at least `top`. By default 8 more than `top` of an index that holds the rows as
        they are (float32 products may order near ties wrongly), otherwise the larger of 100 and 10 `top`.
    name : str
        What error messages call the index.

    Returns
    -------
    (n, rerank or fewer) int64
        Rows, -1 for none.

    Raises
    ------
    InputError
        If an option does not fit the index, or it finds fewer than `top` rows for a query.
    """
    import faiss

    exact = isinstance(faiss.downcast_index(index), faiss.IndexFlat)
    ivf = faiss.try_extract_index_ivf(index)
    if nprobe is not None and (ivf is None or not 1 <= nprobe <= ivf.nlist):
        have = "no lists (it is no IVF index)" if ivf is None else f"{ivf.nlist} lists"
        raise InputError(f"nprobe is {nprobe}, but FAISS index '{name}' has {have}")
    if ivf is not None:
        ivf.nprobe = max(1, ivf.nlist // 4) if nprobe is None else nprobe
    if rerank is None:
        rerank = top + 8 if exact else max(100, 10 * top)
    if not 1 <= top <= rerank:
        raise InputError(f"rerank must be at least the {top} matches wanted, it is {rerank}")
    found = index.search(np.ascontiguousarray(queries, dtype=np.float32), min(rerank, index.ntotal))[1]
    if found.shape[1] < top or (found[:, :top] < 0).any():
        raise InputError(
            f"FAISS index '{name}' finds fewer than {top} images for a sample; use 'Flat' or a larger nprobe"
        )
    return found


def nearest(
    queries: np.ndarray, found: np.ndarray, take: Callable[[np.ndarray], np.ndarray], top: int
) -> tuple[np.ndarray, np.ndarray]:
    """Order candidates by their distance in float64.

    Parameters
    ----------
    queries : (n, k) float
        Unit rows.
    found : (n, c) int64
        Candidates of each query, -1 for none; at least `top` that are not.
    take : callable
        Gives the rows at positions, (m,) int64 -> (m, k) float.
    top : int
        How many to keep.

    Returns
    -------
    distance : (n, top) float64
        1 - cosine, in [0, 2], ascending.
    row : (n, top) int64
        Ties by row.
    """
    distance = np.empty(found.shape)
    step = max(1, CHUNK_BYTES // (8 * found.shape[1] * queries.shape[1]))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        wanted, position = np.unique(np.maximum(found[part], 0), return_inverse=True)
        rows = take(wanted)[position.reshape(found[part].shape)]
        cosine = np.einsum("nk,njk->nj", queries[part].astype(np.float64), rows)
        distance[part] = np.where(found[part] < 0, np.inf, np.clip(1 - cosine, 0, 2))
    order = np.lexsort((found, distance), axis=1)[:, :top]
    return np.take_along_axis(distance, order, axis=1), np.take_along_axis(found, order, axis=1)


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


def _plain_codes(index: "faiss.Index") -> None:
    """Keep product codes as k-means leaves them: sorting them for a Hamming filter costs 20 times as much."""
    import faiss

    inner = faiss.downcast_index(index)
    if isinstance(inner, faiss.IndexPreTransform):
        inner = faiss.downcast_index(inner.index)
    if hasattr(inner, "do_polysemous_training"):
        inner.do_polysemous_training = False


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
