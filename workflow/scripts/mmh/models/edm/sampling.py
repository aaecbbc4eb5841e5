"""Sampler of an EDM network: Heun's method on the probability-flow ODE."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch

from mmh.compute import rng
from mmh.compute.rows import aligned_blocks
from mmh.models.edm.network import EdmNetwork


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

    Returns
    -------
    (n, dim) float32
        Points; rows in the order of `ids`.
    """
    ids = np.asarray(ids, dtype=np.int64)
    dim, low, high = (network.config[key] for key in ("dim", "sigma_min", "sigma_max"))
    ramp = np.linspace(0.0, 1.0, steps)
    levels = (high ** (1 / rho) + ramp * (low ** (1 / rho) - high ** (1 / rho))) ** rho
    levels = np.append(levels, 0.0).tolist()
    device = network.frequencies.device
    out = np.empty((len(ids), dim), dtype=np.float32)
    done = 0
    for rows, places in aligned_blocks(ids, batch_size):
        z = torch.zeros(batch_size, dim)
        z[places] = high * rng.normal(seed, "initial-noise", ids[rows], (dim,))
        z = z.to(device)
        for now, after in pairwise(levels):
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
