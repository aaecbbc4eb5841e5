"""A model's mass in balls beside that of the law it learned: copies by the paper's Definition A.1.

A point is a (lambda, gamma)-copy of x0 if it lies in a ball B_r(x0) with P_model(B_r) >= lambda P_*(B_r) and
P_*(B_r) <= gamma. The model's mass is counted on independent samples, so the intervals here are exact
binomial ones; the law's mass is known. All are about one model: another training gives another one.
"""

import math

import numpy as np
import pandas as pd

from mmh.errors import InputError
from mmh.stats.clusters import clopper_pearson
from mmh.stats.resampling import LEVEL, Interval

COLUMNS = ["place", "train", "lid_data", "radius", "mark", "samples", "inside", "mass"]
"""Of the table of balls: `mark` is ``inner`` or ``outer`` at the two radii that a slope is taken between."""


def radii(smallest: float, largest: float, per_decade: int, inner: float, outer: float) -> np.ndarray:
    """Radii at which samples are counted: even on a logarithmic scale, and the two of the slope.

    Parameters
    ----------
    smallest, largest : float
        Ends, positive.
    per_decade : int
        Radii for each factor of ten.
    inner, outer : float
        Further radii.

    Returns
    -------
    (k,) float64
        Ascending, each once.
    """
    n = 1 + max(1, math.ceil(per_decade * math.log10(largest / smallest) - 1e-9))
    even = np.geomspace(smallest, largest, n)
    extra = np.array([inner, outer])
    # Those within half a step of the two give way to them.
    near = math.log(10) / per_decade / 2
    kept = even[(np.abs(np.log(even[:, None] / extra)) > near).all(axis=1)]
    return np.sort(np.concatenate([kept, extra]))


def smallest_ball(x: np.ndarray, centres: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Find the smallest closed ball about each centre that holds each point.

    Parameters
    ----------
    x : (n, d) float
        Points.
    centres : (c, d) float
        Centres.
    radii : (k,) float
        Ascending.

    Returns
    -------
    (n, c) int16
        Index of its radius; k where no ball holds the point.
    """
    flat = np.asarray(x, dtype=np.float64).reshape(len(x), -1)
    apart = [np.linalg.norm(flat - centre, axis=1) for centre in np.asarray(centres, dtype=np.float64)]
    return np.stack([np.searchsorted(radii, one, side="left") for one in apart], axis=1).astype(np.int16)


def ball_table(
    places: pd.DataFrame, bins: np.ndarray, radii: np.ndarray, mass: np.ndarray, marks: tuple[float, float]
) -> pd.DataFrame:
    """Lay out the counts of all balls.

    Parameters
    ----------
    places : pandas.DataFrame
        c rows of `place`, `train`, `lid_data`.
    bins : (n, c) int
        From `smallest_ball`.
    radii : (k,) float
        Ascending.
    mass : (c, k) float
        The law's mass of each ball.
    marks : (float, float)
        Inner and outer radius of the slope.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, by place, then radius.
    """
    mark = np.where(radii == marks[0], "inner", np.where(radii == marks[1], "outer", ""))
    tables = []
    for column, (place, masses) in enumerate(zip(places.itertuples(), mass, strict=True)):
        inside = np.cumsum(np.bincount(bins[:, column], minlength=len(radii) + 1))[:-1]
        one = {"place": place.place, "train": place.train, "lid_data": place.lid_data, "radius": radii}
        one |= {"mark": mark, "samples": len(bins), "inside": inside, "mass": masses}
        tables.append(pd.DataFrame(one)[COLUMNS])
    return pd.concat(tables, ignore_index=True)


def exact_interval(successes: int, n: int, level: float = LEVEL, *, unit: str = "sample") -> Interval:
    """Share of successes with the interval of Clopper and Pearson (1934), which covers at least `level`.

    Parameters
    ----------
    successes, n : int
        0 <= `successes` <= `n`, `n` >= 1.
    level : float
        Two-sided.
    unit : str
        What is counted; each is independent of the others.

    Returns
    -------
    Interval
        In [0, 1].

    Raises
    ------
    InputError
        If the counts are out of range.
    """
    if n < 1 or not 0 <= successes <= n:
        raise InputError(f"a share needs 0 <= successes <= n and n >= 1, got {successes} of {n}")
    low, high = clopper_pearson(successes, n, level)
    return Interval(successes / n, low, high, n, level, n, unit, "Clopper-Pearson")


def ratios(balls: pd.DataFrame, level: float = LEVEL) -> pd.DataFrame:
    """Estimate P_model / P_* in each ball.

    Parameters
    ----------
    balls : pandas.DataFrame
        `COLUMNS`.
    level : float
        Two-sided.

    Returns
    -------
    pandas.DataFrame
        With the further columns `share`, `share_low`, `share_high`, and `ratio`, `ratio_low`, `ratio_high`,
        which are missing where the law has no mass.
    """
    pairs = zip(balls["inside"], balls["samples"], strict=True)
    shares = [exact_interval(int(k), int(n), level) for k, n in pairs]
    table = balls.copy()
    mass = balls["mass"].where(balls["mass"] > 0).to_numpy(np.float64)
    for end, name in (("", "estimate"), ("_low", "low"), ("_high", "high")):
        table[f"share{end}"] = [getattr(share, name) for share in shares]
        table[f"ratio{end}"] = table[f"share{end}"] / mass
    return table


def slope(balls: pd.DataFrame, level: float = LEVEL) -> Interval:
    """Slope of log(P_model(B_r) / P_*(B_r)) over log r between the two marked radii of one place.

    As r goes to 0 it tends to LID_model - LID_*, which the proof of Theorem A.3 rests on. Given how many
    samples lie in the outer ball, those in the inner one are binomial, with the share q of the outer ball's
    mass: hence the exact interval of -log q, shifted by the slope of the law, which is known.

    Parameters
    ----------
    balls : pandas.DataFrame
        `COLUMNS`, rows of one place.
    level : float
        Two-sided.

    Returns
    -------
    Interval
        Dimensions; `n` is the count in the outer ball. NaN if that is empty; an end is infinite if no sample
        lies in the inner one.

    Raises
    ------
    InputError
        If a radius is not marked exactly once, or the law has no mass there.
    """
    ends = [balls[balls["mark"] == mark] for mark in ("inner", "outer")]
    if any(len(end) != 1 for end in ends):
        raise InputError("a slope needs one ball marked inner and one marked outer")
    (inner, outer) = (end.iloc[0] for end in ends)
    if inner.mass <= 0:
        raise InputError(f"the law has no mass within {inner.radius} of the place {inner.place!r}")
    reach = math.log(outer.radius / inner.radius)
    of_law = math.log(outer.mass / inner.mass) / reach
    if outer.inside == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    share = exact_interval(int(inner.inside), int(outer.inside), level)
    high, estimate, low = (
        -math.log(q) / reach - of_law if q > 0 else math.inf for q in (share.low, share.estimate, share.high)
    )
    return of_samples(estimate, low, high, int(outer.inside))


def largest_ratio(balls: pd.DataFrame, gamma: float = 1.0, level: float = LEVEL) -> Interval:
    """Largest P_model / P_* among the balls of one place whose P_* is positive and at most gamma.

    The bounds hold for all these balls at once (Bonferroni): with at least the probability `level` the true
    largest ratio lies between the largest lower and the largest upper bound.

    Parameters
    ----------
    balls : pandas.DataFrame
        `COLUMNS`, rows of one place.
    gamma : float
        Of Definition A.1; 1: any ball.
    level : float
        Two-sided.

    Returns
    -------
    Interval
        NaN if no ball is so small; `n` is the number of samples.
    """
    rows = balls[(balls["mass"] > 0) & (balls["mass"] <= gamma)]
    if rows.empty:
        return Interval(math.nan, math.nan, math.nan, 0)
    each = 1 - (1 - level) / len(rows)
    shares = [exact_interval(int(row.inside), int(row.samples), each) for row in rows.itertuples()]
    mass = rows["mass"].to_numpy(np.float64)
    estimate, low, high = (
        max(float(getattr(share, end)) / m for share, m in zip(shares, mass, strict=True))
        for end in ("estimate", "low", "high")
    )
    return of_samples(estimate, low, high, int(rows["samples"].iloc[0]))


def samples_to_a_copy(
    balls: pd.DataFrame, excess: float, gamma: float, certainty: float, level: float = LEVEL
) -> Interval:
    """How many samples hold a (lambda, gamma)-copy of one place with a wanted probability.

    log(1 - certainty) / log(1 - P_model(B)) for the largest ball B that is shown to satisfy Definition A.1:
    the lower bound of its ratio, which holds for all balls at once, exceeds lambda.

    Parameters
    ----------
    balls : pandas.DataFrame
        `COLUMNS`, rows of one place.
    excess : float
        lambda.
    gamma : float
        Of Definition A.1.
    certainty : float
        Wanted probability, in (0, 1).
    level : float
        Two-sided.

    Returns
    -------
    Interval
        Number of samples, not rounded; without an estimate and an upper end if no ball is shown to. The lower
        end is that of the largest ball that may satisfy it.
    """
    rows = balls[(balls["mass"] > 0) & (balls["mass"] <= gamma)].sort_values("radius", ascending=False)
    each = 1 - (1 - level) / max(1, len(rows))
    least = math.nan  # samples that would do if the largest ball that may be a copy is one
    for row in rows.itertuples():
        share = exact_interval(int(row.inside), int(row.samples), each)
        if math.isnan(least) and share.high > excess * row.mass:
            least = _wait(share.high, certainty)
        if share.low > excess * row.mass:
            estimate, high = _wait(share.estimate, certainty), _wait(share.low, certainty)
            return of_samples(estimate, least, high, int(row.samples))
    n = 0 if rows.empty else int(rows["samples"].iloc[0])
    return of_samples(math.nan, math.inf if math.isnan(least) else least, math.inf, n)


def _wait(p: float, certainty: float) -> float:
    return math.log1p(-certainty) / math.log1p(-min(p, 1 - 1e-15))


def of_samples(estimate: float, low: float, high: float, n: int) -> Interval:
    """An interval that follows from exact ones of shares of samples."""
    return Interval(estimate, low, high, n, n_clusters=n, unit="sample", method="Clopper-Pearson")
