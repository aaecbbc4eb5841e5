"""ROC curves of scores, with a pointwise interval over clusters that are drawn together."""

import numpy as np
import pandas as pd

from mmh.compute import rng
from mmh.errors import InputError
from mmh.stats.resampling import LEVEL, MIN_CLUSTERS, draw_weights, found_above

LEVELS = np.linspace(0.0, 1.0, 201)
"""False-positive rates at which a curve is read."""


def roc_table(
    scores: pd.DataFrame,
    positive: np.ndarray,
    families: np.ndarray,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compute the ROC curve of each score, and where it lies in resamples of the families.

    Parameters
    ----------
    scores : (n, S) DataFrame
        One column per detector; larger speaks for the positive class.
    positive : (n,) bool
        Class of each prompt.
    families : (n,) int
        Drawn together; a class with fewer than `mmh.stats.resampling.MIN_CLUSTERS` is drawn by prompt.
    resamples, seed
        Of the bootstrap, whose draws all detectors share.

    Returns
    -------
    DataFrame
        `detector`, `fpr` (each of `LEVELS`), `tpr`, `low`, `high`: the largest true-positive rate of a
        threshold whose false-positive rate is at most `fpr`, and the ends of its pointwise 95 % interval.

    Raises
    ------
    InputError
        If a class is empty or a score is not finite.
    """
    positive = np.asarray(positive, dtype=bool)
    if positive.all() or not positive.any():
        raise InputError(f"a ROC curve needs both classes, {positive.sum()} of {positive.size} are positive")
    if not np.isfinite(scores.to_numpy(np.float64)).all():
        raise InputError("a ROC curve of scores that are not finite was asked for")
    unit = np.unique(np.asarray(families), return_inverse=True)[1].astype(np.int64)
    for label in (False, True):
        rows = positive == label
        if len(np.unique(unit[rows])) < MIN_CLUSTERS:
            unit[rows] = len(unit) * (1 + label) + np.arange(rows.sum())
    generator = rng.generator(seed, "roc-bootstrap")
    weights = list(draw_weights(unit, resamples, generator, positive))
    parts = []
    for name in scores.columns:
        column = scores[name].to_numpy(np.float64)
        drawn = np.concatenate([curve(column, positive, weight) for weight in weights])
        low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
        own = curve(column, positive, np.ones((1, len(column))))[0]
        parts.append(pd.DataFrame({"detector": name, "fpr": LEVELS, "tpr": own, "low": low, "high": high}))
    return pd.concat(parts, ignore_index=True)


def curve(score: np.ndarray, positive: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Read the ROC curve of each weighted copy of the data at `LEVELS`, without interpolation.

    Parameters
    ----------
    score : (n,) float64
        Larger speaks for the positive class.
    positive : (n,) bool
        Class of each observation.
    weight : (R, n) float64
        Draw counts; each row holds both classes.

    Returns
    -------
    (R, len(LEVELS)) float64
        True-positive rates.
    """
    hits, alarms = found_above(score, positive, weight)
    rates = np.concatenate([np.zeros((len(hits), 1)), hits / hits[:, -1:]], axis=1)
    # 1e-9: a level times a count is rounded.
    allowed = LEVELS * alarms[:, -1:] + 1e-9
    places = [np.searchsorted(a, most, side="right") for a, most in zip(alarms, allowed, strict=True)]
    return np.take_along_axis(rates, np.stack(places), axis=1)
