"""What an interval decides: whether a statistic lies in a region, at which level, among many questions."""

from collections.abc import Callable

import numpy as np

from mmh.stats.clusters import t_quantile
from mmh.stats.resampling import LEVEL, Interval

Region = tuple[float, float]
"""Where a statistic is claimed to lie; infinite where one-sided. Its ends are on neither side."""
INSIDE, OUTSIDE, OPEN = "inside", "outside", "open"
SMALLEST = 1e-12
"""p-values are not followed below it."""
STEPS = 28
"""Levels between 50 % and 1 - `SMALLEST`, about a factor of e apart in their error rate."""
POWER = 0.8
"""Of the smallest effect that counts as detectable."""


def decide(interval: Interval, region: Region) -> str:
    """Say on which side of the ends of a region an interval lies.

    Parameters
    ----------
    interval : Interval
        NaN bounds mean that the data do not bound the statistic.
    region : (low, high)

    Returns
    -------
    str
        `INSIDE` or `OUTSIDE` if all of it is, else `OPEN`.
    """
    low, high = region
    if low < interval.low and interval.high < high:
        return INSIDE
    return OUTSIDE if interval.high < low or interval.low > high else OPEN


def p_value(at: Callable[..., Interval], region: Region) -> float:
    """Smallest error rate at which the interval decides: 1 - the highest level at which it is not open.

    The test is the interval itself, read at another level (inversion), so a statistic is decided at 95 % just
    if its p is below .05. It is two-sided: either side of the region could have been found.

    Parameters
    ----------
    at : callable
        The interval, by the keyword `level` in (0, 1).
    region : (low, high)

    Returns
    -------
    float
        In [`SMALLEST`, 1]; NaN where the data do not bound the statistic at `LEVEL`.
    """
    plain = at(level=LEVEL)
    if np.isnan(plain.low) or np.isnan(plain.high):
        return float("nan")
    # Bounds of differences are not nested at extreme levels: climb, to the first that is open.
    steps = np.append(np.log1p(-1e-6), np.linspace(np.log(0.5), np.log(SMALLEST), STEPS))
    last = None
    for step in steps:
        if decide(at(level=1 - np.exp(step)), region) == OPEN:
            break
        last = step
    else:
        return SMALLEST
    if last is None:
        return 1.0
    low, high = step, last
    while high - low > 1e-3:
        middle = (low + high) / 2
        if decide(at(level=1 - np.exp(middle)), region) == OPEN:
            low = middle
        else:
            high = middle
    return float(np.exp(high))


def holm(p: np.ndarray) -> np.ndarray:
    """Adjust p-values so that the chance of any false decision among all is at most the level.

    The k-th smallest of m counts (m - k + 1) times, and no adjusted one is below those before it; nothing is
    asked of how the questions depend on each other.

    Parameters
    ----------
    p : (m,) float
        In [0, 1]; NaN where nothing was tested, which does not count.

    Returns
    -------
    (m,) float64
        In [0, 1], NaN where `p` is.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6, 65-70.
    """
    given = np.asarray(p, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(given))
    order = known[np.argsort(given[known], kind="stable")]
    adjusted = np.full(len(given), np.nan)
    steps = given[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(order) else []
    return adjusted


def detectable(interval: Interval) -> float:
    """Smallest distance from the end of a region that would be found with the probability `POWER`.

    (t + z) se, t the quantile of the interval, se its half width over t, and z the normal quantile of
    `POWER`: how precise the data are, whatever they say. A bound that is lopsided counts by its mean half.

    Parameters
    ----------
    interval : Interval
        With its level and degrees of freedom.

    Returns
    -------
    float
        In the unit of the statistic; NaN without bounds.
    """
    from scipy.stats import norm

    half = (interval.high - interval.low) / 2
    if not np.isfinite(half):
        return float("nan")
    return float(half * (1 + norm.ppf(POWER) / t_quantile(interval.df, interval.level)))
