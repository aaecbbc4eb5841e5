"""The loss of denoising of one Gaussian, in closed form: its mean and its variance at a point.

With x - mu = sum_i u_i b_i + r, b_i the principal directions of variance s_i^2 and r normal to them, the
exact noise predictor at z = psi x + sigma n leaves, in direction i,

    eps_i - n_i = -(1 - a_i) n_i + a_i psi u_i / sigma,    a_i = sigma^2 / (sigma^2 + psi^2 s_i^2),

and in normal directions, where a = 1, psi r / sigma, which is 0 at a point of the support.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmh.oracles.exact import GaussianPart

Array = NDArray[np.float64]


class LossMoments(NamedTuple):
    """`mean` and `variance` over the noise of ||eps - n||^2, one draw: float64 (n,), in dimensions."""

    mean: Array
    variance: Array


def loss_moments(part: GaussianPart, x: ArrayLike, psi: float, sigma: float) -> LossMoments:
    """Moments of the denoising loss of one Gaussian at points x, over the noise.

    mean     = sum_i (1 - a_i)^2 + m_i^2 + |psi r / sigma|^2,   m_i = a_i psi u_i / sigma
    variance = sum_i 2 (1 - a_i)^4 + 4 (1 - a_i)^2 m_i^2

    Over the points of the law itself the mean is sum_i (1 - a_i) = sum_i psi^2 s_i^2 / (psi^2 s_i^2 +
    sigma^2): the dimension, shrunk.

    Parameters
    ----------
    part : GaussianPart
        The law.
    x : array_like
        (n, d), clean points.
    psi, sigma : float
        Noise level.

    Returns
    -------
    LossMoments
    """
    r = np.asarray(x, dtype=np.float64) - part.mean.numpy()
    basis, variances = part.basis.numpy(), part.variances.numpy()
    along = r @ basis
    across = r - along @ basis.T
    a = sigma**2 / (sigma**2 + psi**2 * variances)
    offset = a * psi * along / sigma
    left = (1.0 - a) ** 2
    mean = left.sum() + (offset**2).sum(axis=1) + (psi * across / sigma) ** 2 @ np.ones(r.shape[1])
    return LossMoments(mean, (2.0 * left**2 + 4.0 * left * offset**2).sum(axis=1))


def shrunk_dimension(part: GaussianPart, psi: float, sigma: float) -> float:
    """Mean of the loss over the law itself, sum_i psi^2 s_i^2 / (psi^2 s_i^2 + sigma^2), in dimensions."""
    power = psi**2 * part.variances.numpy()
    return float((power / (power + sigma**2)).sum())
