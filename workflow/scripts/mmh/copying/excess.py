"""Copies by probability mass, sample by sample: the largest lambda for which one is shown to be a copy.

Bhattacharjee et al. (2023) ask whether some ball about a training item holds the sample, has a probability of
at most gamma under the true law, and at least lambda times that under the model. Their algorithm takes the
law's mass from the training set itself, by an assumption of smoothness that an atom breaks, and the ratio as
it is counted. Here the law's mass is known, or counted on a test set. Among thousands of balls the largest
ratio is large by chance, so what counts is a lower bound that holds for all of them at once.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mmh.copying.distances import nearest_two

Array = NDArray[np.float64]
Bound = Callable[[int, Array, NDArray[np.int64], float], tuple[Array, Array]]
"""For balls about a training item (its row), some radii, how many samples each holds, and a probability of
error: the law's mass, and a lower bound of the model's mass over it."""


def known_bound(mass: Callable[[int, Array], Array], samples: int) -> Bound:
    """Bound the ratio where the law's mass is known.

    A ball that reaches to the k-th nearest of n samples has a mass above the quantile of Beta(k, n - k + 1).

    Parameters
    ----------
    mass : callable
        The law's mass of balls about a training item, from its row and radii.
    samples : int
        n.

    Returns
    -------
    callable
        A `Bound`.
    """
    from scipy.stats import beta

    def bound(row: int, radii: Array, inside: NDArray[np.int64], error: float) -> tuple[Array, Array]:
        of_law, low = mass(row, radii), beta.ppf(error, inside, samples - inside + 1)
        return of_law, np.divide(low, of_law, out=np.zeros(len(low)), where=of_law > 0)

    return bound


def counted_bound(train: np.ndarray, test: np.ndarray, samples: int) -> Bound:
    """Bound the ratio where the law's mass is counted on a test set.

    The test items that lie nearer than the k-th nearest sample number m. Were the ratio lambda, each of these
    k + m would be a sample with probability about lambda n / (lambda n + m_all), for balls of small mass; the
    bound is the one of Clopper and Pearson for k of k + m. The law's mass is (m + 1) / (m_all + 1).

    Parameters
    ----------
    train : (c, ...) float
        Training items, the centres.
    test : (m_all, ...) float
        Points of the law.
    samples : int
        n.

    Returns
    -------
    callable
        A `Bound`.
    """
    from scipy.stats import beta

    centres, points = (np.asarray(a, dtype=np.float64).reshape(len(a), -1) for a in (train, test))

    def bound(row: int, radii: Array, inside: NDArray[np.int64], error: float) -> tuple[Array, Array]:
        apart = np.sort(np.linalg.norm(points - centres[row], axis=1))
        others = np.searchsorted(apart, radii, side="right")
        share = beta.ppf(error, inside, others + 1)
        return (others + 1) / (len(points) + 1), share / (1 - share) * len(points) / samples

    return bound


def shown_excess(x: np.ndarray, train: np.ndarray, bound: Bound, gamma: float, error: float = 0.05) -> Array:
    """Find the largest lambda for which a sample is shown to be a (lambda, gamma)-copy of its nearest item.

    Balls about each training item reach to its nearest, second, fourth, eighth, ... sample. Only those about
    the training item that is nearest to a sample count for it: a wide ball about another one may owe its
    excess to samples in quite another place.

    Parameters
    ----------
    x : (n, ...) float
        Samples.
    train : (c, ...) float
        Training items, each once.
    bound : callable
        The law.
    gamma : float
        Largest mass of a ball under the law.
    error : float
        Probability that any of the bounds is above the ratio.

    Returns
    -------
    (n,) float64
        0 where no ball is small enough.
    """
    points, centres = (np.asarray(a, dtype=np.float64).reshape(len(a), -1) for a in (x, train))
    n = len(points)
    nearest = nearest_two(points, centres)[1][:, 0]
    counts = 2 ** np.arange(int(np.log2(n)) + 1)
    best = np.zeros(n)
    for row, centre in enumerate(centres):
        apart = np.linalg.norm(points - centre, axis=1)
        radii = np.sort(apart)[counts - 1]
        of_law, low = bound(row, radii, counts, error / (len(centres) * len(counts)))
        low = np.where(of_law <= gamma, low, 0.0)
        wider = np.maximum.accumulate(low[::-1])[::-1]  # of all balls that hold the sample
        place = np.searchsorted(radii, apart)  # the smallest of them
        own = (nearest == row) & (place < len(counts))
        best[own] = wider[place[own]]
    return best
