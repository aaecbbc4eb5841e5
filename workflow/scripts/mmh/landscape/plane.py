"""The plane of a toy whose law is known: density, score and sharpness, learned beside exact."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmh.io.tables import Contract
from mmh.landscape.dense import eigenvalues, score_and_hessian

if TYPE_CHECKING:
    from mmh.diffusion.score_model import ScoreModel
    from mmh.oracles.exact import Mixture

Array = NDArray[np.float64]
EXACT, LEARNED = "exact", "learned"
FIELD = Contract(
    "landscape",
    {
        "sigma": "float64",
        "of": "string",
        "x": "float64",
        "y": "float64",
        "density": "float64",
        "score_x": "float64",
        "score_y": "float64",
        "lambda_min": "float64",
    },
)
STATES = Contract(
    "landscape states",
    {
        "item": "int64",
        "mode": "string",
        "sigma": "float64",
        "of": "string",
        "x": "float64",
        "y": "float64",
        "lambda_min": "float64",
    },
)


def field(
    score: ScoreModel,
    law: Mixture,
    samples: Array,
    *,
    sigmas: list[float],
    reach: float,
    side: int,
    batch_size: int,
) -> pd.DataFrame:
    """Density, score and smallest eigenvalue of the Hessian on a grid, at some noise levels.

    Parameters
    ----------
    score : ScoreModel
        The network, with an ``edm`` schedule: psi is 1.
    law : Mixture
        Of the plane, with the same schedule.
    samples : numpy.ndarray
        (n, 2), clean samples of the network: its density under noise is that of their Gaussian kernels.
    sigmas : list of float
        Noise levels.
    reach : float
        The grid covers [-reach, reach]².
    side : int
        Points of the grid along each axis.
    batch_size : int
        Rows of a batch.

    Returns
    -------
    pandas.DataFrame
        Columns of `FIELD`.
    """
    ticks = np.linspace(-reach, reach, side)
    z = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    ids = np.arange(len(z), dtype=np.int64)
    parts = []
    for sigma in sigmas:
        densities = {EXACT: density(z, law, sigma), LEARNED: kernel_density(z, samples, sigma)}
        for name, model in ((EXACT, law.model), (LEARNED, score)):
            s, hessian = score_and_hessian(model, z, time_of(model, sigma), ids=ids, batch_size=batch_size)
            columns = {"sigma": sigma, "of": name, "x": z[:, 0], "y": z[:, 1], "density": densities[name]}
            columns |= {"score_x": s[:, 0], "score_y": s[:, 1], "lambda_min": eigenvalues(hessian)[:, 0]}
            parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def states_table(
    score: ScoreModel,
    law: Mixture,
    states: dict[float, NDArray[np.float32]],
    modes: NDArray[np.str_],
    *,
    ids: NDArray[np.int64],
    batch_size: int,
) -> pd.DataFrame:
    """Smallest eigenvalue of the Hessian where samples were on their way, by the network and by the law.

    Parameters
    ----------
    score, law
        As for `field`.
    states : dict of float to ndarray
        (n, 2) by noise level.
    modes : numpy.ndarray
        str (n,), where each sample ended.
    ids : numpy.ndarray
        int64 (n,).
    batch_size : int
        Rows of a batch.

    Returns
    -------
    pandas.DataFrame
        Columns of `STATES`.
    """
    parts = []
    for sigma, z in states.items():
        for name, model in ((EXACT, law.model), (LEARNED, score)):
            hessian = score_and_hessian(model, z, time_of(model, sigma), ids=ids, batch_size=batch_size)[1]
            columns = {"item": ids, "mode": modes, "sigma": sigma, "of": name, "x": z[:, 0], "y": z[:, 1]}
            lowest = eigenvalues(hessian)[:, 0]
            parts.append(pd.DataFrame({**columns, "lambda_min": lowest}).astype({"x": float, "y": float}))
    return pd.concat(parts, ignore_index=True)


def time_of(model: ScoreModel, sigma: float) -> float:
    """Time of a noise level of an ``edm`` schedule, σ(t) = σ_min^(1-t) σ_max^t; in (0, 1]."""
    low, high = (model.schedule.parameters[name] for name in ("sigma_min", "sigma_max"))
    return float(np.clip(np.log(sigma / low) / np.log(high / low), 1e-9, 1.0))


def density(z: Array, law: Mixture, sigma: float) -> Array:
    """Density of the law under noise, (n,), per unit of area."""
    total = np.zeros(len(z))
    for part, weight in zip(law.parts, law.weights.numpy(), strict=True):
        covariance = (part.basis * part.variances) @ part.basis.T
        total += weight * _gaussian(z, part.mean.numpy(), covariance.numpy() + sigma**2 * np.eye(z.shape[1]))
    return total


def kernel_density(z: Array, samples: Array, sigma: float) -> Array:
    """Density of noised samples, (n,): the mean of Gaussian kernels of width `sigma` about them."""
    squared = ((z[:, None] - samples[None].astype(np.float64)) ** 2).sum(axis=2)
    values: Array = np.exp(-squared / (2 * sigma**2)).mean(axis=1) / (2 * np.pi * sigma**2)
    return values


def _gaussian(z: Array, mean: Array, covariance: Array) -> Array:
    r = z - mean
    quadratic = np.einsum("ni,ij,nj->n", r, np.linalg.inv(covariance), r)
    values: Array = np.exp(-quadratic / 2) / np.sqrt(np.linalg.det(2 * np.pi * covariance))
    return values
