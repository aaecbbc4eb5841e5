"""Handwritten 8x8 digits with planted populations: duplicates, a template family, ordinary images.

The images come with scikit-learn. All 1797 of them differ, so every duplicate in a set made here is planted.
"""

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from mmh.compute import rng
from mmh.errors import InputError

SIDE = 8


def images() -> np.ndarray:
    """Load the 1797 images of scikit-learn's digits.

    Returns
    -------
    (1797, 1, 8, 8) float32
        Grey values in [-1, 1], in steps of 1/8; the row is the `source` index used in the tables.
    """
    data = load_digits().data
    return (data / 8.0 - 1.0).astype(np.float32).reshape(-1, 1, SIDE, SIDE)


def classes(source: np.ndarray) -> np.ndarray:
    """Tell which digit each image shows.

    Parameters
    ----------
    source : (n,) int64
        Rows of `images`, as in the column `source` of the tables.

    Returns
    -------
    (n,) int64
        0..9; a template variant has the digit of its source image.
    """
    return load_digits().target[source].astype(np.int64)


def free_pixels(patch: int = 3) -> np.ndarray:
    """Tell which pixels vary within the template family.

    Parameters
    ----------
    patch : int
        Side of the free square in the upper left corner; `patch`² is the true LID of the family.

    Returns
    -------
    (1, 8, 8) bool
        True on the free pixels; everywhere else a variant equals its source image exactly.
    """
    if not 1 <= patch < SIDE:
        raise InputError(f"patch must lie in 1..{SIDE - 1}, it is {patch}")
    free = np.zeros((1, SIDE, SIDE), dtype=bool)
    free[:, :patch, :patch] = True
    return free


def make(
    *,
    n_ordinary: int = 400,
    n_duplicated: int = 20,
    copies: int = 25,
    n_template_variants: int = 150,
    patch: int = 3,
    seed: int = 0,
) -> tuple[np.ndarray, pd.DataFrame]:
    """Make the set with planted populations, from disjoint source images drawn by `seed`.

    Parameters
    ----------
    n_ordinary : int
        Images that occur once.
    n_duplicated, copies : int
        Images that occur `copies` times each, as exact copies: true LID 0.
    n_template_variants : int
        Variants of one image whose corner patch holds independent uniform values in [-1, 1].
    patch : int
        Side of that patch.
    seed : int
        Root seed of the draw.

    Returns
    -------
    x : (n, 1, 8, 8) float32
        Images in [-1, 1]: ordinary ones, then each duplicated image with its copies, then the family.
    table : pandas.DataFrame
        `train`, `source`, `population` (`ordinary`, `duplicate`, `template`), `group`, `copies`.

    Raises
    ------
    InputError
        If more source images are asked for than exist, or a count is out of range.
    """
    if min(n_ordinary, n_duplicated, n_template_variants) < 0 or copies < 2:
        raise InputError("digits: counts must not be negative, and `copies` must be at least 2")
    pool = images()
    needed = n_ordinary + n_duplicated + 1
    if needed > len(pool):
        raise InputError(f"digits: {needed} source images are asked for, there are {len(pool)}")
    order = rng.generator(seed, "digits-sources").permutation(len(pool))
    ordinary, rest = np.split(order[:needed], [n_ordinary])
    repeated, base = rest[:n_duplicated], int(rest[-1])

    free = free_pixels(patch)
    family = np.repeat(pool[base][None], n_template_variants, axis=0)
    for variant in range(n_template_variants):
        values = rng.generator(seed, "digits-template", variant).uniform(-1.0, 1.0, size=int(free.sum()))
        family[variant][free] = values.astype(np.float32)

    source = np.concatenate([ordinary, np.repeat(repeated, copies), np.full(n_template_variants, base)])
    x = np.concatenate([pool[source[: n_ordinary + n_duplicated * copies]], family])
    population = np.repeat(
        ["ordinary", "duplicate", "template"], [n_ordinary, n_duplicated * copies, n_template_variants]
    )
    first = n_ordinary + copies * np.arange(n_duplicated)
    group = np.concatenate(
        [
            np.arange(n_ordinary),
            np.repeat(first, copies),
            np.full(n_template_variants, n_ordinary + n_duplicated * copies),
        ]
    )
    count = np.where(population == "duplicate", copies, 1)
    return x, _table(source, population, group, count)


def make_overfit(*, n_train: int = 60, seed: int = 0) -> tuple[np.ndarray, pd.DataFrame]:
    """Make a set so small that the network memorizes it, though no image occurs twice.

    Parameters
    ----------
    n_train : int
        Number of images.
    seed : int
        Root seed of the draw.

    Returns
    -------
    x : (n, 1, 8, 8) float32
        Images in [-1, 1]; `source` in the table finds them again in the set of all images.
    table : pandas.DataFrame
        As for `make`; every population is `ordinary`.

    Raises
    ------
    InputError
        If `n_train` exceeds the number of images.
    """
    pool = images()
    if not 1 <= n_train <= len(pool):
        raise InputError(f"digits-overfit: n_train must lie in 1..{len(pool)}, it is {n_train}")
    source = rng.generator(seed, "digits-overfit-sources").permutation(len(pool))[:n_train]
    return pool[source], _distinct(source)


def make_control(*, n_train: int = 1797) -> tuple[np.ndarray, pd.DataFrame]:
    """Make the set of all images, once each; `train` equals `source`.

    Parameters
    ----------
    n_train : int
        Number of images; all of them, stated so that plans can be made without loading the data.

    Returns
    -------
    x : (1797, 1, 8, 8) float32
        Images in [-1, 1].
    table : pandas.DataFrame
        As for `make`; every population is `ordinary`.

    Raises
    ------
    InputError
        If `n_train` is not the number of images.
    """
    pool = images()
    if n_train != len(pool):
        raise InputError(f"digits-control: n_train must be {len(pool)}, all digits, it is {n_train}")
    return pool, _distinct(np.arange(len(pool)))


def _distinct(source: np.ndarray) -> pd.DataFrame:
    n = len(source)
    return _table(source, np.repeat("ordinary", n), np.arange(n), np.ones(n))


def _table(source: np.ndarray, population: np.ndarray, group: np.ndarray, copies: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "train": np.arange(len(source), dtype=np.int64),
            "source": source.astype(np.int64),
            "population": population.astype(str),
            "group": group.astype(np.int64),
            "copies": copies.astype(np.int64),
        }
    )
