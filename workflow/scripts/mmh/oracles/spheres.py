"""The exact score of a uniform law on a sphere of any dimension, rotated into any space."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import ive

from mmh.compute import rng
from mmh.diffusion.schedule import Schedule
from mmh.errors import InputError
from mmh.oracles.exact import Array, Oracle, Terms

_LARGE = 1e5
_SMALLEST = 1e-280
_FRACTIONS = 400


def mean_resultant(kappa: ArrayLike, dimension: int) -> Array:
    """Length of the mean of a von Mises-Fisher law, A(kappa) = I_{p/2}(kappa) / I_{p/2 - 1}(kappa).

    Scaled Bessel functions where both can be represented; Gauss's continued fraction A = kappa / (p + kappa
    A_{p+2}) where they underflow; and for large kappa the expansion 1 - k / (2 kappa) + k (k - 2) / (8
    kappa^2) + ..., whose terms follow from A' = 1 - A^2 - k A / kappa.

    Parameters
    ----------
    kappa : array_like
        Concentration, not negative.
    dimension : int
        Dimension k of the sphere, in p = k + 1 coordinates.

    Returns
    -------
    numpy.ndarray
        float64 like `kappa`, in [0, 1).
    """
    kappa = np.asarray(kappa, dtype=np.float64)
    order = (dimension - 1) / 2
    # Of the order k^2 / kappa are the terms of the expansion: it starts where they are small for any k.
    far = kappa > _LARGE * max(1, dimension) ** 2
    near = np.where(far, 1.0, kappa)
    below = ive(order, near)
    usable = below > _SMALLEST
    ratio = ive(order + 1, near) / np.where(usable, below, 1.0)
    if not usable.all():
        fraction = np.zeros_like(near)
        for step in range(_FRACTIONS, -1, -1):
            fraction = near / (dimension + 1 + 2 * step + near * fraction)
        ratio = np.where(usable, ratio, fraction)
    return np.where(far, _expansion(np.where(far, kappa, 1.0), dimension), ratio)


def _expansion(kappa: Array, dimension: int) -> Array:
    coefficients = [1.0]
    for n in range(1, 6):
        products = sum(coefficients[i] * coefficients[n - i] for i in range(1, n))
        coefficients.append(0.5 * ((n - 1 - dimension) * coefficients[n - 1] - products))
    return np.asarray(np.polynomial.polynomial.polyval(1.0 / kappa, coefficients), dtype=np.float64)


class _Ratio(torch.autograd.Function):
    """G(kappa) = A(kappa) / kappa, smooth at 0, where it is 1 / p; once differentiable."""

    @staticmethod
    def forward(ctx: Any, kappa: torch.Tensor, dimension: int) -> torch.Tensor:
        values = kappa.detach().numpy()
        resultant = mean_resultant(values, dimension)
        ratio = np.where(values > 0, resultant / np.maximum(values, _SMALLEST), 1.0 / (dimension + 1))
        slope = 1.0 - resultant**2 - (dimension + 1) * ratio
        # Below, the two halves of the slope agree to all their digits, and the true one is of order kappa.
        ctx.save_for_backward(
            torch.from_numpy(np.where(values > 1e-6, slope / np.maximum(values, 1e-6), 0.0))
        )
        return torch.from_numpy(ratio)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        (slope,) = ctx.saved_tensors
        return grad * slope, None


class Sphere(Oracle):
    """The uniform law on a k-sphere of radius R about the origin, in a random (k + 1)-dimensional subspace.

    With y the part of x in that subspace and kappa = R |y| / tau, the clean point given x has the mean m = R
    A(kappa) y / |y|; hence -grad log p = (x - m) / tau, and FLIPD = E |x - x_0|^2 / tau = (|x|^2 + R^2 - 2 R
    A(kappa) |y|) / tau, which is k + O(tau) on the sphere.

    Parameters
    ----------
    dimension : int
        Dimension k of the sphere, 1 or more.
    ambient : int
        The d of the space, above k.
    schedule : Schedule
        The noise schedule.
    radius : float
        Radius R.
    seed : int
        Root seed of the rotation.
    """

    def __init__(
        self, dimension: int, ambient: int, schedule: Schedule, *, radius: float = 1.0, seed: int = 0
    ) -> None:
        if not 1 <= dimension < ambient:
            raise InputError(f"a sphere of dimension {dimension} does not fit into {ambient} dimensions")
        if not radius > 0:
            raise InputError(f"a sphere needs a positive radius, got {radius}")
        self.dimension, self.radius = int(dimension), float(radius)
        random = rng.generator(seed, "oracle-rotation", 0)
        self.basis = torch.from_numpy(np.linalg.qr(random.standard_normal((ambient, dimension + 1)))[0])
        super().__init__(ambient, schedule, None)

    def _terms(self, x: torch.Tensor, tau: float) -> Terms:
        inside = x @ self.basis
        normal = x - inside @ self.basis.T
        length = torch.linalg.vector_norm(inside, dim=1)
        ratio = _Ratio.apply(length * (self.radius / tau), self.dimension)[:, None] * (self.radius**2 / tau)
        solved = normal / tau + (inside * ((1.0 - ratio) / tau)) @ self.basis.T
        # |y|^2 + R^2 - 2 R A |y|, without the difference of large numbers.
        resultant = ratio[:, 0] * length / self.radius
        squared = (length - self.radius).square() + 2.0 * self.radius * length * (1.0 - resultant)
        flipd = (normal.square().sum(1) + squared) / tau
        return torch.ones_like(flipd)[:, None], solved, flipd[:, None]

    def lid(self, x: ArrayLike) -> NDArray[np.int64]:
        """Dimension of the sphere, everywhere: int64 (n,)."""
        return np.full(len(np.asarray(x)), self.dimension, dtype=np.int64)

    def sample(self, n: int, seed: int) -> tuple[Array, NDArray[np.int64]]:
        """Draw n points of the clean law: float64 (n, d), and component 0 of each, int64 (n,)."""
        directions = rng.generator(seed, "oracle-sample").standard_normal((n, self.dimension + 1))
        directions *= self.radius / np.linalg.norm(directions, axis=1, keepdims=True)
        return directions @ self.basis.numpy().T, np.zeros(n, dtype=np.int64)
