"""FLIPD: local intrinsic dimension from the divergence of a diffusion model's score.

FLIPD(x, t) = d + sigma^2 (tr grad s(psi x, t) + ||s(psi x, t)||^2)
            = d - sigma tr(d eps / d z) + ||eps||^2   at z = psi(t) x,

with no noise added to x and no division by sigma.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmh import rng
from mmh.errors import InputError
from mmh.lid._rows import check_finite, check_items, fixed_batches

if TYPE_CHECKING:
    import torch

    from mmh.diffusion import ScoreModel

Array = NDArray[np.float64]
Probe = Literal["gaussian", "rademacher", "orthogonal"]
PROBES = ("gaussian", "rademacher", "orthogonal")
BATCH_SIZE = 64


@dataclass(frozen=True)
class FlipdEstimate:
    """FLIPD and its parts, in units of dimensions.

    Attributes
    ----------
    value : numpy.ndarray
        float64 (n,), d - trace + squared_norm; never clipped: it may be negative or above d.
    stderr : numpy.ndarray or None
        float64 (n,), standard error of `trace` over the probes; None for one probe or an exact trace.
    trace : numpy.ndarray
        float64 (n,), sigma tr(d eps / d z).
    squared_norm : numpy.ndarray
        float64 (n,), ||eps||^2.
    probes : int or None
        Number of probes, None for an exact trace.
    """

    value: Array
    stderr: Array | None
    trace: Array
    squared_norm: Array
    probes: int | None


def flipd(
    model: ScoreModel,
    x: ArrayLike | torch.Tensor,
    t: float,
    *,
    probes: int | None = 1,
    probe: Probe = "gaussian",
    seed: int = 0,
    ids: ArrayLike | None = None,
    batch_size: int = BATCH_SIZE,
) -> Array:
    """Estimate LID at clean samples by FLIPD; `flipd_estimate` gives the standard error too.

    Parameters
    ----------
    model, x, t, probes, probe, seed, ids, batch_size
        As for `flipd_estimate`.

    Returns
    -------
    numpy.ndarray
        float64 (n,), in dimensions; small means memorized; never clipped.

    Raises
    ------
    InputError
        As `flipd_estimate` does.
    """
    estimate = flipd_estimate(
        model, x, t, probes=probes, probe=probe, seed=seed, ids=ids, batch_size=batch_size
    )
    return estimate.value


def flipd_estimate(
    model: ScoreModel,
    x: ArrayLike | torch.Tensor,
    t: float,
    *,
    probes: int | None = 1,
    probe: Probe = "gaussian",
    seed: int = 0,
    ids: ArrayLike | None = None,
    batch_size: int = BATCH_SIZE,
) -> FlipdEstimate:
    """Estimate FLIPD(x, t) = d - sigma tr(d eps / d z) + ||eps||^2 at z = psi(t) x.

    The trace is taken in reverse mode: one forward pass, then one vector-Jacobian product per probe on its
    graph. A value depends on (seed, id) and not on the other samples: probes are keyed by (seed, id, probe
    index), every batch has `batch_size` rows, and id i is computed in row ``i % batch_size``. With the same
    batch size, device and number of threads it repeats bit by bit however the samples are cut or ordered;
    contiguous ids cut at multiples of `batch_size` waste no row.

    Parameters
    ----------
    model : ScoreModel
        With conditioning rows, if any, in the order of `x`.
    x : array_like or torch.Tensor
        Clean samples (n, *shape) on the model's scale, floating point.
    t : float
        Noise time t0 in (0, 1].
    probes : int or None
        Number of Hutchinson probes; None for the exact trace by d unit probes.
    probe : {"gaussian", "rademacher", "orthogonal"}
        Law of the probes; orthogonal ones are sqrt(d) times orthonormal, at most d of them.
    seed : int
        Root seed of the probes.
    ids : array_like of int, optional
        Ids of the samples, (n,); 0..n-1 by default.
    batch_size : int
        Rows of a batch; part of what the last bits depend on.

    Returns
    -------
    FlipdEstimate
        Values, standard errors and parts.

    Raises
    ------
    InputError
        If an argument is out of range, or a result is not finite (the message names the ids).
    """
    import torch

    samples, numbers = check_items(model, x, ids)
    _check_probes(probes, probe, model.dim)
    psi, sigma = model.schedule.psi(float(t)), model.schedule.sigma(float(t))
    n, count = len(samples), model.dim if probes is None else int(probes)
    norms, total, squares = np.zeros(n), np.zeros(n), np.zeros(n)
    for rows, places in fixed_batches(numbers, batch_size):
        # inference_mode(False) lets a caller's inference mode stand without losing the graph here.
        with torch.inference_mode(False), torch.enable_grad():
            z = (psi * samples[rows]).to(device=model.device, dtype=model.dtype).requires_grad_(True)
            eps = model.select(rows).eps(z, t)
            norm = eps.detach().double().flatten(1).square().sum(1)
            draws = torch.empty((count, len(rows)), dtype=torch.float64, device=model.device)
            vectors = _Probes(probes, probe, seed, numbers[rows], model.dim)
            for j in range(count):
                draws[j] = _quadratic(eps, z, vectors, j, last=j == count - 1)
        kept = rows[places]
        norms[kept] = norm[places].cpu().numpy()
        values = sigma * draws[:, places].cpu().numpy()
        total[kept] = values.sum(0) if probes is None else values.mean(0)
        squares[kept] = ((values - values.mean(0)) ** 2).sum(0)
    value = model.dim - total + norms
    check_finite(np.isfinite(value), numbers, f"FLIPD at t={t} is not finite")
    stderr = None
    if probes is not None and probes > 1:
        # Orthogonal probes are drawn without replacement: with d of them the trace is exact.
        left = 1.0 - probes / model.dim if probe == "orthogonal" else 1.0
        stderr = np.sqrt(left * squares / (probes * (probes - 1)))
    return FlipdEstimate(value, stderr, total, norms, probes)


def _check_probes(probes: int | None, probe: str, dim: int) -> None:
    if probe not in PROBES:
        raise InputError(f"probe must be one of {', '.join(PROBES)}, got {probe!r}")
    if probes is not None and probes < 1:
        raise InputError(f"probes must be at least 1, or None for the exact trace, got {probes}")
    if probe == "orthogonal" and probes is not None and probes > dim:
        raise InputError(f"at most d={dim} orthogonal probes exist, got {probes}; use probes=None")


def _quadratic(eps: torch.Tensor, z: torch.Tensor, vectors: _Probes, j: int, *, last: bool) -> torch.Tensor:
    """v^T (d eps / d z)^T v of the j-th probe, per row, summed in float64."""
    import torch

    if vectors.exact:
        direction = torch.zeros_like(eps)
        direction.flatten(1)[:, j] = 1.0
    else:
        direction = torch.from_numpy(vectors.next()).reshape(eps.shape).to(eps)
    (product,) = torch.autograd.grad(eps, z, direction, retain_graph=not last)
    if vectors.exact:
        return product.flatten(1)[:, j].double()
    return (product.double() * direction.double()).flatten(1).sum(1)


class _Probes:
    """Probe vectors of one batch: the j-th call of `next` gives probe j of each id, (rows, d)."""

    def __init__(self, probes: int | None, probe: str, seed: int, ids: NDArray[np.int64], dim: int) -> None:
        self.exact = probes is None
        self._probe, self._dim, self._j = probe, dim, 0
        # One stream per id, read one probe after another: probe j is the same however many follow it.
        self._streams = [] if self.exact else [rng.generator(seed, f"flipd-{probe}", int(i)) for i in ids]
        self._frames: list[Array] = []
        if probe == "orthogonal" and probes is not None:
            self._frames = [_orthogonal(stream, dim, probes) for stream in self._streams]

    def next(self) -> NDArray[np.float32] | Array:
        self._j += 1
        if self._probe == "orthogonal":
            return np.stack([frame[self._j - 1] for frame in self._frames])
        if self._probe == "rademacher":
            signs = [stream.integers(0, 2, self._dim, dtype=np.int8) for stream in self._streams]
            return 2.0 * np.stack(signs).astype(np.float32) - 1.0
        return np.stack([stream.standard_normal(self._dim, dtype=np.float32) for stream in self._streams])


def _orthogonal(stream: np.random.Generator, dim: int, probes: int) -> Array:
    """Uniformly distributed (probes, d) with orthogonal rows of norm sqrt(d)."""
    q, r = np.linalg.qr(stream.standard_normal((probes, dim)).T)
    # LAPACK fixes the signs of R by its own convention; undoing that makes the frame uniform.
    return np.sqrt(dim) * (q * np.sign(np.diag(r))).T
