"""Closed-form score models whose local intrinsic dimension is known.

With tau = sigma^2 / psi^2, the density at time t, seen at x = z / psi, is the data's law convolved with N(0,
tau I). For a mixture of laws FLIPD is the average of the parts' FLIPD under the posterior of the part given
x: sum_j p_j (tr grad s_j + ||s_j||^2) is exactly tr grad s + ||s||^2.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from mmh.compute import rng
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError

Array = NDArray[np.float64]
Terms = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
RANK_TOLERANCE = 1e-12


@dataclass(frozen=True)
class GaussianPart:
    """One Gaussian N(mean, basis diag(variances) basis^T), possibly degenerate.

    Attributes
    ----------
    mean : torch.Tensor
        float64 (d,).
    basis : torch.Tensor
        float64 (d, r), orthonormal columns that span the support.
    variances : torch.Tensor
        float64 (r,), positive.
    """

    mean: torch.Tensor
    basis: torch.Tensor
    variances: torch.Tensor

    @classmethod
    def from_covariance(cls, mean: ArrayLike, covariance: ArrayLike) -> GaussianPart:
        """Split a covariance matrix (d, d); eigenvalues below 1e-12 of the largest count as zero."""
        mu, S = torch.as_tensor(np.asarray(mean, float)), torch.as_tensor(np.asarray(covariance, float))
        if mu.ndim != 1 or S.shape != (len(mu), len(mu)) or not torch.allclose(S, S.T):
            raise InputError(f"needs (d,) and a symmetric (d, d), got {tuple(mu.shape)}, {tuple(S.shape)}")
        values, vectors = torch.linalg.eigh(S)
        top = float(values.max())
        if float(values.min()) < -1e-9 * max(top, 1e-300):
            raise InputError(f"a covariance has no negative eigenvalue, got {float(values.min())}")
        kept = values > RANK_TOLERANCE * max(top, 0.0)
        return cls(mu, vectors[:, kept].contiguous(), values[kept])

    @property
    def rank(self) -> int:
        """Dimension of the support."""
        return len(self.variances)

    def terms(self, x: torch.Tensor, tau: float) -> Terms:
        """Log-density at x (n,) up to a common constant, (S + tau)^-1 (x - mu) (n, d), and FLIPD (n,).

        FLIPD = d - tau tr (S + tau)^-1 + tau r^T (S + tau)^-2 r, r = x - mu.
        """
        r = x - self.mean
        tangent = r @ self.basis
        # The normal part is formed before it is squared: |r|^2 - |tangent|^2 would lose it for small tau.
        normal = r - tangent @ self.basis.T
        spread = self.variances + tau
        solved = normal / tau + (tangent / spread) @ self.basis.T
        quadratic = normal.square().sum(1) / tau + (tangent.square() / spread).sum(1)
        codimension = x.shape[1] - self.rank
        log_density = -0.5 * (quadratic + spread.log().sum() + codimension * math.log(tau))
        flipd = (self.variances / spread).sum() + tau * solved.square().sum(1)
        return log_density, solved, flipd


class Oracle(ABC):
    """A mixture law with its exact score, FLIPD and LID; see `Mixture` and `EmpiricalMeasure`.

    Attributes
    ----------
    model : ScoreModel
        The exact noise predictor, float64, differentiable.
    """

    def __init__(self, dim: int, schedule: Schedule, shape: Sequence[int] | None) -> None:
        shape = (dim,) if shape is None else tuple(shape)
        if math.prod(shape) != dim:
            raise InputError(f"shape {shape} does not hold {dim} values")
        self.schedule = schedule
        self.model = ScoreModel.from_function(self._eps, shape, schedule, dtype=torch.float64)

    @abstractmethod
    def _terms(self, x: torch.Tensor, tau: float) -> Terms:
        """Posterior of the parts (n, m), -grad log p(x) (n, d), FLIPD of the parts (n, m), at noise tau."""

    def _eps(self, z: torch.Tensor, t: float) -> torch.Tensor:
        ratio = self.schedule.sigma(t) / self.schedule.psi(t)
        _, solved, _ = self._terms(z.flatten(1) / self.schedule.psi(t), ratio**2)
        return ratio * solved.reshape(z.shape)

    def flipd(self, x: ArrayLike, t: float) -> Array:
        """Exact FLIPD at clean points x (n, *shape) and time t in (0, 1]: float64 (n,), in dimensions."""
        ratio = self.schedule.sigma(t) / self.schedule.psi(t)
        posterior, _, flipd = self._terms(_rows(x), ratio**2)
        return (posterior * flipd).sum(1).numpy()


class Mixture(Oracle):
    """A mixture of Gaussians of any ranks, rank 0 (a point mass) included.

    Parameters
    ----------
    parts : sequence of GaussianPart
        The components, in the same ambient dimension d.
    schedule : Schedule
        The noise schedule of the score model.
    weights : array_like, optional
        Positive, scaled to sum to one; equal by default.
    shape : sequence of int, optional
        Shape of one sample, d values; (d,) by default.
    """

    def __init__(
        self,
        parts: Sequence[GaussianPart],
        schedule: Schedule,
        *,
        weights: ArrayLike | None = None,
        shape: Sequence[int] | None = None,
    ) -> None:
        self.parts = tuple(parts)
        if not self.parts or len({len(part.mean) for part in self.parts}) != 1:
            raise InputError("a mixture needs at least one component, all in the same dimension")
        self.weights = _weights(weights, len(self.parts))
        super().__init__(len(self.parts[0].mean), schedule, shape)

    def _terms(self, x: torch.Tensor, tau: float) -> Terms:
        densities, solved, flipd = zip(*(part.terms(x, tau) for part in self.parts), strict=True)
        posterior = torch.softmax(torch.stack(densities, dim=1) + self.weights.log(), dim=1)
        return (
            posterior,
            torch.einsum("nm,mnd->nd", posterior, torch.stack(solved)),
            torch.stack(flipd, dim=1),
        )

    def posterior(self, x: ArrayLike, tau: float = 1e-8) -> Array:
        """Probability of each component given x (n, *shape) under noise of variance tau: float64 (n, m)."""
        return self._terms(_rows(x), tau)[0].numpy()

    def lid(self, x: ArrayLike) -> NDArray[np.int64]:
        """Dimension of the component that x (n, *shape) lies on, smallest where they cross: int64 (n,)."""
        ranks = np.array([part.rank for part in self.parts], dtype=np.int64)
        return ranks[self.posterior(x).argmax(axis=1)]

    def sample(self, n: int, seed: int) -> tuple[Array, NDArray[np.int64]]:
        """Draw n points of the clean law.

        Parameters
        ----------
        n : int
            Number of points.
        seed : int
            Root seed.

        Returns
        -------
        x : numpy.ndarray
            float64 (n, *shape).
        component : numpy.ndarray
            int64 (n,), the component that each came from.
        """
        random = rng.generator(seed, "oracle-sample")
        component = random.choice(len(self.parts), size=n, p=self.weights.numpy())
        x = np.empty((n, self.model.dim))
        for j, part in enumerate(self.parts):
            rows = np.flatnonzero(component == j)
            noise = random.standard_normal((len(rows), part.rank)) * np.sqrt(part.variances.numpy())
            x[rows] = part.mean.numpy() + noise @ part.basis.numpy().T
        return x.reshape(n, *self.model.shape), component.astype(np.int64)


class EmpiricalMeasure(Oracle):
    """The perfect memorizer: the exact score of noised training points.

    FLIPD = sum_i p_i D_i^2 / tau, D_i = ||x - x_i||, p = softmax(log w_i - D_i^2 / (2 tau)).

    Parameters
    ----------
    points : array_like
        (m, *shape), the training set.
    schedule : Schedule
        The noise schedule.
    weights : array_like, optional
        Weight of each point; equal by default.
    """

    def __init__(self, points: ArrayLike, schedule: Schedule, *, weights: ArrayLike | None = None) -> None:
        array = np.asarray(points, dtype=np.float64)
        if array.ndim < 2 or len(array) == 0:
            raise InputError(f"needs points (m, ...), got shape {array.shape}")
        self.points = _rows(array)
        self.weights = _weights(weights, len(array))
        super().__init__(self.points.shape[1], schedule, array.shape[1:])

    def _terms(self, x: torch.Tensor, tau: float) -> Terms:
        # The exact distances: through a matrix product, close points would lose theirs.
        squared = torch.cdist(x, self.points, compute_mode="donot_use_mm_for_euclid_dist").square()
        posterior = torch.softmax(self.weights.log() - squared / (2.0 * tau), dim=1)
        return posterior, (x - posterior @ self.points) / tau, squared / tau

    def lid(self, x: ArrayLike) -> NDArray[np.int64]:
        """Dimension of the law, 0 everywhere: int64 (n,)."""
        return np.zeros(len(np.asarray(x)), dtype=np.int64)


def gaussian(
    mean: ArrayLike, covariance: ArrayLike, schedule: Schedule, *, shape: Sequence[int] | None = None
) -> Mixture:
    """Gaussian N(mean, covariance), singular covariances included; LID is the rank.

    Parameters
    ----------
    mean : array_like
        (d,).
    covariance : array_like
        (d, d), symmetric, no negative eigenvalue.
    schedule : Schedule
        The noise schedule.
    shape : sequence of int, optional
        Shape of one sample; (d,) by default.

    Returns
    -------
    Mixture
        FLIPD = d - tau tr (S + tau)^-1 + tau r^T (S + tau)^-2 r.
    """
    return Mixture([GaussianPart.from_covariance(mean, covariance)], schedule, shape=shape)


def random_mixture(
    dims: Sequence[int],
    ambient: int,
    schedule: Schedule,
    *,
    seed: int,
    separation: float = 0.0,
    weights: ArrayLike | None = None,
) -> Mixture:
    """Mixture of unit Gaussians on randomly rotated subspaces, for example 10/25/50 in 100.

    Parameters
    ----------
    dims : sequence of int
        Dimension of each component, 0..ambient.
    ambient : int
        The d of the space.
    schedule : Schedule
        The noise schedule.
    seed : int
        Root seed of the rotations and centres.
    separation : float
        Norm of each centre, in a random direction.
    weights : array_like, optional
        Component weights; equal by default.

    Returns
    -------
    Mixture
        With components in the order of `dims`.
    """
    parts = []
    for j, rank in enumerate(dims):
        if not 0 <= rank <= ambient:
            raise InputError(f"component dimension {rank} does not fit into {ambient} dimensions")
        random = rng.generator(seed, "oracle-rotation", j)
        basis = np.linalg.qr(random.standard_normal((ambient, rank)))[0]
        centre = random.standard_normal(ambient)
        centre *= separation / np.linalg.norm(centre)
        parts.append(GaussianPart(*(torch.from_numpy(a) for a in (centre, basis, np.ones(rank)))))
    return Mixture(parts, schedule, weights=weights)


def _rows(x: ArrayLike) -> torch.Tensor:
    array = np.array(x, dtype=np.float64)
    return torch.from_numpy(array.reshape(len(array), -1))


def _weights(weights: ArrayLike | None, n: int) -> torch.Tensor:
    values = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    if values.shape != (n,) or not (values > 0).all() or not np.isfinite(values).all():
        raise InputError(f"needs {n} positive weights, got {values}")
    return torch.from_numpy(values / values.sum())
