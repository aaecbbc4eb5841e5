"""A set of images with its classes, and how it becomes the training set of an experiment."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmh.errors import InputError


@dataclass(frozen=True)
class ImageSet:
    """Images in a fixed order, with their classes if they have any."""

    images: np.ndarray  # (n, C, H, W) uint8
    names: tuple[str, ...]  # n file names
    labels: np.ndarray | None = None  # (n,) int64, rows of `class_names`
    class_names: tuple[str, ...] | None = None


def write_training_set(found: ImageSet, images: Path, table: Path, *, n_train: int, what: str) -> None:
    """Write a set of images as the training set of an experiment.

    Parameters
    ----------
    found : ImageSet
    images : path
        ``.npz`` with `image` (n, C, H, W) uint8, `id` int64 and `class` int64 (0 without classes).
    table : path
        `train` and `source` (both the row), `population` (the class name, or ``train`` without classes),
        `group` (the first of the exact duplicates of an image) and `copies` (how many there are).
    n_train : int
        How many images the configuration promises.
    what : str
        Names their source in the error.

    Raises
    ------
    InputError
        If there are more or fewer images than promised.
    """
    import pandas as pd

    from mmh.io.files import write_arrays, write_table
    from mmh.io.tables import TRAIN
    from mmh.retrieval.duplicates import duplicate_groups

    n = len(found.images)
    if n != n_train:
        raise InputError(f"{what}: holds {n} images, n_train in config.yaml is {n_train}; set n_train to {n}")
    ids = np.arange(n, dtype=np.int64)
    classes = {} if found.labels is None else {"class": found.labels}
    population = np.array(found.class_names or ("train",), dtype=object)[classes.get("class", 0 * ids)]
    group = duplicate_groups(found.images)
    copies = np.bincount(group)[group].astype(np.int64)
    columns = {"train": ids, "source": ids, "population": population, "group": group, "copies": copies}
    write_arrays(images, image=found.images, id=ids, **classes)
    write_table(pd.DataFrame(columns), table, TRAIN)
