"""Sampler of an EDM network: Heun's method on the probability-flow ODE."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch

from mmh.compute import rng
from mmh.compute.rows import aligned_blocks
from mmh.models.edm.network import EdmNetwork

Seen = Callable[[float, np.ndarray, torch.Tensor], None]


def noise_levels(low: float, high: float, steps: int, rho: float = 7.0) -> list[float]:
    """Noise levels of the sampler, from `high` down to `low`."""
    ramp = np.linspace(0.0, 1.0, steps)
    levels: list[float] = (
        (high ** (1 / rho) + ramp * (low ** (1 / rho) - high ** (1 / rho))) ** rho
    ).tolist()
    return levels


@torch.no_grad()
def sample(
    network: EdmNetwork,
    ids: Sequence[int] | np.ndarray,
    *,
    seed: int,
    steps: int = 60,
    batch_size: int = 500,
    rho: float = 7.0,
    progress: Callable[..., None] | None = None,
    seen: Seen | None = None,
) -> np.ndarray:
    """Draw points with Heun's method on the probability-flow ODE (Karras et al. 2022, Algorithm 1).

    Parameters
    ----------
    network : EdmNetwork
        Trained denoiser.
    ids : (n,) int
        Which points, in any order; a point's bytes depend on (seed, id) alone, see `batches`.
    seed : int
        Root seed; the initial noise of a point follows from it and the id.
    steps : int
        Steps from σ_max to σ_min, then one more to 0.
    batch_size : int
        Points computed at once; part of the recipe, since another one may change the last bits.
    rho : float
        Exponent that spaces the noise levels.
    progress : callable, optional
        Called as ``progress(done)`` with the number of finished points.
    seen : callable, optional
        Called as ``seen(sigma, rows, z)`` at every noise level: rows of `ids`, and their points there.

    Returns
    -------
    (n, dim) float32
        Points; rows in the order of `ids`.
    """
    ids = np.asarray(ids, dtype=np.int64)
    dim, low, high = (network.config[key] for key in ("dim", "sigma_min", "sigma_max"))
    levels = [*noise_levels(low, high, steps, rho), 0.0]
    device = network.frequencies.device
    out = np.empty((len(ids), dim), dtype=np.float32)
    done = 0
    for rows, places in aligned_blocks(ids, batch_size):
        z = torch.zeros(batch_size, dim)
        z[places] = high * rng.normal(seed, "initial-noise", ids[rows], (dim,))
        z = z.to(device)
        for now, after in pairwise(levels):
            if seen is not None:
                seen(now, rows, z[places])
            slope = network.eps(z, torch.full((batch_size, 1), now, device=device))
            following = z + (after - now) * slope
            if after > 0:
                slope_after = network.eps(following, torch.full((batch_size, 1), after, device=device))
                following = z + (after - now) * 0.5 * (slope + slope_after)
            z = following
        out[rows] = z.cpu().numpy()[places]
        done += len(rows)
        if progress is not None:
            progress(done)
    return out


def trajectories(
    network: EdmNetwork,
    ids: Sequence[int] | np.ndarray,
    *,
    at: Sequence[float],
    seed: int,
    steps: int,
    batch_size: int,
) -> tuple[np.ndarray, dict[float, np.ndarray]]:
    """Draw points as `sample` does, and keep where they were at some noise levels.

    Parameters
    ----------
    network, ids, seed, steps, batch_size
        As for `sample`.
    at : sequence of float
        Wanted noise levels; of each the sampler's nearest one is taken, by its logarithm.

    Returns
    -------
    x : (n, dim) float32
        The finished points: equal to those of `sample`.
    states : dict of float to ndarray
        (n, dim) float32 by the sampler's own noise level, from high to low.
    """
    ids = np.asarray(ids, dtype=np.int64)
    grid = np.array(noise_levels(network.config["sigma_min"], network.config["sigma_max"], steps))
    nearest = {int(np.abs(np.log(grid / level)).argmin()) for level in at}
    states = {
        float(grid[i]): np.empty((len(ids), network.config["dim"]), np.float32) for i in sorted(nearest)
    }

    def seen(sigma: float, rows: np.ndarray, z: torch.Tensor) -> None:
        if sigma in states:
            states[sigma][rows] = z.cpu().numpy()

    x = sample(network, ids, seed=seed, steps=steps, batch_size=batch_size, seen=seen)
    return x, states
