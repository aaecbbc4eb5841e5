"""What a caption does at latents that are held: noises and FLIPD as functions of the embedded caption.

The latents come from one trajectory and stay; so does the branch of the empty caption, which does not know
the caption. Each gradient is checked against finite differences in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from mmh.diffusion.score_model import ScoreModel
from mmh.sampling.guided import Grid, guided_ddim

Found = tuple[torch.Tensor, torch.Tensor | None]
Vectors = Sequence[torch.Tensor]
"""Probes, (n, *shape) each, or unit vectors: those of an exact trace."""


@dataclass(frozen=True)
class Held:
    """Latents of one step, and the empty branch there.

    Attributes
    ----------
    number : int
        Of the step, 0 for the noisiest.
    t, sigma : float
        Time and noise level.
    z : torch.Tensor
        (n, *shape).
    empty : torch.Tensor
        (n, *shape), eps_0.
    empty_trace : torch.Tensor
        (n,), trace of d eps_0 / d z; zeros where no vectors were given for it.
    """

    number: int
    t: float
    sigma: float
    z: torch.Tensor
    empty: torch.Tensor
    empty_trace: torch.Tensor


def held_states(
    model: ScoreModel,
    noise: torch.Tensor,
    c: torch.Tensor,
    null: torch.Tensor,
    *,
    grid: Grid,
    numbers: Sequence[int],
    guidance: float,
    vectors: Callable[[int], Vectors] | None = None,
    exact: bool = False,
) -> list[Held]:
    """Give the states of guided trajectories at some steps, and the empty branch there.

    It takes two network rows for each step before the last of them, one for each of them, and one more there
    for each vector.

    Parameters
    ----------
    model : ScoreModel
        Without bound conditions.
    noise, c, null, grid, guidance
        As for `mmh.sampling.guided.guided_ddim`.
    numbers : sequence of int
        Steps from 0, ascending.
    vectors : callable, optional
        Number of a step to the probes of its trace; the unit vectors where `exact`.
    exact : bool
        Whether products are summed instead of averaged.

    Returns
    -------
    list of Held
    """
    found, z, done = [], noise, 0
    for number in numbers:
        if number > done:
            z = guided_ddim(model, z, c, null, grid=grid[done:number], guidance=guidance)
            done = number
        t, along = float(grid.t[number]), [] if vectors is None else vectors(number)
        with torch.set_grad_enabled(bool(along)):
            leaf = z.detach().requires_grad_(bool(along))
            empty = model.conditioned(null).eps(leaf, t).to(leaf.dtype)
            traced = trace(empty, leaf, along, exact=exact, graph=False)
        sigma = float(1.0 - grid.abar[number]) ** 0.5
        found.append(Held(number, t, sigma, z.detach(), empty.detach(), traced.detach()))
    return found


def low_numbers(grid: Grid, until: float) -> list[int]:
    """Numbers of the steps of at most this noise level; of the last step, if no other is so low."""
    found = [number for number, t in enumerate(grid.t.tolist()) if t <= until]
    return found or [len(grid) - 1]


def difference_norm(model: ScoreModel, held: Held, c: torch.Tensor, *, gradient: bool) -> Found:
    """||eps_c - eps_0|| of each row, and its gradient in c.

    Parameters
    ----------
    model : ScoreModel
        Without bound conditions.
    held : Held
    c : torch.Tensor
        (n, L, D), embedded captions.
    gradient : bool
        Whether it is needed.

    Returns
    -------
    value : torch.Tensor
        (n,).
    gradient : torch.Tensor or None
        (n, L, D).
    """
    with torch.set_grad_enabled(gradient):
        leaf = c.detach().requires_grad_(gradient)
        caption = model.conditioned(leaf.to(model.dtype)).eps(held.z, held.t).to(held.z.dtype)
        value = (caption - held.empty).flatten(1).norm(dim=1)
    return value.detach(), torch.autograd.grad(value.sum(), leaf)[0] if gradient else None


def trace(
    field: torch.Tensor, z: torch.Tensor, vectors: Vectors, *, exact: bool, graph: bool
) -> torch.Tensor:
    """Mean over probes of v . J v, or its sum over unit vectors, J = d field / d z: one backward pass each.

    Parameters
    ----------
    field, z : torch.Tensor
        (n, *shape), the noise and the latents that it was computed from.
    vectors : sequence of torch.Tensor
        (n, *shape) each; none: 0.
    exact : bool
        Whether they are the unit vectors.
    graph : bool
        Whether the trace is to be differentiated itself.

    Returns
    -------
    torch.Tensor
        (n,).
    """
    total = torch.zeros(len(z), dtype=z.dtype, device=z.device)
    for v in vectors:
        (product,) = torch.autograd.grad(field, z, v.to(field), create_graph=graph, retain_graph=True)
        total = total + (product * v).flatten(1).sum(1)
    return total if exact else total / max(len(vectors), 1)


def guided_flipd(
    model: ScoreModel,
    held: Held,
    c: torch.Tensor,
    vectors: Vectors,
    *,
    guidance: float,
    exact: bool,
    gradient: bool,
) -> Found:
    """FLIPD of the guided noise, d - sigma tr(d eps^CFG / d z) + ||eps^CFG||^2, and its gradient in c.

    eps^CFG = (1 - lambda) eps_0 + lambda eps_c, so that the empty branch's trace is a constant. The gradient
    goes back through a backward pass in z: attention by its formula is needed.

    Parameters
    ----------
    model, held, c, gradient
        As for `difference_norm`.
    vectors : sequence of torch.Tensor
        Probes, (n, *shape) each; the d unit vectors where `exact`.
    guidance : float
        lambda.
    exact : bool
        Whether products are summed instead of averaged.

    Returns
    -------
    value, gradient
        As for `difference_norm`.
    """
    with torch.enable_grad():
        leaf = c.detach().requires_grad_(gradient)
        z = held.z.detach().requires_grad_()
        caption = model.conditioned(leaf.to(model.dtype)).eps(z, held.t).to(z.dtype)
        of_caption = trace(caption, z, vectors, exact=exact, graph=gradient)
        traced = (1 - guidance) * held.empty_trace + guidance * of_caption
        squared = ((1 - guidance) * held.empty + guidance * caption).flatten(1).square().sum(1)
        value = model.dim - held.sigma * traced + squared
        found = torch.autograd.grad(value.sum(), leaf)[0] if gradient else None
    return value.detach(), found


def unit_vectors(like: torch.Tensor) -> list[torch.Tensor]:
    """The d unit vectors, for every row: those of an exact trace."""
    dim = like[0].numel()
    eye = torch.eye(dim, dtype=like.dtype, device=like.device)
    return [row.reshape(1, *like.shape[1:]).expand_as(like) for row in eye]
