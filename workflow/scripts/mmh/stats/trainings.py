"""Intervals that hold over trainings: the spread between trainings added to the error within each.

An interval over clusters is given one model: another training, with another seed, would give another value.
`over_trainings` puts both together, on a scale on which errors are about normal.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mmh.stats.clusters import mover, t_quantile

FEW = 4
"""With fewer trainings the degrees of freedom of their spread are too few for Satterthwaite's formula."""


def _same(x: float) -> float:
    return x


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


@dataclass(frozen=True)
class Scale:
    """A scale on which intervals are symmetric, with its way there and back; a value lies in [low, high]."""

    there: Callable[[float], float]
    back: Callable[[float], float]
    low: float = -math.inf
    high: float = math.inf

    def unit(self, x: float) -> float:
        """Back to the unit of the number, within its ends."""
        return min(max(self.back(x), self.low), self.high)


SCALES = {
    "logit": Scale(lambda x: math.log(x / (1 - x)), _expit, 0.0, 1.0),
    "log": Scale(math.log, math.exp, 0.0),
    "artanh": Scale(math.atanh, math.tanh, -1.0, 1.0),
    "share": Scale(_same, _same, 0.0, 1.0),
    "identity": Scale(_same, _same),
}


@dataclass(frozen=True)
class OverTrainings:
    """What several trainings say of a number, on the scale that it was given on.

    Attributes
    ----------
    centre : float
        Mean over the trainings.
    within : float
        sqrt W, the standard error over clusters, given one model.
    between : float
        sqrt B, the standard deviation between trainings.
    one : (float, float)
        Interval of the value of one further training.
    mean : (float, float)
        Interval of the mean over all trainings.
    """

    centre: float
    within: float
    between: float
    one: tuple[float, float]
    mean: tuple[float, float]


def over_trainings(
    values: Sequence[float] | np.ndarray, errors: Sequence[float] | np.ndarray, df: float = math.inf
) -> OverTrainings:
    """Intervals over trainings and clusters, from the value and the standard error of each training.

    With W the mean of the squared standard errors and B the variance of the R values (R - 1), the total
    variance is W + k B, k = 1 + 1/R for the value of one further training and 1/R for the mean over all
    trainings. The interval is centre -+ t sqrt(W + k B), with Student's quantile at Satterthwaite's degrees
    of freedom (W + k B)^2 / (W^2 / df + (k B)^2 / (R - 1)): R - 1 where B dominates, `df` where W does. With
    fewer than `FEW` trainings that covers too little (88 % with two). Each part then gets the quantile of its
    own degrees of freedom, centre -+ sqrt(t_df^2 W + t_(R-1)^2 k B), which is exact where either part is all
    there is, and covers more between.

    W counts as one and the same draw of clusters, which all trainings share, so it is not divided by R. That
    is right where the clusters (training images, captions) make the error. As far as the samples of each
    training make it, that part is in B, too, and the interval covers more than it says (docs/statistics.md).

    Parameters
    ----------
    values : (R,) float
        R >= 2, on a scale where errors are about normal.
    errors : (R,) float
        Standard errors on that scale, not negative.
    df : float
        Degrees of freedom of W: clusters less one.

    Returns
    -------
    OverTrainings

    Raises
    ------
    ValueError
        If there are fewer than two values, or not as many errors.

    References
    ----------
    Rubin (1987), Multiple Imputation for Nonresponse in Surveys, ch. 3, for the total variance; Higgins,
    Thompson and Spiegelhalter (2009), J. R. Stat. Soc. A 172, 137-159, for the value of one further study;
    Satterthwaite (1946), Biometrics Bulletin 2, 110-114; Zou and Donner (2008), Statistics in Medicine 27,
    1693-1702, for the sum of the squared arms.
    """
    x, e = np.asarray(values, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    if len(x) < 2 or len(e) != len(x):
        raise ValueError(f"two trainings or more are needed, each with its error: {len(x)} and {len(e)}")
    count, centre = len(x), float(x.mean())
    within, between = float(np.sqrt((e * e).mean())), float(x.std(ddof=1))
    arms = (_half(within, math.sqrt(k) * between, df, count) for k in (1 + 1 / count, 1 / count))
    one, mean = ((centre - half, centre + half) for half in arms)
    return OverTrainings(centre, within, between, one, mean)


def _half(within: float, between: float, df: float, count: int) -> float:
    """Half the width of an interval of two standard errors, with `df` and `count` - 1 degrees of freedom."""
    if count < FEW:
        return mover(t_quantile(df) * within, t_quantile(count - 1) * between, 0.0)
    total = within**2 + between**2
    spread = within**4 / df + between**4 / (count - 1)
    return t_quantile(total**2 / spread) * math.sqrt(total) if spread > 0 else t_quantile(df) * within


def on_scale(
    name: str, value: float, low: float, high: float, df: float, edge: float = 0.0
) -> tuple[float, float]:
    """A value on a scale, and the standard error that its interval stands for there.

    Parameters
    ----------
    name : str
        Of `SCALES`.
    value, low, high : float
        Of one training, finite.
    df : float
        Degrees of freedom that Student's quantile of the interval had; with too many the error comes out too
        large.
    edge : float
        So far within the ends of the scale values are held: an AUC of 1 has no logit.

    Returns
    -------
    value, error : float
        The error follows from the longer arm of the interval.
    """
    scale = SCALES[name]
    centre, lower, upper = (
        scale.there(min(max(x, scale.low + edge), scale.high - edge)) for x in (value, low, high)
    )
    return centre, max(upper - centre, centre - lower) / t_quantile(df)
