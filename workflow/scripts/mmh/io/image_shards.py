"""Images in shards: ``.npz`` files of ids with pixels or bytes, and what else is known of each image."""

import os
import zipfile
from collections.abc import Iterable
from typing import Any

import numpy as np

from mmh.errors import InputError
from mmh.io.arrays import read_arrays
from mmh.io.files import unreadable
from mmh.io.spans import SELECTED, span_range


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
            raise unreadable(shard, "an .npz file", error) from error
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
        raise unreadable(path, "an image shard (.npz)", error) from error
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
