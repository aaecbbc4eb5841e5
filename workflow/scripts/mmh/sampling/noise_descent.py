"""Descent on an initial noise, or on an embedded prompt: Adam, row by row, until it is low enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from mmh.sampling.sharpness import norms, spread

Objective = Callable[..., tuple[torch.Tensor, torch.Tensor | None]]
"""``objective(z, active, gradient=...)``: sharpness (n,), and the gradient of it or of its square."""
_BETAS, _EPS = (0.9, 0.999), 1e-8  # Adam's usual ones


@dataclass(frozen=True)
class Descended:
    """Where a descent ended.

    Attributes
    ----------
    z : torch.Tensor
        (n, *shape).
    loss : torch.Tensor
        (n,), sharpness + alpha ||z|| there, the scale on which it stops; infinite where a row was idle.
    accepted : torch.Tensor
        bool (n,), whether that is at most the threshold.
    """

    z: torch.Tensor
    loss: torch.Tensor
    accepted: torch.Tensor


def descend(
    objective: Objective,
    z: torch.Tensor,
    active: torch.Tensor,
    *,
    alpha: float,
    threshold: float | None,
    squared: bool,
    steps: int,
    learning_rate: float,
    keep_norm: bool = False,
    watch: Callable[[int, torch.Tensor, torch.Tensor], None] | None = None,
) -> Descended:
    """Minimise sharpness + alpha ||z||, or sharpness^2 + alpha ||z||^2, from given noises.

    A row stops where sharpness + alpha ||z|| is at most the threshold, before the step that would follow;
    whether it stops says nothing of the other rows, and they do not move it.

    Parameters
    ----------
    objective : callable
        Called with the noises, the rows that are not finished, and whether the gradient is needed: of the
        sharpness, or of its square if `squared`.
    z : torch.Tensor
        (n, *shape).
    active : torch.Tensor
        bool (n,), rows to work on; the others stay.
    alpha : float
        Weight of the Gaussian term.
    threshold : float or None
        None: all steps are taken.
    squared : bool
        Which of the two is minimised.
    steps : int
        Adam steps at most.
    learning_rate : float
        Of Adam.
    keep_norm : bool
        Put each row back to its first length after each step.
    watch : callable, optional
        Called with the number of steps taken, where the rows are after them, and the loss there, up to the
        last step or until no row goes on.

    Returns
    -------
    Descended
    """
    z, running = z.detach().clone(), active.clone()
    length = norms(z)
    first, second = torch.zeros_like(z), torch.zeros_like(z)
    loss = torch.full_like(length, float("inf"))
    accepted = torch.zeros_like(active)
    for step in range(steps + 1):
        last = step == steps
        sharpness, gradient = objective(z, running, gradient=not last)
        loss = torch.where(running, sharpness + alpha * norms(z), loss)
        if watch is not None:
            watch(step, z, loss)
        if threshold is not None:
            accepted = accepted | (running & (loss <= threshold))
        running = running & ~accepted
        if last or gradient is None or not bool(running.any()):
            break
        gradient = gradient + alpha * (2 * z if squared else z / spread(norms(z), z))
        first = _BETAS[0] * first + (1 - _BETAS[0]) * gradient
        second = _BETAS[1] * second + (1 - _BETAS[1]) * gradient.square()
        mean, spread_of = first / (1 - _BETAS[0] ** (step + 1)), second / (1 - _BETAS[1] ** (step + 1))
        moved = z - learning_rate * mean / (spread_of.sqrt() + _EPS)
        if keep_norm:
            moved = moved * spread(length / norms(moved), z)
        z = torch.where(spread(running, z), moved, z)
    return Descended(z, loss, accepted if threshold is not None else active.clone())
