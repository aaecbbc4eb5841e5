"""What a score model is made of where it wraps a function, and what it sums: calls under conditions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from numpy.typing import ArrayLike

from mmh.diffusion.diffusers_network import Network
from mmh.errors import InputError

Terms = Sequence[tuple[float, torch.Tensor | None]]


def weighted_sum(network: Network, z: torch.Tensor, t: float, terms: Terms) -> torch.Tensor:
    """Sum w network(z, t, c) over the terms (w, c); one row of a condition stands for all.

    Raises
    ------
    InputError
        If the network gives another shape than that of `z`.
    """
    total: torch.Tensor | None = None
    for weight, c in terms:
        rows = c.expand(len(z), *c.shape[1:]) if c is not None else None
        out = network(z, float(t), rows)
        out = out if weight == 1.0 else weight * out
        total = out if total is None else total + out
    if total is None or total.shape != z.shape:
        returned = None if total is None else tuple(total.shape)
        raise InputError(f"the network returned shape {returned} for a batch {tuple(z.shape)}")
    return total


def as_condition(
    network: Network, c: ArrayLike | torch.Tensor, *, dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """Put conditioning where the network is, and raise `InputError` unless the network takes it."""
    tensor = torch.as_tensor(c).to(device)
    if tensor.ndim == 0 or len(tensor) == 0:
        raise InputError("conditioning needs one row per sample, or one row for all")
    getattr(network, "check_condition", lambda c: None)(tensor)
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def said(terms: Terms) -> str:
    """Say what is bound: nothing, a condition, or guidance."""
    bound = [(weight, c) for weight, c in terms if c is not None]
    if not bound:
        return "unconditional"
    weight, c = bound[-1]
    rows = "one condition for all rows" if len(c) == 1 else f"{len(c)} conditions"
    return f"{rows}, guidance {weight:g}" if len(bound) > 1 else rows


def function_parts(
    function: Callable[..., torch.Tensor], dtype: torch.dtype | None, device: torch.device | str | None
) -> dict[str, Any]:
    """Give what a score model of a function is made of; `ScoreModel.from_function` says the rest."""
    module = function if isinstance(function, torch.nn.Module) else None
    first = next(module.parameters(), None) if module is not None else None
    dtype = dtype or (torch.float32 if first is None else first.dtype)
    device = device or ("cpu" if first is None else first.device)

    def build(f: Callable[..., torch.Tensor], schedule: Any = None) -> Network:
        return lambda z, t, c: f(z, t) if c is None else f(z, t, c)

    place = {"dtype": dtype, "device": device, "module": module}
    return {"network": build(function), **place, "build": build, "function": function}
