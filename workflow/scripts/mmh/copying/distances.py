"""Definitions of copying by distance: a sample and its nearest training items, beside one another."""

import numpy as np

from mmh.errors import InputError

BLOCK = 512


def nearest_two(x: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the two nearest training items of each point.

    Parameters
    ----------
    x : (n, ...) float
        Points.
    train : (m, ...) float
        At least two training items.

    Returns
    -------
    distance : (n, 2) float64
        Euclidean, ascending.
    row : (n, 2) int64
        Rows of `train`; of equally near ones the first.

    Raises
    ------
    InputError
        If there are fewer than two training items.
    """
    from scipy.spatial.distance import cdist

    x, train = (np.asarray(a, dtype=np.float64).reshape(len(a), -1) for a in (x, train))
    if len(train) < 2:
        raise InputError(f"two nearest training items were asked for, there are {len(train)}")
    rows, near = [], []
    for start in range(0, len(x), BLOCK):
        apart = cdist(x[start : start + BLOCK], train)
        order = np.argsort(apart, axis=1, kind="stable")[:, :2]
        rows.append(order)
        near.append(np.take_along_axis(apart, order, axis=1))
    return np.concatenate(near), np.concatenate(rows)


def nearest_ratio(x: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Distance to the nearest training item over that to the second nearest (Yoon et al. and Gu et al. 2023).

    A sample is memorized below 1/3. Where the training set repeats an item, both distances are equal and the
    ratio is 1: the rule then finds nothing, whatever is copied.

    Parameters
    ----------
    x, train
        As for `nearest_two`.

    Returns
    -------
    (n,) float64
        In [0, 1]; 1 where both distances are 0.
    """
    distance, _ = nearest_two(x, train)
    return np.divide(distance[:, 0], distance[:, 1], out=np.ones(len(x)), where=distance[:, 1] > 0)


def authenticity(x: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Distance of a sample to its nearest training item, over that item's to its own (Alaa et al. 2022).

    A sample is authentic, no copy, above 1: AuthPct is the share of those. The nearest other item of one that
    is repeated lies at distance 0, so that no sample near it is ever a copy.

    Parameters
    ----------
    x, train
        As for `nearest_two`.

    Returns
    -------
    (n,) float64
        Not negative; where the item is repeated infinite, or 0 if the sample equals it.
    """
    distance, row = nearest_two(x, train)
    wanted, place = np.unique(row[:, 0], return_inverse=True)
    train = np.asarray(train)
    own = nearest_two(train[wanted], train)[0][:, 1][place]  # the first of the two is the item itself
    ratio = np.where(distance[:, 0] > 0, np.inf, 0.0)
    return np.divide(distance[:, 0], own, out=ratio, where=own > 0)
