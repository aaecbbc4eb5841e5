"""Turning spectra into dimensions: one threshold pooled over all spectra, then counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmh.errors import InputError


def pooled_threshold(spectra: ArrayLike, percentile: float = 10) -> float:
    """Percentile of all values of all spectra together.

    The pool makes the counts differ between items: a percentile of each spectrum by itself would give every
    item the same count. With the values pooled, the mean of `count_below` is percentile / 100 times d.

    Parameters
    ----------
    spectra : array_like
        (n, d), singular values or variances.
    percentile : float
        In (0, 100); linear interpolation between order statistics.

    Returns
    -------
    float
        The threshold, in units of the spectra.

    Raises
    ------
    InputError
        If the percentile is outside (0, 100), the pool is empty, or a value is not finite.
    """
    check_percentile(percentile)
    values = np.asarray(spectra, dtype=np.float64)
    if values.size == 0 or not np.isfinite(values).all():
        raise InputError(
            f"a threshold needs finite values, got shape {values.shape} with NaN, infinity or nothing"
        )
    return float(np.percentile(values, percentile))


def count_below(spectra: ArrayLike, threshold: float) -> NDArray[np.int64]:
    """Count the values <= threshold of each spectrum: LID by the normal bundle.

    Parameters
    ----------
    spectra : array_like
        (n, d).
    threshold : float
        From `pooled_threshold`.

    Returns
    -------
    numpy.ndarray
        int64 (n,), 0..d.
    """
    return np.count_nonzero(_rows(spectra) <= threshold, axis=1).astype(np.int64)


def count_above(spectra: ArrayLike, threshold: float) -> NDArray[np.int64]:
    """Count the values > threshold of each spectrum: LID by a generator's Jacobian or by local PCA.

    Parameters
    ----------
    spectra : array_like
        (n, d).
    threshold : float
        From `pooled_threshold`.

    Returns
    -------
    numpy.ndarray
        int64 (n,), 0..d.
    """
    return np.count_nonzero(_rows(spectra) > threshold, axis=1).astype(np.int64)


def check_percentile(percentile: float) -> None:
    """Raise `InputError` unless 0 < percentile < 100."""
    if not 0 < percentile < 100:
        raise InputError(f"a percentile must lie in (0, 100), got {percentile}")


def _rows(spectra: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(spectra, dtype=np.float64)
    if values.ndim != 2 or np.isnan(values).any():
        raise InputError(f"needs spectra (n, d) without NaN, got shape {values.shape}")
    return values
