"""Exact duplicates among the training images: one image each, called by its smallest id."""

import hashlib

import numpy as np

_HASHED_ROWS = 1024


def duplicate_groups(items: np.ndarray) -> np.ndarray:
    """Find exact duplicates.

    Parameters
    ----------
    items : (n, ...) array
        Compared value by value (0.0 equals -0.0), by their SHA-256 digests.

    Returns
    -------
    (n,) int64
        The first row that equals each row.
    """
    flat = items.reshape(len(items), -1)
    digests = []
    for start in range(0, len(flat), _HASHED_ROWS):
        part = np.ascontiguousarray(flat[start : start + _HASHED_ROWS])
        if part.dtype.kind == "f":
            part = part + part.dtype.type(0)  # -0.0 becomes 0.0
        digests += [hashlib.sha256(row).digest() for row in part]
    # Equal digests are equal rows: among a billion rows two others share one with probability below 1e-59.
    _, first, inverse = np.unique(np.array(digests, dtype="V32"), return_index=True, return_inverse=True)
    return first[inverse].astype(np.int64)


def distinct_images(
    groups: np.ndarray, train_ids: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Smallest id, its row, and the number of copies of each group of duplicates, ascending by id."""
    ids = np.arange(len(groups)) if train_ids is None else np.asarray(train_ids)
    order = np.argsort(ids, kind="stable")
    _, first, counts = np.unique(groups[order], return_index=True, return_counts=True)
    rows = order[first]
    by_id = np.argsort(ids[rows], kind="stable")
    return ids[rows][by_id].astype(np.int64), rows[by_id], counts[by_id]
