"""Embedded captions optimised towards a training image, under a mitigated sampler.

The attack is white-box: it knows network, mitigation and image. With z = psi x + sigma n a noised copy of the
image's latents, a sampler whose guided noise at z is n goes to x. So the caption's embedding c goes down by
Adam along mean ||eps^g(z, t; c) - n||^2, eps^g what the mitigated sampler makes of the two branches there.
The mitigation stays in place: what it does to an embedding it does to each that the attack tries, and the
gradient passes through that as if it were a shift (straight-through; it may be a search).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmh.compute import rng
from mmh.compute.memory import in_batches
from mmh.compute.rows import check_finite
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.sampling.guided import Grid, generation_rows
from mmh.sampling.guides import Branches, Constant, Guide
from mmh.sampling.start import Start

if TYPE_CHECKING:
    from mmh.mitigations.base import Mitigation

Arrays = dict[str, NDArray[Any]]
BACKWARD = 2  # rows of the network for each gradient of the two branches


def attack(
    model: ScoreModel,
    c: torch.Tensor,
    null: torch.Tensor,
    mitigation: Mitigation,
    target: torch.Tensor,
    *,
    budgets: Sequence[int],
    learning_rate: float,
    draws: int,
    grid: Grid,
    prompt_set: str,
    prompts: Sequence[int] | NDArray[np.int64],
    generations: int,
    guidance: float,
    seed: int,
    batch_size: int | None = None,
) -> Arrays:
    """Optimise embedded captions towards images, and keep what they are after each budget.

    What a prompt's attack draws depends on (seed, prompt_set, prompt) alone; a larger budget goes on from a
    smaller one. The noise levels of a step are common to all prompts, one from each of `draws` equal parts
    of the grid.

    Parameters
    ----------
    model : ScoreModel
        Over latents, without bound conditions.
    c : torch.Tensor
        (n, L, D), embedded prompts.
    null : torch.Tensor
        (1, L, D), the embedded empty prompt.
    mitigation : Mitigation
        What the attack has to get past. Its choice of a first noise has no part in the attack.
    target : torch.Tensor
        (n, *shape), latents of the images.
    budgets : sequence of int
        Steps, rising.
    learning_rate : float
        Of Adam.
    draws : int
        Noised copies per step.
    grid, prompt_set, prompts, guidance, seed, batch_size
        As for `mmh.mitigated.sampling.mitigated_latents`.
    generations : int
        Generations that will be sampled: the attack sees the mitigation's randomness of others.

    Returns
    -------
    dict of str to ndarray
        ``c`` (n, budgets, L, D), embedded captions in float32 or a wider type; ``attack_rows`` float64
        (n, budgets), network rows so far.

    Raises
    ------
    InputError
        If an argument does not fit, or an embedding is not finite (prompts are named).
    """
    numbers = np.asarray(prompts, dtype=np.int64)
    levels = np.flatnonzero(grid.abar > 0)
    if not len(c) == len(target) == len(numbers):
        raise InputError(
            f"needs an embedding and an image per prompt: {len(c)}, {len(target)} for {len(numbers)}"
        )
    if list(budgets) != sorted(set(budgets)) or not 1 <= draws <= len(levels):
        raise InputError(
            f"budgets must rise, and draws lie between 1 and the {len(levels)} noise levels: "
            f"{list(budgets)}, {draws}"
        )
    kind = torch.promote_types(c.dtype, torch.float32)

    def batch(score: ScoreModel, items: NDArray[np.int64], most: int | None = None) -> Arrays:
        own = torch.from_numpy(items)
        where, x = numbers[items].tolist(), target[own.to(target.device)].to(score.device)
        rows, kept, counted = np.zeros(len(items)), [], []
        with torch.inference_mode(False), torch.enable_grad():
            current = c[own.to(c.device)].to(score.device, kind).clone().requires_grad_(True)
            adam = torch.optim.Adam([current], lr=learning_rate)
            for step in range(budgets[-1] + 1):
                if step in budgets:
                    kept.append(current.detach().cpu().numpy().copy())
                    counted.append(rows.copy())
                if step == (budgets[-1] if most is None else most):
                    break
                current.grad = torch.zeros_like(current)
                for draw in range(draws):
                    generation = generations + step * draws + draw
                    start = Start(
                        score,
                        current.detach().to(null.dtype),
                        null,
                        grid=grid,
                        guidance=guidance,
                        keys=[(prompt, generation) for prompt in where],
                        prompt_set=prompt_set,
                        generations=generations,
                        seed=seed,
                    )
                    place = levels[_level(len(levels), draws, draw, seed, step)]
                    n = rng.normal(seed, f"re-elicitation:{prompt_set}", where, score.shape, step, draw)
                    loss = denoising_loss(start, mitigation, current, x, n, int(place))
                    current.grad += torch.autograd.grad(loss.sum() / draws, current)[0]  # of no weight
                    rows += start.rows + BACKWARD
                adam.step()
        return {"c": np.stack(kept, axis=1), "attack_rows": np.stack(counted, axis=1)}

    found = in_batches(
        model,
        batch,
        generation_rows(numbers, 1),
        batch_size=batch_size,
        trial=lambda size: batch(model, np.arange(size) % len(numbers), 1),
    ).arrays
    finite = np.asarray(np.isfinite(found["c"]).reshape(len(numbers), -1).all(axis=1))
    check_finite(finite, numbers, f"an attacked embedding of prompt set {prompt_set} is not finite")
    return found


def denoising_loss(
    start: Start, mitigation: Mitigation, c: torch.Tensor, x: torch.Tensor, n: torch.Tensor, place: int
) -> torch.Tensor:
    """Give ||eps^g - n||^2 / d at psi x + sigma n, (n,), differentiable in the embedded captions.

    Parameters
    ----------
    start : Start
        A row for each image, with the captions' values; its rows of the network are counted.
    mitigation : Mitigation
        Changes the embedding and what is made of both branches.
    c : torch.Tensor
        (n, L, D), the embedded captions, to differentiate in.
    x, n : torch.Tensor
        (n, *shape), latents and noises.
    place : int
        Level of the grid, with psi > 0.

    Returns
    -------
    torch.Tensor
        (n,)
    """
    grid, model = start.grid, start.model
    shift = (mitigation.condition(start) - start.c).detach()
    start.take(start.c + shift)
    made = mitigation.guide(start)
    guide = made if isinstance(made, Guide) else Constant(made)
    t, abar = float(grid.t[place]), float(grid.abar[place])
    sigma = float(np.sqrt(1 - abar))
    kind = torch.promote_types(model.dtype, torch.float32)
    n = n.to(x.device, kind)
    z = (np.sqrt(abar) * x.to(kind) + sigma * n).detach().requires_grad_(guide.wants_graph(t))
    null = start.null.expand(len(c), *start.null.shape[1:])
    both, pair = model.conditioned(torch.cat([null, c.to(null) + shift])), torch.cat([z, z])
    start.count(2)
    noises = both.eps(pair, t).to(kind)
    empty, caption = noises.chunk(2)
    index, number = int(grid.index[place]), grid.numbers[place]
    step = Branches(number, t, index, sigma, z, empty, caption, pair, noises, both)
    return (guide.combine(step) - n).flatten(1).square().mean(dim=1)


def _level(levels: int, draws: int, draw: int, seed: int, step: int) -> int:
    """A level from part `draw` of `draws` equal parts of the grid."""
    u = rng.generator(seed, "re-elicitation-level", step, draw).random()
    return int(levels * (draw + u) / draws)
