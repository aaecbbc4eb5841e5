"""Scores that are moved until a statistic of theirs is what it is wanted to be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mmh.stats.correlation import spearman
from mmh.stats.curves import auc

STEPS = 50
"""Halvings: the statistics are step functions, and exact long before."""


def normal_scores(values: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """Normal quantiles of the ranks (van der Waerden's scores); ties are put in random order.

    Parameters
    ----------
    values : (n,) float
    stream : numpy.random.Generator

    Returns
    -------
    (n,) float64
    """
    from scipy.stats import norm

    rank = np.empty(len(values))
    rank[np.lexsort((stream.random(len(values)), values))] = np.arange(len(values)) + 0.5
    return np.asarray(norm.ppf(rank / len(values)))


def with_area(
    values: np.ndarray, positive: np.ndarray, area: float, stream: np.random.Generator
) -> np.ndarray:
    """Move the positives' normal scores until their AUC is the wanted one.

    Parameters
    ----------
    values : (n,) float
        Larger speaks for the positive class.
    positive : (n,) bool
        Class of each; both occur.
    area : float
        In (0, 1).
    stream : numpy.random.Generator
        Of the order of ties.

    Returns
    -------
    (n,) float64
        AUC within half a pair of `area`.
    """
    normal = normal_scores(values, stream)
    return normal + positive * _solved(lambda by: auc(normal + by * positive, positive), area, -20.0, 20.0)


def with_correlation(
    x: np.ndarray, y: np.ndarray, correlation: float, stream: np.random.Generator
) -> np.ndarray:
    """Add another score to one, or subtract it, until their rank correlation is the wanted one.

    Parameters
    ----------
    x, y : (n,) float
        Two scores of the same items.
    correlation : float
        Spearman's, in (-1, 1).
    stream : numpy.random.Generator
        Of the order of ties.

    Returns
    -------
    (n,) float64
        In place of `y`: of its normal scores and those of `x`.
    """
    own, other = (normal_scores(v, stream) for v in (y, x))
    more = spearman(x, own)[0] < correlation

    def mixed(share: float) -> np.ndarray:
        return np.asarray(np.cos(share) * own + np.sin(share) * (other if more else -other))

    ends = (0.0, np.pi / 2) if more else (np.pi / 2, 0.0)
    return mixed(_solved(lambda share: float(spearman(x, mixed(share))[0]), correlation, *ends))


def _solved(rising: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    """Where a function that rises from `low` to `high` takes a value, by halving."""
    for _ in range(STEPS):
        middle = (low + high) / 2
        if rising(middle) < wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2
