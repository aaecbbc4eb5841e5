"""What is kept of a prompt at a fixed similarity to its training image: curves along k, cut and compared.

A choice of words gives a curve: for each k, k = 0 first, the mean similarity to the training image and the
mean similarity of CLIP to the original prompt. On the way from k = 0 its straight pieces come down to a
similarity for the first time at one point; CLIP there is what is compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmh.compute import rng
from mmh.rewriting.options import PLAIN
from mmh.stats.clusters import jackknife_variance, one_cluster, t_quantile, unbounded
from mmh.stats.resampling import FEW, LEVEL, Interval, draw_weights

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
RESAMPLES = 10_000
UNIT = "family"


def clip_at(similarity: Floats, clip: Floats, at: float) -> Floats:
    """Read CLIP off curves where they first come down to a similarity.

    Parameters
    ----------
    similarity, clip : numpy.ndarray
        float64 (R, K), R curves of K points, from k = 0 on.
    at : float
        The similarity.

    Returns
    -------
    numpy.ndarray
        float64 (R,), between two points by the straight line; NaN for a curve that begins below `at` or never
        comes down to it.
    """
    before, after = similarity[:, :-1], similarity[:, 1:]
    reached = (before == at) | (before > at) & (after <= at)
    down = reached & (similarity[:, :1] >= at)
    rows, first = np.arange(len(similarity)), down.argmax(axis=1)
    one, two = before[rows, first], after[rows, first]
    share = np.divide(one - at, one - two, out=np.zeros(len(rows)), where=one > two)
    found = clip[rows, first] + share * (clip[rows, first + 1] - clip[rows, first])
    return np.where(down.any(axis=1), found, np.nan)


@dataclass(frozen=True)
class Curve:
    """Sums of a choice's generations, by family and k.

    Attributes
    ----------
    similarity, clip, count : numpy.ndarray
        float64 (families, K).
    """

    similarity: Floats
    clip: Floats
    count: Floats

    def at(self, weight: Floats, at: float) -> Floats:
        """CLIP at a similarity, (R,), with weights (R, families)."""
        with np.errstate(invalid="ignore"):
            count = weight @ self.count
            return clip_at(weight @ self.similarity / count, weight @ self.clip / count, at)


class Frontier:
    """The curves of all choices of one set of prompts, and how families of prompts are drawn anew.

    Parameters
    ----------
    table : pandas.DataFrame
        `mmh.io.tables.REWRITTEN`, one part of one set.
    seed : int
        Of the draws: the same for all choices and similarities, so differences are paired.
    """

    def __init__(self, table: pd.DataFrame, seed: int) -> None:
        both = table.dropna(subset=["similarity", "clip"])
        self.families, self._of = np.unique(both["family"].to_numpy(), return_inverse=True)
        self._table, self._seed = both, seed
        self._drawn: Floats | None = None
        self._values: dict[tuple[str, str | None, float], Floats] = {}
        self.choices = [name for name in dict.fromkeys(both["choice"]) if name != PLAIN]

    def curve(self, choice: str) -> Curve:
        """Give the curve of a choice, from prompts as they are (k = 0) over each k of which it has images."""
        chosen = self._table["choice"].isin([choice, PLAIN]).to_numpy()
        rows, family = self._table[chosen], self._of[chosen]
        k, place = np.unique(rows["k"].to_numpy(), return_inverse=True)
        sums = np.zeros((3, len(self.families), len(k)))
        values = (rows["similarity"].to_numpy(), rows["clip"].to_numpy(), np.ones(len(rows)))
        for held, value in zip(sums, values, strict=True):
            np.add.at(held, (family, place), value)
        return Curve(*sums)

    def interval(self, choice: str, at: float, *, than: str | None = None, level: float = LEVEL) -> Interval:
        """Give CLIP of a choice at a similarity, or its difference from that of another choice.

        By the bootstrap over families, the same draws for both. A draw whose curve does not come down to the
        similarity counts as the worst of all for either bound; where more draws are needed than there are,
        there is no bound. With few families by the jackknife.
        """
        curves = [self.curve(name) for name in (choice, *([than] if than else []))]
        groups, n = len(self.families), int(sum(curve.count.sum() for curve in curves))
        estimate = float(_value(curves, np.ones((1, groups)), at)[0]) if groups else float("nan")
        if not np.isfinite(estimate):
            return unbounded(estimate, n, groups, UNIT, self._range(curves, at))
        if groups < 2:
            return unbounded(estimate, n, groups, UNIT, one_cluster(UNIT, "prompts"))
        if groups < FEW:
            half = t_quantile(groups - 1, level) * np.sqrt(
                jackknife_variance(_value(curves, 1.0 - np.eye(groups), at))
            )
            low, high, method = estimate - float(half), estimate + float(half), "jackknife, t"
        else:
            if (choice, than, at) not in self._values:
                self._values[choice, than, at] = _value(curves, self._weights(), at)
            low, high, method = *_quantiles(self._values[choice, than, at], level), "bootstrap"
        df = float(groups - 1) if groups < FEW else float("inf")
        reason = "" if np.isfinite(low + high) else f"similarity {at:g} is at the end of what is reached"
        if reason:
            low = high = float("nan")
        return Interval(estimate, low, high, n, level, groups, UNIT, method, reason, df)

    def _weights(self) -> Floats:
        if self._drawn is None:
            random = rng.generator(self._seed, "frontier")
            self._drawn = np.concatenate(list(draw_weights(np.arange(len(self.families)), RESAMPLES, random)))
        return self._drawn

    def _range(self, curves: list[Curve], at: float) -> str:
        for curve in curves:
            if not curve.count.any():
                return "no generations"
            whole = curve.similarity.sum(axis=0) / curve.count.sum(axis=0)
            if not (whole[0] >= at >= whole.min()):
                return f"similarity {at:g} is out of range: from {whole[0]:.3f} at k = 0 to {whole.min():.3f}"
        return "no generations"


def _value(curves: list[Curve], weight: Floats, at: float) -> Floats:
    """CLIP of the first curve at a similarity, less that of the second, if there is one."""
    found = [curve.at(weight, at) for curve in curves]
    return found[0] - found[1] if len(found) > 1 else found[0]


def _quantiles(drawn: Floats, level: float) -> tuple[float, float]:
    """Bounds from draws (R,), NaN being below all others for the low one, and above for the high one."""
    place = int(np.floor(len(drawn) * (1 - level) / 2)) - 1  # so many draws lie outside on either side
    if place < 0:
        return float("nan"), float("nan")
    low = np.sort(np.nan_to_num(drawn, nan=-np.inf))[place]
    high = np.sort(np.nan_to_num(drawn, nan=np.inf))[len(drawn) - 1 - place]
    return float(low), float(high)
