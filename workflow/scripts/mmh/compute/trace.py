"""Traces of a noise predictor's Jacobian, row by row, by vector products in reverse or forward mode."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmh.compute.attention import forward_mode, full_float32
from mmh.compute.complement import Complement, hutch_plus_plus, xtrace
from mmh.compute.probes import Probes
from mmh.compute.rows import fast_layout

if TYPE_CHECKING:
    from mmh.diffusion.score_model import ScoreModel

COMPLEMENT = ("hutch++-complement", "hutch++-diagonal", "xtrace-complement")
"""Laws of probes that take the trace of I - sigma J."""


class JacobianProducts(ABC):
    """Products with each row's Jacobian J = d eps / d z, or with its transpose: their traces are the same.

    Parameters
    ----------
    model : ScoreModel
        With conditioning rows for the rows of `z`.
    z : torch.Tensor
        (rows, *shape), in the model's dtype.
    t : float
        Noise time.
    """

    eps: torch.Tensor

    def __init__(self, model: ScoreModel, z: torch.Tensor, t: float) -> None:
        self.model, self.z, self.t = model, z, t

    @abstractmethod
    def product(self, v: torch.Tensor, *, last: bool) -> torch.Tensor:
        """J v or J^T v for v (rows, d) in float64; float64. After the `last` one `eps` alone is left."""

    def quadratic(self, v: torch.Tensor, *, last: bool) -> torch.Tensor:
        """v^T J v, (rows,) float64, with v rounded to the network's dtype on both sides."""
        v = v.to(self.z.dtype).double()
        return (v * self.product(v, last=last)).sum(1)

    def squared_norm(self) -> torch.Tensor:
        """||eps||^2, (rows,) float64, after the products."""
        return self.eps.detach().double().flatten(1).square().sum(1)


class GraphProducts(JacobianProducts):
    """J^T v on a graph that is there.

    Parameters
    ----------
    model, z, t
        As for `JacobianProducts`; `z` is the leaf of the graph.
    eps : torch.Tensor
        (rows, *shape), the noise that was computed from `z`.
    keep : bool
        Leave the graph to others, after the last product too.
    """

    def __init__(
        self, model: ScoreModel, z: torch.Tensor, t: float, eps: torch.Tensor, *, keep: bool = False
    ) -> None:
        super().__init__(model, z, t)
        self.eps, self.keep = eps, keep

    def product(self, v: torch.Tensor, *, last: bool) -> torch.Tensor:
        """J^T v; the graph is freed after the last one, unless it is to be kept."""
        direction = torch.empty_like(self.eps).copy_(v.reshape(self.eps.shape))  # in the layout of eps
        (product,) = torch.autograd.grad(self.eps, self.z, direction, retain_graph=self.keep or not last)
        return product.double().flatten(1)


class ReverseProducts(GraphProducts):
    """J^T v on the graph of one forward pass."""

    def __init__(self, model: ScoreModel, z: torch.Tensor, t: float) -> None:
        super().__init__(model, z.requires_grad_(True), t, model.eps(z, t))


class ForwardProducts(JacobianProducts):
    """J v by one dual-number pass each: no graph is stored, so memory is that of a plain forward pass."""

    def product(self, v: torch.Tensor, *, last: bool) -> torch.Tensor:
        """J v; `eps` comes with it."""
        direction = v.reshape(self.z.shape).to(self.z)
        with forward_mode(self.model.module), torch.no_grad():
            function = partial(self.model.eps, t=self.t)
            self.eps, product = torch.func.jvp(function, (self.z,), (direction,))[:2]
        return product.double().flatten(1)


def noise_traces(
    model: ScoreModel,
    x: torch.Tensor,
    ids: NDArray[np.int64],
    t: float,
    *,
    probes: int | None,
    probe: str,
    seed: int,
    mode: str,
) -> dict[str, NDArray[np.float64]]:
    """Traces and norms of the noises at z = psi(t) x, of one batch.

    Parameters
    ----------
    model : ScoreModel
        With conditioning rows for the rows of `x`.
    x : torch.Tensor
        float64 (n, *shape), clean samples on the CPU.
    ids : numpy.ndarray
        int64 (n,), keys of the probes.
    t : float
        Noise time.
    probes, probe, seed, mode
        As for `mmh.lid.flipd.flipd_estimate`.

    Returns
    -------
    dict of str to ndarray
        float64 (n,): `trace`, sigma tr(d eps / d z); `squared_norm`, ||eps||^2; `variance`, squared standard
        error of the trace (0 where there is none). Not finite where half precision overflowed.
    """
    psi, sigma = model.schedule.psi(float(t)), model.schedule.sigma(float(t))
    # inference_mode(False) lets a caller's inference mode stand without losing the graph here.
    with torch.inference_mode(False), torch.enable_grad(), full_float32(), _keeping_buffers():
        z = fast_layout((psi * x).to(device=model.device, dtype=model.dtype), model.module)
        operator = (ReverseProducts if mode == "reverse" else ForwardProducts)(model, z, t)
        if probes is None:
            values = sigma * exact_draws(operator, model.dim).detach().cpu().numpy()
        else:
            vectors = Probes(probes, probe, seed, ids, model.dim)
            if probe in COMPLEMENT:
                found = _complement_draws(operator, vectors, probes, probe, sigma)
                values = model.dim - found.detach().cpu().numpy()
            else:
                take = hutch_plus_plus_draws if probe == "hutch++" else hutchinson_draws
                values = sigma * take(operator, vectors, probes).detach().cpu().numpy()
        norms = operator.squared_norm().cpu().numpy()
    with np.errstate(invalid="ignore", over="ignore"):
        if probes is None:
            return {"trace": values.sum(0), "squared_norm": norms, "variance": np.zeros(len(x))}
        count = len(values)
        mean = values.sum(0) / count
        variance = ((values - mean) ** 2).sum(0) / (count * max(count - 1, 1))
    if probe == "orthogonal":
        # Drawn without replacement: with d of them the trace is exact.
        variance *= 1.0 - probes / model.dim
    return {"trace": mean, "squared_norm": norms, "variance": variance}


def exact_draws(operator: JacobianProducts, dim: int) -> torch.Tensor:
    """Diagonal of J, (d, rows) float64, by unit vectors."""
    draws = []
    for j in range(dim):
        unit = torch.zeros((len(operator.z), dim), dtype=torch.float64, device=operator.z.device)
        unit[:, j] = 1.0
        draws.append(operator.product(unit, last=j == dim - 1)[:, j])
    return torch.stack(draws)


def hutchinson_draws(operator: JacobianProducts, vectors: Probes, probes: int) -> torch.Tensor:
    """v_j^T J v_j, (probes, rows) float64; each is an unbiased estimate of tr J."""
    draws = [operator.quadratic(_take(vectors, operator), last=j == probes - 1) for j in range(probes)]
    return torch.stack(draws)


def hutch_plus_plus_draws(operator: JacobianProducts, vectors: Probes, probes: int) -> torch.Tensor:
    """Hutch++ (Meyer et al., 2021): tr J = tr Q^T J Q + tr (1 - Q Q^T) J (1 - Q Q^T), the last by probes.

    A third of the products finds Q, an orthonormal basis of J (or J^T) applied to random vectors; a third
    takes the trace on it exactly, and the rest are Hutchinson probes of what is left.

    Returns
    -------
    torch.Tensor
        float64 (probes - 2 (probes // 3), rows): estimates of tr J that share the exact part.
    """
    rank = probes // 3
    left = probes - 2 * rank
    sketch = [operator.product(_take(vectors, operator), last=False) for _ in range(rank)]
    basis = torch.linalg.qr(torch.stack(sketch, dim=2))[0]
    columns = basis.unbind(2)
    found = torch.stack([(q * operator.product(q, last=False)).sum(1) for q in columns]).sum(0)
    draws = []
    for j in range(left):
        v = _take(vectors, operator)
        v = v - (basis @ (basis.transpose(1, 2) @ v[:, :, None]))[:, :, 0]
        draws.append(found + operator.quadratic(v, last=j == left - 1))
    return torch.stack(draws)


def _complement_draws(
    operator: JacobianProducts, vectors: Probes, probes: int, probe: str, sigma: float
) -> torch.Tensor:
    """Estimates of tr(I - sigma J), (draws, rows) float64, by one of the laws of `COMPLEMENT`."""
    complement, take = Complement(operator, sigma), partial(_take, vectors, operator)
    if probe == "xtrace-complement":
        return xtrace(complement, take, probes)
    return hutch_plus_plus(complement, take, probes, diagonal=probe == "hutch++-diagonal")


def _take(vectors: Probes, operator: JacobianProducts) -> torch.Tensor:
    return torch.from_numpy(vectors.next()).to(operator.z.device).double()


def _keeping_buffers() -> AbstractContextManager[Any]:
    """Let compiled code run backward on one graph several times: by default it reuses the graph's memory."""
    import torch._functorch.config as config

    return config.patch(donated_buffer=False) if hasattr(config, "donated_buffer") else nullcontext()
