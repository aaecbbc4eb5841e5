"""How sharp the guidance is at a noise, with its gradient: what SAIL minimises.

Write s for the difference of the two scores, s_c - s_0, as a function of the latents, J for its Jacobian, and
u = s / ||s||. Of each row, three quantities:

    ahead      ||s(z + delta d)||, d fixed                     the level a step ahead (the authors' code)
    finite     ||s(z + delta u) - s(z)||                       a difference (the paper's formula)
    exact      ||J s||                                         what both stand for

Rows are independent of each other, so one backward pass gives all of their gradients.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

Field = Callable[[torch.Tensor], torch.Tensor]
"""Latents (n, *shape) to the difference of the scores, (n, *shape), row by row."""
Found = tuple[torch.Tensor, torch.Tensor | None]


def norms(x: torch.Tensor) -> torch.Tensor:
    """Length of each row, (n,)."""
    return x.flatten(1).norm(dim=1)


def unit(x: torch.Tensor) -> torch.Tensor:
    """Each row divided by its length; a row of zeros stays."""
    return x / spread(norms(x).clamp_min(torch.finfo(x.dtype).tiny), x)


def spread(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Values (n,) as (n, 1, ..., 1), to be combined with rows."""
    return values.reshape(-1, *[1] * (like.ndim - 1))


def ahead(field: Field, z: torch.Tensor, direction: torch.Tensor, *, gradient: bool = True) -> Found:
    """||s(z + direction)|| and its gradient.

    Parameters
    ----------
    field : callable
        s; of the authors' code minus the difference of the noises, which has the same length.
    z : torch.Tensor
        (n, *shape).
    direction : torch.Tensor
        (n, *shape), held constant.
    gradient : bool
        Whether it is needed.

    Returns
    -------
    value : torch.Tensor
        (n,).
    gradient : torch.Tensor or None
        (n, *shape), of the value itself (`finite`, `exact`: of its square).
    """
    with torch.set_grad_enabled(gradient):
        z = z.detach().requires_grad_(gradient)
        value = norms(field(z + direction))
    return value.detach(), _gradient(value, z) if gradient else None


def finite(field: Field, z: torch.Tensor, delta: float, *, gradient: bool = True) -> Found:
    """||s(z + delta u) - s(z)||, u = s(z) / ||s(z)||, and the gradient of its square.

    The direction u depends on z, and the gradient counts that.

    Parameters
    ----------
    field, z, gradient
        As for `ahead`.
    delta : float
        Length of the step.

    Returns
    -------
    value, gradient
        As for `ahead`; divided by `delta` the value tends to ||J u||.
    """
    with torch.set_grad_enabled(gradient):
        z = z.detach().requires_grad_(gradient)
        here = field(z)
        change = field(z + delta * unit(here)) - here
        squared = change.flatten(1).square().sum(1)
    return squared.detach().sqrt(), _gradient(squared, z) if gradient else None


def exact(field: Field, z: torch.Tensor, *, gradient: bool = True) -> Found:
    """||J s|| at z, and the gradient of its square.

    With h = J s held constant, grad ||J s||^2 = 2 grad (h . J s), and h . J s = s . grad (h . s), where both
    factors depend on z. So h comes from forward mode, and the rest from two backward passes; backward through
    a forward-mode product gives wrong numbers behind torch's own layer norm.

    Parameters
    ----------
    field, z, gradient
        As for `ahead`; where the field is a network, inside of `mmh.compute.attention.forward_mode`.

    Returns
    -------
    value, gradient
        As for `ahead`.
    """
    leaf = z.detach().requires_grad_(gradient)
    with torch.set_grad_enabled(gradient):
        here = field(leaf)
    with torch.no_grad():
        push = torch.func.jvp(field, (z.detach(),), (here.detach(),))[1].detach()
    if not gradient:
        return norms(push), None
    with torch.enable_grad():
        (pulled,) = torch.autograd.grad(here, leaf, push, create_graph=True)
        product = (pulled * here).flatten(1).sum(1)
    return norms(push), 2 * _gradient(product, leaf)


def _gradient(values: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """Gradient of each row's value with respect to its own row."""
    return torch.autograd.grad(values.sum(), z)[0]
