"""Arnoldi's recurrence for many rows at once, each with a Krylov basis of its own, and its Ritz values.

With A the operator of a row and Q the m orthonormal vectors of its Krylov space, T = Q^T A Q. All that is
read of sym(A) = (A + A^T)/2 are the eigenvalues of (T + T^T)/2 = Q^T sym(A) Q, the Rayleigh-Ritz values of
sym(A) on that space: no one of them lies outside of the spectrum of sym(A). Where A is symmetric this is
Lanczos' recurrence with full re-orthogonalisation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.float64]
Product = Callable[[torch.Tensor], torch.Tensor]
ROUNDINGS = 16
"""A residual of fewer roundings of the network's dtype, relative to the largest product, is none; if one
slips through, its direction is noise, and the projection of sym(A) on it is right all the same."""


class Recurrence(NamedTuple):
    """What m steps leave of each row.

    Attributes
    ----------
    projected : torch.Tensor
        float64 (n, m, m), T = Q^T A Q, zero beyond the size.
    sizes : torch.Tensor
        int64 (n,), steps until the recurrence broke down: the space is then invariant.
    first : torch.Tensor
        float64 (n, d), A applied to the starting vector as it was given.
    """

    projected: torch.Tensor
    sizes: torch.Tensor
    first: torch.Tensor


def arnoldi(product: Product, start: torch.Tensor, steps: int, *, rounding: float) -> Recurrence:
    """Run Arnoldi's recurrence with full re-orthogonalisation, each row from its own start.

    A breakdown ends the recurrence of its row: the others go on, and the row's further vectors are zero.

    Parameters
    ----------
    product : callable
        v (n, d) to A v (n, d), float64, row by row. It is given vectors as long as `start`, so that a network
        of half precision is asked for numbers of the size of a probe's.
    start : torch.Tensor
        float64 (n, d), not zero.
    steps : int
        m, at most d.
    rounding : float
        Relative rounding error of a product: ``torch.finfo(dtype).eps`` of the network.

    Returns
    -------
    Recurrence
        After m products at most.
    """
    n, d = start.shape
    lengths = start.norm(dim=1, keepdim=True)
    basis, projected = start.new_zeros(n, steps, d), start.new_zeros(n, steps, steps)
    basis[:, 0] = start / lengths
    alive = torch.ones(n, dtype=torch.bool, device=start.device)
    sizes, largest = alive.long(), start.new_zeros(n)
    first = start
    for j in range(steps):
        taken = product(start if j == 0 else basis[:, j] * lengths)
        first = taken if j == 0 else first
        w = taken / lengths
        largest = torch.maximum(largest, w.norm(dim=1))
        known = basis[:, : j + 1]
        for _ in range(2):  # twice is enough: what one pass leaves of rounding, the second takes
            parts = torch.einsum("njd,nd->nj", known, w)
            w = w - torch.einsum("njd,nj->nd", known, parts)
            projected[:, : j + 1, j] += parts
        if j + 1 == steps:
            break
        below = w.norm(dim=1)
        alive = alive & (below > ROUNDINGS * rounding * largest)
        if not alive.any():
            break
        projected[:, j + 1, j] = torch.where(alive, below, 0.0)
        basis[:, j + 1] = torch.where(alive[:, None], w / below.clamp_min(1e-300)[:, None], 0.0)
        sizes = sizes + alive
    return Recurrence(projected, sizes, first)


class Ritz(NamedTuple):
    """Nodes and weights of the quadrature of each row.

    Attributes
    ----------
    nodes : numpy.ndarray
        float64 (n, m), ascending Ritz values; those beyond a breakdown repeat the smallest.
    weights : numpy.ndarray
        float64 (n, m), squared first components of the eigenvectors, which sum to 1; 0 beyond a breakdown.
    """

    nodes: Array
    weights: Array


def symmetric_ritz(found: Recurrence) -> Ritz:
    """Give nodes and weights for sym(A): q^T f(sym(A)) q is about sum_k w_k f(theta_k), q the unit start.

    Not finite where the products were not.
    """
    return _by_size(found, _of_symmetric)


def plain_ritz(found: Recurrence) -> Ritz:
    """Give the real parts of the eigenvalues of T itself, as plain Arnoldi does, and their weights.

    The paper's way (Jeon et al., 2025). Where A is not symmetric they need not lie within the spectrum of
    sym(A), and weights may be negative.
    """
    return _by_size(found, _of_general)


def _by_size(found: Recurrence, solve: Callable[[Array], tuple[Array, Array]]) -> Ritz:
    matrices, sizes = found.projected.cpu().numpy(), found.sizes.cpu().numpy()
    n, m = matrices.shape[:2]
    nodes, weights = np.full((n, m), np.nan), np.full((n, m), np.nan)
    finite = np.isfinite(matrices).all(axis=(1, 2))
    for size in np.unique(sizes[finite]):
        rows = np.flatnonzero(finite & (sizes == size))
        values, squares = solve(matrices[rows][:, :size, :size])
        nodes[rows, :size], weights[rows, :size] = values, squares
        nodes[rows, size:], weights[rows, size:] = values[:, :1], 0.0
    return Ritz(nodes, weights)


def _of_symmetric(matrices: Array) -> tuple[Array, Array]:
    values, vectors = np.linalg.eigh((matrices + matrices.transpose(0, 2, 1)) / 2)
    return values, vectors[:, 0, :] ** 2


def _of_general(matrices: Array) -> tuple[Array, Array]:
    values, vectors = np.linalg.eig(matrices)
    weights = (vectors[:, 0, :] * np.linalg.inv(vectors)[:, :, 0]).real
    order = np.argsort(values.real, axis=1)
    return np.take_along_axis(values.real, order, 1), np.take_along_axis(weights, order, 1)
