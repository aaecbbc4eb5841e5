"""Tests of single items and of whole sets against items that the model cannot have memorized.

What is assumed: under the null hypothesis an item and the null items are exchangeable, as independent draws
of one law are. Nothing is assumed of the law of the scores, nor of the model.
"""

from dataclasses import dataclass

import numpy as np

from mmh.errors import InputError

BLOCK = 256  # permutations that are drawn together


def conformal_p(scores: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Conformal p-values: ``(1 + #{null >= s}) / (n + 1)``.

    Parameters
    ----------
    scores : (m,) float
        Large values speak against the null hypothesis.
    null : (n,) float
        Scores of null items, taken in the same way.

    Returns
    -------
    (m,) float64
        In [1 / (n + 1), 1]; at most alpha with probability at most alpha, if the score and the null scores
        are exchangeable.

    Raises
    ------
    InputError
        If there are no null scores, or values are not finite.

    References
    ----------
    Bates, Candes, Lei, Romano, Sesia (2023), Testing for outliers with conformal p-values, equation (2).
    """
    scores, null = np.asarray(scores, dtype=np.float64), np.sort(np.asarray(null, dtype=np.float64))
    if not null.size:
        raise InputError("a conformal p-value needs scores of null items; there are none")
    if not (np.isfinite(scores).all() and np.isfinite(null).all()):
        raise InputError("a conformal p-value needs finite scores")
    above = len(null) - np.searchsorted(null, scores, side="left")
    return (1.0 + above) / (len(null) + 1.0)


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """q-values: the smallest false discovery rate at which each hypothesis is rejected.

    Parameters
    ----------
    p : (m,) float
        Independent, or positively dependent as conformal p-values of one null sample are.

    Returns
    -------
    (m,) float64
        ``q_(i) = min_{j >= i} m p_(j) / j``, at most 1.

    References
    ----------
    Benjamini, Hochberg (1995); of conformal p-values: Bates et al. (2023), Theorem 2.
    """
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    ranks = np.arange(1, len(p) + 1)
    q = np.empty_like(p)
    q[order] = np.minimum.accumulate((p[order] * len(p) / ranks)[::-1])[::-1]
    return np.minimum(q, 1.0)


@dataclass(frozen=True)
class SetTest:
    """Whether a set as a whole scores higher than a null set.

    Attributes
    ----------
    area : float
        Probability that an item of the set scores higher than a null item, ties counted half; .5: alike.
    p : float
        One-sided, by permutation of whole clusters.
    n, n_null : int
        Clusters on either side.
    draws : int
        Permutations.
    """

    area: float
    p: float
    n: int
    n_null: int
    draws: int


def set_test(
    scores: np.ndarray,
    null: np.ndarray,
    rng: np.random.Generator,
    *,
    clusters: np.ndarray | None = None,
    draws: int = 9999,
) -> SetTest:
    """Test whether a set scores higher than a null set: mean rank, by permutation.

    Parameters
    ----------
    scores : (m,) float
    null : (n,) float
    rng : numpy.random.Generator
    clusters : (m,) int, optional
        Items of one cluster (copies of one image) count as one, by their mean.
    draws : int
        Permutations; the smallest p is ``1 / (draws + 1)``.

    Returns
    -------
    SetTest

    Raises
    ------
    InputError
        If either set is empty.
    """
    scores, null = np.asarray(scores, dtype=np.float64), np.asarray(null, dtype=np.float64)
    if not (scores.size and null.size):
        raise InputError("a test of two sets needs items on both sides")
    if clusters is not None:
        _, member = np.unique(clusters, return_inverse=True)
        scores = np.bincount(member, weights=scores) / np.bincount(member)
    m, n = len(scores), len(null)
    _, inverse, counts = np.unique(np.concatenate([scores, null]), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]  # midranks, from 1
    seen, reached = ranks[:m].sum(), 0
    for start in range(0, draws, BLOCK):
        rows = np.tile(ranks, (min(BLOCK, draws - start), 1))
        reached += int((rng.permuted(rows, axis=1)[:, :m].sum(axis=1) >= seen - 1e-9).sum())
    area = (seen - m * (m + 1) / 2) / (m * n)
    return SetTest(float(area), (1 + reached) / (draws + 1), m, n, draws)
