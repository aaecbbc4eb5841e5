"""What an audit reads of finished tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmh.audit.image_answer import Evidence
from mmh.io.arrays import read_arrays
from mmh.io.image_shards import read_images
from mmh.io.table_files import read_table
from mmh.io.tables import ALL_SCORES

BLOCK = 1024  # images that are compared with all samples at a time


def lid_of(
    scores: Path, items: str | None, estimator: str | None
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Read one score of an item set, in the order of the items.

    Parameters
    ----------
    scores : path
        ``scores.parquet``.
    items, estimator : str or None
        None of either: there is nothing to read.

    Returns
    -------
    value, stderr : (n,) float64 or None
    """
    if items is None or estimator is None:
        return None, None
    table = read_table(scores, ALL_SCORES)
    rows = table[(table["items"] == items) & (table["estimator"] == estimator)].sort_values("item")
    error = rows["stderr"].to_numpy(dtype=np.float64, na_value=np.nan)
    return rows["value"].to_numpy(dtype=np.float64), None if np.isnan(error).all() else error


def read_evidence(
    train: Path,
    samples: list[Path],
    holdout: list[Path],
    scores: Path | list[Path],
    embeddings: Mapping[str, list[Path]],
    options: Mapping[str, Any],
) -> Evidence:
    """Read all that there is about the images.

    Parameters
    ----------
    train : path
    samples, holdout : list of path
        Shards; no hold-out where there is none.
    scores : path
        ``scores.parquet``; an empty list where LID is not asked for.
    embeddings : mapping of str to list of path
        Unit embeddings: `train_embeddings`, `samples_embeddings`, `holdout_embeddings`; empty without a copy
        descriptor.
    options : mapping
        Of `ImageAnswer`.

    Returns
    -------
    Evidence
    """
    given = Evidence(
        read_images(train)[0], read_images(samples)[0], read_images(holdout)[0] if holdout else None
    )
    if not isinstance(scores, list):
        model, data = options.get("model_estimator"), options.get("data_estimator")
        given.lid, _ = lid_of(scores, "train", model)
        given.lid_holdout, _ = lid_of(scores, options.get("holdout"), model)
        given.lid_data, given.se_data = lid_of(scores, "train", data)
    if embeddings:
        units = {key: _embeddings(paths) for key, paths in embeddings.items()}
        drawn = units["samples_embeddings"]
        given.alike = closest_cosine(units["train_embeddings"], drawn)
        if "holdout_embeddings" in units:
            given.alike_holdout = closest_cosine(units["holdout_embeddings"], drawn)
    return given


def closest_cosine(units: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Largest cosine of each unit row to any of the others.

    Parameters
    ----------
    units : (n, k) float
    others : (m, k) float

    Returns
    -------
    (n,) float64
    """
    blocks = [units[start : start + BLOCK] @ others.T for start in range(0, len(units), BLOCK)]
    return np.concatenate([block.max(axis=1) for block in blocks]).astype(np.float64)


def _embeddings(paths: list[Path]) -> np.ndarray:
    """Embeddings by ascending id."""
    parts = [read_arrays(path, "embedding", "id") for path in paths]
    values, ids = (np.concatenate(part) for part in zip(*parts, strict=True))
    return values[np.argsort(ids, kind="stable")]
