"""Reading and writing of tables, arrays and small text files.

Every reader turns a missing, truncated or malformed file into one ``InputError`` that names it; every writer
checks what it writes and puts it in place by a rename, so that a kill leaves nothing half-written.
"""

import json
import os
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mmh.errors import InputError
from mmh.io.spans import SELECTED, span_range
from mmh.io.tables import Contract
from mmh.job.partial import is_partial, partial_name


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


def write_table(table: Any, path: str | os.PathLike[str], contract: Contract) -> None:
    """Write a table to Parquet after checking its columns and values.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns of the contract; others are refused.
    path : path
    contract : Contract
        One of `mmh.io.tables`, or a module's own.

    Raises
    ------
    InputError
        If columns differ from the contract, or a value that must be there is missing, NaN or infinite.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = contract.columns
    if list(table.columns) != list(columns):
        raise InputError(
            f"{path}: a {contract.name} table has columns {list(columns)}, got {list(table.columns)}"
        )
    arrays = []
    for name, spec in columns.items():
        array = pa.array(table[name], type=getattr(pa, spec.rstrip("?"))(), from_pandas=True)
        if spec.startswith("float"):
            finite = np.isfinite(array.drop_null().to_numpy())
            if not finite.all():
                raise InputError(f"{path}: column {name!r} has {(~finite).sum()} infinite values")
        if not spec.endswith("?") and array.null_count:
            row = int(np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))[0])
            first = next(iter(columns))
            raise InputError(
                f"{path}: column {name!r} is missing or NaN in {array.null_count} rows, first at "
                f"{first} {table[first].iloc[row]}"
            )
        arrays.append(array)
    with atomic(path) as partial:
        # No pandas metadata: the bytes depend on the values alone.
        pq.write_table(pa.table(arrays, names=list(columns)), partial, compression="zstd")


def write_csv(table: Any, path: str | os.PathLike[str], digits: int | None = None) -> None:
    """Write a table to CSV.

    Parameters
    ----------
    table : pandas.DataFrame
    path : path
    digits : int, optional
        Significant digits of floats, for tables that people read; all digits by default.
    """
    float_format = None if digits is None else f"%.{digits}g"
    with atomic(path) as partial:
        table.to_csv(partial, index=False, lineterminator="\n", encoding="utf-8", float_format=float_format)


def read_table(path: str | os.PathLike[str], contract: Contract) -> Any:
    """Read a table written by ``write_table``.

    Parameters
    ----------
    path : path
    contract : Contract
        As it was written.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    InputError
        If the file is missing, truncated, or holds other columns.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path).read()
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, "a Parquet table", error) from error
    if table.column_names != list(contract.columns):
        raise InputError(
            f"{path}: expected a {contract.name} table with columns {list(contract.columns)}, "
            f"found {table.column_names}"
        )
    return table.to_pandas()


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
        raise _unreadable(path, "an .npz file", error) from error


def read_images(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], ids: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Read image shards as floats.

    Parameters
    ----------
    paths : path or paths
        ``.npz`` files with ``id`` and either ``x`` (float32 in [-1, 1]) or ``image`` (uint8, mapped to x /
        127.5 - 1).
    ids : (n,) int64, optional
        Only these, in this order.

    Returns
    -------
    x : (n, ...) float32
    id : (n,) int64

    Raises
    ------
    InputError
        If a file is unreadable, ids repeat, or a wanted id is absent.
    """
    shards = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    parts = []
    for shard in shards:
        x, name = _pixels(shard)
        parts.append((x, name) if len(shards) == 1 else (_floats(x), name))
    # A large set lies in one file: rows are picked before they become floats, and all of them are not copied.
    x, found = parts[0] if len(parts) == 1 else tuple(map(np.concatenate, zip(*parts, strict=True)))
    order = np.argsort(found, kind="stable")
    if (np.diff(found[order]) == 0).any():
        raise InputError(f"{_names(shards)}: an id occurs twice; delete the files and run again")
    if ids is None:
        return (_floats(x), found) if (np.diff(found) > 0).all() else (_floats(x[order]), found[order])
    position = np.searchsorted(found[order], ids)
    absent = (position >= len(found)) | (found[order][np.minimum(position, len(found) - 1)] != ids)
    if absent.any():
        raise InputError(f"{_names(shards)}: holds no id {np.asarray(ids)[absent][0]}")
    return _floats(x[order[position]]), np.asarray(ids, dtype=np.int64)


def read_span(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], span: str, items: str
) -> tuple[np.ndarray, np.ndarray]:
    """Read the images of one span of an item set.

    Parameters
    ----------
    paths : path or paths
        As for `read_images`.
    span : str
        Ids; places in the ascending list of ids for the set `selected`.
    items : str
        Name of the item set.

    Returns
    -------
    x : (n, ...) float32
    id : (n,) int64

    Raises
    ------
    InputError
        As `read_images` does.
    """
    wanted = span_range(span)
    if items != SELECTED:
        return read_images(paths, np.array(wanted))
    x, ids = read_images(paths)
    return x[wanted.start : wanted.stop], ids[wanted.start : wanted.stop]


def read_present(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], span: str
) -> tuple[np.ndarray, np.ndarray]:
    """Read those images of one span that there are: of a set of images by URL some could not be had.

    Parameters
    ----------
    paths : path or paths
        As for `read_images`.
    span : str
        Ids.

    Returns
    -------
    x : (n, ...) float32
    id : (n,) int64
        Ascending; may be empty.

    Raises
    ------
    InputError
        If a file is unreadable, or ids repeat.
    """
    wanted = span_range(span)
    x, ids = read_images(paths)
    here = (ids >= wanted.start) & (ids < wanted.stop)
    return x[here], ids[here]


def read_column(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], name: str, ids: np.ndarray
) -> np.ndarray | None:
    """Read what shards hold of some images besides their pixels, such as ``class`` or ``z``.

    Parameters
    ----------
    paths : path or paths
        ``.npz`` files with ``id``.
    name : str
        Name of the array.
    ids : (n,) int64
        Images wanted.

    Returns
    -------
    (n, ...) ndarray or None
        Rows in the order of `ids`; None if no file has such an array.

    Raises
    ------
    InputError
        If a file is unreadable or a wanted id is absent.
    """
    rows: dict[int, np.ndarray] = {}
    for shard in [paths] if isinstance(paths, str | os.PathLike) else paths:
        try:
            with np.load(shard, allow_pickle=False) as file:
                if name not in file:
                    return None
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise _unreadable(shard, "an .npz file", error) from error
        values, found = read_arrays(shard, name, "id")
        rows.update(zip(found.tolist(), values, strict=True))
    absent = [i for i in ids.tolist() if i not in rows]
    if absent:
        raise InputError(f"array {name!r} holds no id {absent[0]}; delete the files and run again")
    return np.stack([rows[i] for i in ids.tolist()])


def _pixels(path: str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            stored = set(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _unreadable(path, "an image shard (.npz)", error) from error
    x, ids = read_arrays(path, "image" if "image" in stored else "x", "id")
    if len(x) != len(ids):
        raise InputError(f"{path}: {len(x)} images but {len(ids)} ids")
    return x, ids


def _floats(x: np.ndarray) -> np.ndarray:
    """Map bytes to [-1, 1]; floats are there already."""
    if x.dtype != np.uint8:
        return x
    floats = x.astype(np.float32)
    floats /= np.float32(127.5)  # in place: a training set may be large
    floats -= np.float32(1)
    return floats


def _names(paths: list[Any]) -> str:
    return str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


def _unreadable(path: str | os.PathLike[str], what: str, error: Exception) -> InputError:
    if not Path(path).exists():
        return InputError(f"{path}: no such file; run the rule that makes it")
    reason = str(error).strip().splitlines() or [type(error).__name__]
    return InputError(
        f"{path}: cannot be read as {what} ({reason[0]}); it is probably truncated: "
        "delete it and run again, Snakemake makes it anew"
    )
