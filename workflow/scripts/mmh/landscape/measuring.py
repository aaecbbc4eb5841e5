"""Identities at the items of an experiment, at several noise levels: a network beside the exact score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmh.compute import rng
from mmh.landscape.dense import score_and_hessian
from mmh.landscape.identities import identity_table, sides

if TYPE_CHECKING:
    from mmh.diffusion.score_model import ScoreModel

COLUMNS = ("of", "t", "sigma", "noise", "identity", "left", "right", "ratio", "low", "high", "n", "clusters")


def measure_identities(
    models: Mapping[str, ScoreModel],
    x: NDArray[np.floating],
    ids: NDArray[np.int64],
    levels: Sequence[float],
    *,
    seed: int,
    batch_size: int,
    clusters: NDArray[np.int64] | None = None,
) -> pd.DataFrame:
    """Compare the sides of each identity, for each model at each level, at the same noised items.

    Parameters
    ----------
    models : mapping of str to ScoreModel
        By name; all with one schedule, with conditioning rows for the rows of `x` where they have any.
    x : numpy.ndarray
        (n, *shape), clean items; the identities are about the law that they follow.
    ids : numpy.ndarray
        int64 (n,); the noise of an item at a level follows from (seed, id, level) alone.
    levels : sequence of float
        Times t in (0, 1].
    seed : int
        Root seed.
    batch_size : int
        Rows of a batch.
    clusters : numpy.ndarray, optional
        (n,), which items belong together; each its own by default.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`: `noise` is sigma / psi, `left` and `right` the mean sides; the interval is of their ratio,
        over items, given this model.
    """
    parts = []
    for t in levels:
        noise = rng.normal(seed, f"identity-noise-{t:g}", ids.tolist(), x.shape[1:]).numpy()
        for name, model in models.items():
            psi, sigma = float(model.schedule.psi(t)), float(model.schedule.sigma(t))
            score, hessian = score_and_hessian(
                model, psi * x + sigma * noise, t, ids=ids, batch_size=batch_size
            )
            table = identity_table(sides(score, hessian), clusters)
            parts.append(table.assign(of=name, t=t, sigma=sigma, noise=sigma / psi))
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]


def evenly(n: int, most: int) -> NDArray[np.int64]:
    """Choose at most so many of n items, evenly over their order: items of one kind may lie together."""
    return np.linspace(0, n - 1, min(most, n)).round().astype(np.int64)
