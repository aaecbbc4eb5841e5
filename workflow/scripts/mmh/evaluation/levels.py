"""What LID_theta at several noise levels says of the level t0 that was chosen, on calibration samples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mmh.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

NEAR = 2.0
"""Noise levels within this factor of t0 are ones that t0 might have been."""
LEAST = 3
FLAT = 1.0
"""Dimensions that a flat curve moves by at most between t0 and `NEAR` times it."""


def levels_near(times: Iterable[float], t0: float) -> list[float]:
    """Pick the noise levels that t0 might have been, itself among them.

    Parameters
    ----------
    times : iterable of float
    t0 : float

    Returns
    -------
    list of float
        Those within a factor `NEAR` of t0, in their order.

    Raises
    ------
    InputError
        If there are fewer than three, or t0 is not among them.
    """
    known = list(times)
    near = [t for t in known if t0 / NEAR - 1e-9 <= t <= t0 * NEAR + 1e-9]
    if len(near) < LEAST or all(abs(t - t0) > 1e-9 for t in near):
        found = ", ".join(f"{t:g}" for t in known)
        raise InputError(
            f"needs t0 = {t0:g} and {LEAST - 1} more noise levels between {t0 / NEAR:g} and {t0 * NEAR:g}, "
            f"has {found or 'none'}"
        )
    return near


def level_error(scores: pd.DataFrame, estimator: str, levels: str) -> float:
    """Measure how far LID_theta moves when t0 is another one nearby.

    An exact trace has no error of probes, but its value leans on t0, which was chosen. For each sample that
    has values at several noise levels (the calibration samples, which nobody judges), the standard deviation
    of those within a factor `NEAR` of t0; then the root of the mean square over samples.

    Parameters
    ----------
    scores : pandas.DataFrame
        Gathered scores, with `items`.
    estimator : str
        LID_theta of `samples` at t0.
    levels : str
        The same at several t.

    Returns
    -------
    float
        Dimensions.

    Raises
    ------
    InputError
        If there are fewer than three such levels, or none at t0.
    """
    import numpy as np

    samples = scores[scores["items"] == "samples"]
    chosen = samples.loc[samples["estimator"] == estimator, "t"].dropna().unique()
    wide = samples[samples["estimator"] == levels].pivot(index="item", columns="t", values="value")
    if len(chosen) != 1:
        raise InputError(f"{estimator!r} has no single noise level: {', '.join(f'{t:g}' for t in chosen)}")
    try:
        near = levels_near(wide.columns, float(chosen[0]))
    except InputError as error:
        raise InputError(f"{levels!r} {error}") from error
    return float(np.sqrt(wide[near].var(axis=1, ddof=1).mean()))


def flat_from(t: ArrayLike, values: ArrayLike, *, within: float = FLAT) -> float:
    """Find the smallest noise level from which on a curve is flat.

    Flat from t on: up to `NEAR` times t the curve, a line between its points over log t, stays within
    `within` of its value at t.

    Parameters
    ----------
    t : array_like
        float (k,), noise levels, rising and positive.
    values : array_like
        float (k,), the curve: the median FLIPD of the group where it is lowest.
    within : float
        In the unit of the curve.

    Returns
    -------
    float
        One of `t`; NaN if there is none, or the levels do not reach far enough to tell.
    """
    import numpy as np

    times, curve = np.asarray(t, np.float64), np.asarray(values, np.float64)
    logs = np.log(times)
    for k, start in enumerate(times):
        end = start * NEAR
        if end > times[-1] * (1 + 1e-9):
            break
        inside = curve[(times >= start) & (times <= end)]
        reached = np.append(inside, np.interp(np.log(end), logs, curve))
        if np.abs(reached - curve[k]).max() <= within:
            return float(start)
    return float("nan")
