"""Estimates of LID against the truth: every estimator at points of a law of known dimension, and errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mmh.compute import rng
from mmh.stats.resampling import draw_weights, percentile_interval

if TYPE_CHECKING:
    from mmh.diffusion.score_model import ScoreModel
    from mmh.oracles.laws import Law

Array = np.ndarray
Report = Callable[..., None]
MIN_ITEMS = 6
"""With fewer points a bootstrap interval would be too short to mean what it says: it is left out."""

POINT_COLUMNS = ("item", "lid", "estimator", "score", "t", "sigma", "value")
ROW_KEYS = ("law", "ambient", "estimator", "score", "t", "sigma", "lid")
STATISTICS = ("n", "mean", "mean_low", "mean_high", "mae", "mae_low", "mae_high")


def measure(
    law: Law,
    options: Mapping[str, Any],
    estimators: Mapping[str, Mapping[str, Any]],
    levels: Sequence[float],
    *,
    seed: int,
    learned: ScoreModel | None = None,
    report: Report | None = None,
) -> pd.DataFrame:
    """Estimate LID at points of a law by every estimator and at every noise level.

    Parameters
    ----------
    law : Law
        The law; its exact score is estimated from first.
    options : mapping
        ``items``: number of points; optionally ``spectra_items``: how many of them get a normal bundle.
    estimators : mapping
        Name to options, with ``method``: ``flipd`` (``trace``, ``probe``), ``denoising-loss``
        (``draws``), ``normal-bundle`` (``copies_per_dimension``, ``percentile``), ``normal-bundle-noise``
        (``copies_per_dimension``, ``fraction``) or ``local-pca`` (``neighbours_from``: points drawn, ``k``,
        ``percentile``, ``radius``).
    levels : sequence of float
        Times t of the law's schedule.
    seed : int
        Root seed of probes and noise.
    learned : ScoreModel, optional
        A network trained on the law, asked at the same ratio sigma / psi.
    report : callable, optional
        Called as ``report(done, t=...)`` after each level.

    Returns
    -------
    pandas.DataFrame
        Columns `POINT_COLUMNS`: `item` and true `lid` int64; `score` ``exact``, ``learned`` or ``none``
        (local PCA sees samples only; its `t` and `sigma` are missing); `sigma` is sigma / psi, in units of
        the data; `value` float64, dimensions.
    """
    from mmh.oracles.laws import matching_time

    x, lid = law.draw(options["items"], "evaluation")
    few = slice(0, options.get("spectra_items", len(x)))
    schedule = law.oracle.schedule
    parts = []

    def add(name: str, score: str, t: float, sigma: float, value: Array) -> None:
        about = {"estimator": name, "score": score, "t": t, "sigma": sigma, "value": np.asarray(value, float)}
        parts.append(pd.DataFrame({"item": np.arange(len(value)), "lid": lid[: len(value)], **about}))

    for name, how in estimators.items():
        if how["method"] == "local-pca":
            add(name, "none", np.nan, np.nan, _local_pca(law, x, how))
    for done, t in enumerate(levels, start=1):
        ratio = schedule.sigma(t) / schedule.psi(t)
        models = [("exact", law.oracle.model, t)]
        if learned is not None:
            models.append(("learned", learned, matching_time(learned, ratio)))
        for score, model, time in models:
            for name, value in _from_model(model, x, lid, time, few, estimators, seed):
                add(name, score, t, ratio, value)
        if report is not None:
            report(done, t=t)
    table = pd.concat(parts, ignore_index=True)[list(POINT_COLUMNS)]
    return table.astype({"item": np.int64, "lid": np.int64})


def _local_pca(law: Law, x: Array, how: Mapping[str, Any]) -> Array:
    from mmh.lid.local_pca import local_pca

    radius = None if how["radius"] == "none" else how["radius"]
    points, _ = law.draw(how["neighbours_from"], "neighbours")
    return local_pca(points, k=how["k"], percentile=how["percentile"], radius=radius, query=x).lid


def _from_model(
    model: ScoreModel,
    x: Array,
    lid: Array,
    t: float,
    few: slice,
    estimators: Mapping[str, Mapping[str, Any]],
    seed: int,
) -> Iterator[tuple[str, Array]]:
    """Yield name and estimates of every estimator that asks a score model; spectra are computed once."""
    from mmh.lid.denoising_loss import denoising_loss
    from mmh.lid.flipd import flipd
    from mmh.lid.normal_bundle import normal_bundle_spectrum
    from mmh.lid.spectra import count_below, pooled_threshold

    spectra: dict[int, Array] = {}
    for name, how in estimators.items():
        if how["method"] == "flipd":
            probes = None if how["trace"] == "exact" else int(how["trace"])
            law = how["probe"]
            yield name, flipd(model, x, t, probes=probes, probe=law, seed=seed, batch_size=len(x))
        elif how["method"] == "denoising-loss":
            loss = denoising_loss(model, x, t, draws=how["draws"], seed=seed, batch_size=len(x))
            yield name, loss.value
        elif how["method"].startswith("normal-bundle"):
            copies = how["copies_per_dimension"] * model.dim
            if copies not in spectra:
                found = normal_bundle_spectrum(model, x[few], t, copies=copies, seed=seed, batch_size=copies)
                spectra[copies] = found
            values = spectra[copies]
            if how["method"] == "normal-bundle-noise":
                threshold = noise_threshold(copies, float(model.schedule.sigma(t)), how["fraction"])
            else:
                true = 100.0 * lid[few].mean() / model.dim
                percentile = true if how["percentile"] == "truth" else how["percentile"]
                threshold = pooled_threshold(values, percentile) if percentile > 0 else -np.inf
            yield name, count_below(values, threshold)


def noise_threshold(copies: int, sigma: float, fraction: float) -> float:
    """Singular value under which a direction is tangent: it holds less than a fraction of the noise.

    Across the manifold the score of a noised copy is minus the noise over sigma, of variance 1 / sigma^2;
    along it, the variance is smaller by sigma^2 / (sigma^2 + psi^2 spread^2). So the squared singular values
    over `copies`, times sigma^2, lie near 1 or near 0 once sigma is well below the spread.

    Parameters
    ----------
    copies : int
        Rows of the matrix of scores.
    sigma : float
        Noise level.
    fraction : float
        In (0, 1); below (1 - sqrt(d / copies))^2, the least that pure noise gives.

    Returns
    -------
    float
        sqrt(fraction copies) / sigma.
    """
    return float(np.sqrt(fraction * copies) / sigma)


def summarize(points: pd.DataFrame, law: str, ambient: int, *, resamples: int, seed: int) -> pd.DataFrame:
    """Mean estimate and mean absolute error of every estimator and level, with bootstrap intervals.

    Parameters
    ----------
    points : pandas.DataFrame
        From `measure`.
    law : str
        Name of the law.
    ambient : int
        Its d.
    resamples : int
        Bootstrap resamples of the points.
    seed : int
        Root seed of the resamples.

    Returns
    -------
    pandas.DataFrame
        Columns `ROW_KEYS` and `STATISTICS`. `lid` is the true dimension, or missing for all points of the law
        together; `mean` and `mae` are in dimensions, with 95 % intervals that are missing for fewer than
        `MIN_ITEMS` points.
    """
    rows = []
    for key, group in points.groupby(["estimator", "score", "t", "sigma"], sort=False, dropna=False):
        parts: list[tuple[float, pd.DataFrame]] = [(np.nan, group)]
        dimensions = sorted(group["lid"].unique())
        if len(dimensions) > 1:
            parts += [(float(d), group[group["lid"] == d]) for d in dimensions]
        else:
            parts.append((float(dimensions[0]), group))
        for dimension, mine in parts:
            value = mine["value"].to_numpy()
            error = np.abs(value - mine["lid"].to_numpy())
            statistics = [mean_interval(v, resamples=resamples, seed=seed) for v in (value, error)]
            rows.append((law, ambient, *key, dimension, len(value), *statistics[0], *statistics[1]))
    return pd.DataFrame(rows, columns=[*ROW_KEYS, *STATISTICS])


def mean_interval(values: Array, *, resamples: int, seed: int) -> tuple[float, float, float]:
    """Mean with its bootstrap interval.

    Parameters
    ----------
    values : (n,) float
        Observations.
    resamples : int
        Bootstrap resamples.
    seed : int
        Root seed.

    Returns
    -------
    (float, float, float)
        Mean and both ends of the 95 % interval, NaN with fewer than `MIN_ITEMS` values.
    """
    mean = float(np.mean(values))
    if len(values) < MIN_ITEMS:
        return mean, np.nan, np.nan
    generator = rng.generator(seed, "mean-bootstrap")
    drawn = [w @ values / w.sum(axis=1) for w in draw_weights(np.arange(len(values)), resamples, generator)]
    found = percentile_interval(mean, np.concatenate(drawn), len(values))
    return found.estimate, found.low, found.high
