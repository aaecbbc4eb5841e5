"""Whether an image shows the class that its prompt asks for, by a classifier of the training images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mmh.errors import InputError

Classify = Callable[[NDArray[np.uint8]], NDArray[np.int64]]


def classifier(images: NDArray[np.uint8], classes: NDArray[np.int64], *, gamma: float = 2.0) -> Classify:
    """Fit a support vector machine with a Gaussian kernel to distinct images; it draws no random numbers.

    exp(-gamma / (d v) ||x - x'||^2), v the variance of the pixels: of the 1797 digits of 8 x 8 pixels it
    classifies about 99 % of those right that it has not seen (`held_out_accuracy`).

    Parameters
    ----------
    images : numpy.ndarray
        uint8 (n, C, H, W), repeated ones allowed.
    classes : numpy.ndarray
        int64 (n,).
    gamma : float
        Width of the kernel.

    Returns
    -------
    callable
        Images (m, C, H, W) to classes (m,).

    Raises
    ------
    InputError
        If there is one class only.
    """
    from sklearn.svm import SVC

    flat, first = np.unique(_flat(images), axis=0, return_index=True)
    known = np.asarray(classes)[first]
    if len(np.unique(known)) < 2:
        raise InputError("a classifier needs training images of two classes at least")
    machine = SVC(C=10.0, gamma=gamma / (flat.shape[1] * float(flat.var())))
    machine.fit(flat, known)

    def classify(x: NDArray[np.uint8]) -> NDArray[np.int64]:
        return np.asarray(machine.predict(_flat(x)), dtype=np.int64)

    return classify


def held_out_accuracy(images: NDArray[np.uint8], classes: NDArray[np.int64], *, folds: int = 4) -> float:
    """Share of distinct images that a classifier of the other folds gets right; fold = place modulo folds."""
    _, first = np.unique(_flat(images), axis=0, return_index=True)
    x, known = images[np.sort(first)], np.asarray(classes)[np.sort(first)]
    fold = np.arange(len(x)) % folds
    right = [
        classifier(x[fold != k], known[fold != k])(x[fold == k]) == known[fold == k] for k in range(folds)
    ]
    return float(np.concatenate(right).mean())


def _flat(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    return images.reshape(len(images), -1).astype(np.float64) / 255.0
