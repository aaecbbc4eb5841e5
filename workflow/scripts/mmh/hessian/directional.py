"""The Hessian of a log-density ratio along its own gradient: ||H^D s^D|| of Jeon et al. (2025).

With D = eps_c - eps_0, s^D = -D / sigma and H^D = -J^D / sigma, so H^D s^D = J^D D / sigma^2, and no sign is
left in its norm. A learned J^D is far from symmetric where the noise is large: J^D D and its transpose
differ.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from mmh.hessian.operators import Noise, Product, difference_product, dual_product

Way = Literal["central", "jvp", "one-sided"]


def along_own_score(
    difference: Noise,
    z: torch.Tensor,
    delta: torch.Tensor,
    sigma: float,
    *,
    way: Way = "central",
    step: float,
    module: torch.nn.Module | None = None,
) -> NDArray[np.float64]:
    """||H^D s^D|| of each row.

    Parameters
    ----------
    difference : callable
        z (n, *shape) to D (n, *shape).
    z, delta : torch.Tensor
        (n, *shape), the latents, and D there.
    sigma : float
        Noise level.
    way : {"central", "jvp", "one-sided"}
        Two calls at z +- h u with u = D / ||D||; one dual-number pass; one call at z - h u, along the score,
        less D itself, scaled by ||D|| / h (the finite step of the paper's SAIL).
    step : float
        h, in the units of z.
    module : torch.nn.Module or None
        Behind `difference`, for dual numbers.

    Returns
    -------
    numpy.ndarray
        float64 (n,), in 1 / unit of z^3.
    """
    tangent = delta.detach().double().flatten(1)
    if way == "jvp":
        taken = dual_product(difference, z, module)(tangent)
    elif way == "central":
        taken = difference_product(difference, z, step=step)(tangent)
    else:
        length = tangent.norm(dim=1, keepdim=True)
        move = (step * tangent / length.clamp_min(1e-300)).reshape(z.shape)
        with torch.no_grad():
            there = difference((z.detach().double() - move).to(z)).double().flatten(1)
        taken = (tangent - there) * (length / step)
    norms: NDArray[np.float64] = taken.norm(dim=1).cpu().numpy() / sigma**2
    return norms


def transposed_along_own_score(transpose: Product, delta: torch.Tensor, sigma: float) -> NDArray[np.float64]:
    """||(H^D)^T s^D|| of each row, float64 (n,), by one backward pass; `transpose` gives (J^D)^T v."""
    taken = transpose(delta.detach().double().flatten(1))
    norms: NDArray[np.float64] = taken.norm(dim=1).cpu().numpy() / sigma**2
    return norms
