"""Products with the Jacobian of a noise and with its transpose, row by row, in float64 at the ends.

J^T v is one backward pass over a graph that is there. J v has none: it is a dual-number pass, or a central
difference of two plain calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from mmh.compute.attention import forward_mode
from mmh.errors import InputError

Product = Callable[[torch.Tensor], torch.Tensor]
Noise = Callable[[torch.Tensor], torch.Tensor]
STEP = 0.03
"""Length of the displacement of a central difference, in the units of z."""


def transpose_product(eps: torch.Tensor, z: torch.Tensor, *, fold: Product | None = None) -> Product:
    """Give v to J^T v on a graph that stays as it is.

    Parameters
    ----------
    eps : torch.Tensor
        (n, *shape), computed from `z`.
    z : torch.Tensor
        (m, *shape), a leaf or any tensor of the graph.
    fold : callable, optional
        Makes the (n, d) direction of eps from v; v itself by default.

    Returns
    -------
    callable
        float64 (m, d) from float64 (m, d).

    Raises
    ------
    InputError
        If `eps` has no graph: a compiled or quantized network, or one that detaches its output.
    """
    if not eps.requires_grad:
        raise InputError(
            "this network's noise has no derivative with respect to its input (is it compiled, quantized or "
            "run without a graph?); load it in float32, float16 or bfloat16 as it is"
        )

    def product(v: torch.Tensor) -> torch.Tensor:
        along = v if fold is None else fold(v)
        direction = torch.empty_like(eps).copy_(along.reshape(eps.shape))  # in the layout of eps
        with derivative("reverse-mode"):
            (taken,) = torch.autograd.grad(eps, z, direction, retain_graph=True)
        return taken.double().flatten(1)

    return product


def dual_product(noise: Noise, z: torch.Tensor, module: torch.nn.Module | None) -> Product:
    """Give v to J v by one dual-number pass each, with attention by its formula.

    Parameters
    ----------
    noise : callable
        (n, *shape) to (n, *shape).
    z : torch.Tensor
        (n, *shape).
    module : torch.nn.Module or None
        Behind `noise`.

    Returns
    -------
    callable
        float64 (n, d) from float64 (n, d).
    """

    def product(v: torch.Tensor) -> torch.Tensor:
        direction = v.reshape(z.shape).to(z)
        with forward_mode(module), torch.no_grad(), derivative("forward-mode"):
            taken: torch.Tensor = torch.func.jvp(noise, (z.detach(),), (direction,))[1]
        return taken.double().flatten(1)

    return product


def difference_product(noise: Noise, z: torch.Tensor, *, step: float = STEP) -> Product:
    """Give v to J v by a central difference along v, displaced by `step` in Euclidean norm.

    ||v|| (eps(z + h u) - eps(z - h u)) / (2 h) with u = v / ||v||; its error is h^2 times a third derivative,
    and rounding over h.

    Parameters
    ----------
    noise, z
        As for `dual_product`.
    step : float
        h.

    Returns
    -------
    callable
        float64 (n, d) from float64 (n, d).

    Raises
    ------
    InputError
        If `z` is in half precision, whose rounding exceeds the difference.
    """
    if z.dtype.itemsize < 4:
        raise InputError(
            f"a difference of {str(z.dtype).removeprefix('torch.')} noises is rounding alone; use a "
            "dual-number product (jvp), or load the network in float32"
        )

    def product(v: torch.Tensor) -> torch.Tensor:
        length = v.norm(dim=1, keepdim=True)
        move = (step * v / length.clamp_min(1e-300)).reshape(z.shape)
        with torch.no_grad():
            ahead, behind = (noise((z.detach().double() + sign * move).to(z)).double() for sign in (1, -1))
        return (ahead - behind).flatten(1) * (length / (2 * step))

    return product


def dense_jacobian(transpose: Product, n: int, dim: int, device: torch.device) -> torch.Tensor:
    """Jacobians of n rows, float64 (n, d, d), row by row of J by unit vectors."""
    rows = []
    for j in range(dim):
        unit = torch.zeros((n, dim), dtype=torch.float64, device=device)
        unit[:, j] = 1.0
        rows.append(transpose(unit))
    return torch.stack(rows, dim=1)


def check_differentiable(module: Any) -> None:
    """Refuse a network that is known to give no derivative, before anything is computed.

    Parameters
    ----------
    module : torch.nn.Module or None
        The network.

    Raises
    ------
    InputError
        If it is compiled, or its weights are quantized.
    """
    if module is None:
        return
    if hasattr(module, "_orig_mod") or isinstance(module, torch.jit.ScriptModule):
        raise InputError("this network is compiled, so its derivatives are not; load it uncompiled")
    weights = {p.dtype for p in module.parameters() if not p.dtype.is_floating_point}
    if weights or any(type(m).__module__.startswith("torch.ao.nn.quantized") for m in module.modules()):
        found = (
            ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in weights)) or "quantized layers"
        )
        raise InputError(
            f"this network is quantized ({found}), so its derivatives are not those of the model; load it in "
            "float32, float16 or bfloat16"
        )


@contextmanager
def derivative(mode: str) -> Iterator[None]:
    """Turn what PyTorch says of a kernel without a derivative into one line."""
    try:
        yield
    except (NotImplementedError, RuntimeError) as error:
        text = " ".join(str(error).split())
        known = ("derivative", "forward AD", "forward-mode", "not implemented", "does not require grad")
        if isinstance(error, torch.OutOfMemoryError) or not any(word in text for word in known):
            raise
        raise InputError(
            f"a kernel of this network has no {mode} derivative ({text[:120]}); use its default attention, "
            "or another way to take the product"
        ) from error
