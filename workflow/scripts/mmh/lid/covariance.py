"""Spectra of neighbourhood covariances: one neighbourhood at a time, through its smaller Gram matrix.

One neighbourhood of k x d float64 is all that is held, whatever the number of points. A loop beats a batch:
the block stays in the cache, each product is symmetric (half the work), and an item's bytes cannot depend on
the items computed with it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mmh.compute import rng

Array = NDArray[np.float64]
Index = NDArray[np.int64]


def neighbourhood_variances(queries: NDArray, points: NDArray, indices: Index, kept: Index) -> Array:
    """Eigenvalues of the covariance (divisor m - 1) of the first m = kept neighbours of each query.

    Parameters
    ----------
    queries : numpy.ndarray
        (n, d), where the neighbourhoods lie; only rounding depends on them.
    points : numpy.ndarray
        (N, d).
    indices : numpy.ndarray
        int64 (n, k), rows of `points`.
    kept : numpy.ndarray
        int64 (n,), 1..k.

    Returns
    -------
    numpy.ndarray
        float64 (n, k), descending, squared units of the points; zeros beyond the rank.
    """
    variances = np.zeros(indices.shape)
    for row, local in enumerate(_neighbourhoods(queries, points, indices, kept)):
        m = len(local)
        values = np.linalg.eigvalsh(_centred(_second_moments(local), local))[::-1] / max(m - 1, 1)
        variances[row, : len(values)] = np.maximum(values, 0.0)
    return variances


def bootstrap_stderr(
    queries: NDArray,
    points: NDArray,
    indices: Index,
    kept: Index,
    *,
    threshold: float,
    replicates: int,
    seed: int,
    ids: Index,
) -> Array:
    """Standard error of #{variances > threshold} by the Bayesian bootstrap over the neighbours.

    Each replicate gives the m neighbours weights m w, w uniform on the simplex (Rubin, 1981), and counts the
    variances of the weighted covariance. Drawing neighbours with replacement would leave only 63 % of them
    distinct, and so cap the rank and with it the count; positive weights keep the rank.

    Parameters
    ----------
    queries, points, indices, kept
        As for `neighbourhood_variances`.
    threshold : float
        Held fixed: it is pooled over so many variances that its own error is small.
    replicates : int
        At least 2.
    seed : int
        Root seed of the weights.
    ids : numpy.ndarray
        int64 (n,), ids of the queries; each has its own stream.

    Returns
    -------
    numpy.ndarray
        float64 (n,), in dimensions; 0 where the neighbours are one point.
    """
    stderr = np.zeros(len(indices))
    for row, local in enumerate(_neighbourhoods(queries, points, indices, kept)):
        stream = rng.generator(seed, "local-pca-bootstrap", int(ids[row]))
        weights = stream.standard_exponential((replicates, len(local)))
        weights *= len(local) / weights.sum(axis=1, keepdims=True)
        moments = _second_moments(local)
        counts = np.empty(replicates)
        for j, weight in enumerate(weights):
            values = np.linalg.eigvalsh(_centred(moments, local, weight)) / max(len(local) - 1, 1)
            counts[j] = np.count_nonzero(values > threshold)
        stderr[row] = counts.std(ddof=1)
    return stderr


def _neighbourhoods(queries: NDArray, points: NDArray, indices: Index, kept: Index) -> Iterator[Array]:
    """Yield the differences (m, d) of the kept neighbours from their query, in one buffer that is reused."""
    raw = np.empty((indices.shape[1], points.shape[1]), dtype=points.dtype)
    buffer = np.empty(raw.shape)
    for query, near, m in zip(queries, indices, kept.tolist(), strict=True):
        points.take(near[:m], axis=0, out=raw[:m], mode="clip")
        # Seen from the query, exact duplicates are exact zeros, and little is lost when the mean is taken.
        np.copyto(buffer[:m], raw[:m])
        yield np.subtract(buffer[:m], query.astype(np.float64), out=buffer[:m])


def _second_moments(local: Array) -> Array | None:
    """Gram matrix (m, m) of the neighbours, or None where the d x d covariance is smaller."""
    return local @ local.T if len(local) <= local.shape[1] else None


def _centred(moments: Array | None, local: Array, weight: Array | None = None) -> Array:
    """Matrix with the eigenvalues of sum_i w_i (a_i - a)(a_i - a)^T, a the weighted mean; w_i = 1 by default.

    The Gram matrix is centred by its row means, so the large product is formed once for all weights.
    """
    m = len(local)
    w = np.ones(m) if weight is None else weight
    root = np.sqrt(w)
    if moments is None:
        rows = (local - (w @ local) / m) * root[:, None]
        return rows.T @ rows
    mean = moments @ w / m
    gram = moments - mean - mean[:, None] + (w @ mean) / m
    return gram if weight is None else gram * root * root[:, None]
