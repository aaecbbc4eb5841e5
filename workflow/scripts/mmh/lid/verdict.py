"""Verdict on a sample from its two local intrinsic dimensions, LID_theta (model) and LID_* (data).

By the manifold memorization hypothesis a sample is memorized where the model's manifold is of small
dimension: because the model overfits (OD-Mem: LID_theta < LID_*), or because the data itself is so there
(DD-Mem: LID_theta and LID_* are both small, as among duplicates).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmh.errors import InputError

OD, DD, NOT, UNDECIDED = "OD-Mem", "DD-Mem", "not memorized", "undecided"


def verdicts(
    lid_model: ArrayLike,
    se_model: ArrayLike,
    lid_data: ArrayLike,
    se_data: ArrayLike,
    *,
    low: float,
    gap: float,
    level: float = 0.95,
) -> NDArray[np.str_]:
    """Judge each sample, or say that the errors do not allow it.

    With q the normal quantile of `level`, each comparison is a one-sided test of that level:

    * OD-Mem: lid_data - lid_model > gap + q sqrt(se_model^2 + se_data^2);
    * DD-Mem: not OD-Mem, and lid_model < low - q se_model and lid_data < low - q se_data;
    * not memorized: not OD-Mem, lid_model > low + q se_model and lid_model >= lid_data - gap;
    * undecided: all else, and wherever a value is NaN.

    Parameters
    ----------
    lid_model, lid_data : array_like
        (n,), LID_theta and LID_*, in dimensions and comparable with each other.
    se_model, se_data : array_like
        (n,) or a number: their standard errors; NaN where one is not known, 0 only where there is no error.
    low : float
        Dimension below which a manifold counts as small.
    gap : float
        Difference, not negative, that LID_theta may fall short of LID_* without overfitting: the estimators
        are biased in different ways.
    level : float
        Of each test, in [0.5, 1).

    Returns
    -------
    numpy.ndarray
        str (n,): "OD-Mem", "DD-Mem", "not memorized" or "undecided".

    Raises
    ------
    InputError
        If shapes do not fit, a standard error or `gap` is negative, or `level` is out of range.
    """
    from scipy.special import ndtri

    if not 0.5 <= level < 1:
        raise InputError(f"level must lie in [0.5, 1), got {level}")
    if not gap >= 0 or not np.isfinite(low):
        raise InputError(f"needs a gap of at least 0 and a finite low, got gap={gap}, low={low}")
    given: list[Any] = [lid_model, se_model, lid_data, se_data]
    try:
        model, s_model, data, s_data = np.broadcast_arrays(*(np.asarray(v, np.float64) for v in given))
    except ValueError as error:
        shapes = ", ".join(str(np.shape(v)) for v in given)
        raise InputError(f"needs four arrays of one length, got {shapes}") from error
    if model.ndim != 1:
        raise InputError(f"needs arrays (n,), got {model.shape}")
    if (s_model < 0).any() or (s_data < 0).any():
        raise InputError("a standard error is negative")
    q = float(ndtri(level))
    overfitted = data - model > gap + q * np.hypot(s_model, s_data)
    small = (model < low - q * s_model) & (data < low - q * s_data)
    clear = (model > low + q * s_model) & (model >= data - gap)
    known = np.isfinite(np.stack([model, s_model, data, s_data])).all(axis=0)
    conditions = [~known, overfitted, small, clear]
    return np.select(conditions, [UNDECIDED, OD, DD, NOT], default=UNDECIDED)
