"""Deterministic DDIM with classifier-free guidance, and an observer that sees every step.

With abar' the level that a step goes to, z' = psi' x + sigma' eps where x = (z - sigma eps) / psi and eps =
eps_0 + lambda (eps_c - eps_0). One call of the network per step predicts both noises, rows [empty, caption].
Where psi = 0 (zero terminal SNR) the state is the noise whatever the caption, eps_0 = eps_c = z, and x comes
straight from a network that predicts v or x.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from mmh.compute import rng
from mmh.compute.rows import fast_layout
from mmh.diffusion.ddim import ddim_scheduler
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.sampling.guides import Branches, Constant, Guide


@dataclass(frozen=True)
class Grid:
    """Noise levels of a sampler, from noise to image.

    Attributes
    ----------
    t : numpy.ndarray
        float64 (steps,), times in (0, 1] that the model's schedule maps to `index`.
    index : numpy.ndarray
        int64 (steps,), steps of the model's own table.
    abar, following : numpy.ndarray
        float64 (steps,), psi^2 at each level and at the one that the step goes to.
    first : int
        Number of the first step, of a part of a grid.
    """

    t: NDArray[np.float64]
    index: NDArray[np.int64]
    abar: NDArray[np.float64]
    following: NDArray[np.float64]
    first: int = 0

    def __len__(self) -> int:
        return len(self.t)

    def __getitem__(self, steps: slice) -> Grid:
        first = self.first + steps.indices(len(self))[0]
        return Grid(self.t[steps], self.index[steps], self.abar[steps], self.following[steps], first)

    @property
    def numbers(self) -> list[int]:
        """Number of each step, 0 for the noisiest of the whole grid."""
        return list(range(self.first, self.first + len(self)))


@dataclass(frozen=True)
class Step:
    """What an observer sees of one step, before the latents move on.

    Attributes
    ----------
    number : int
        0 for the noisiest level.
    t, index, sigma
        Time, step of the model's table, noise level.
    z : torch.Tensor
        (n, *shape), latents at this level; the leaf of the graph where the observer wants one.
    empty, caption : torch.Tensor
        eps_0 and eps_c, in the dtype of the latents.
    guided : torch.Tensor
        eps_0 + lambda (eps_c - eps_0), or what the guide made of both.
    pair, noises : torch.Tensor
        (2 n, *shape), the latents twice, as the network was given them, and [eps_0, eps_c] of them: between
        these two the branches can be differentiated apart by one backward pass.
    both : ScoreModel
        The network with the conditions of those 2 n rows.
    """

    number: int
    t: float
    index: int
    sigma: float
    z: torch.Tensor
    empty: torch.Tensor
    caption: torch.Tensor
    guided: torch.Tensor
    pair: torch.Tensor
    noises: torch.Tensor
    both: ScoreModel


class Observer(Protocol):
    """Sees every step of a trajectory."""

    def wants_graph(self, t: float, number: int) -> bool:
        """Whether `see` will differentiate the noise of this step with respect to the latents."""
        ...

    def see(self, step: Step) -> None:
        """Look at one step; no tensor of it changes later."""
        ...


def ddim_grid(scheduler: Any, steps: int) -> Grid:
    """Give the levels that diffusers' DDIM takes in a StableDiffusionPipeline with this scheduler.

    "leading" levels are shifted by one step, whatever the configuration says, because the pipeline insists on
    it: 981, 961, ..., 1 for 50 of 1000 steps. The last step goes to abar_0, or to 1 where the configuration
    sets alpha to one.

    Parameters
    ----------
    scheduler : diffusers scheduler
        Its configuration gives the table, the spacing and the end.
    steps : int
        Number of steps.

    Returns
    -------
    Grid
        Levels of the exact table (`Schedule.from_scheduler`).

    Raises
    ------
    InputError
        If the number of steps does not fit the table.
    """
    ddim = ddim_scheduler(scheduler.config, steps_offset=1, clip_sample=False)
    total = int(ddim.config.num_train_timesteps)
    if not 1 <= steps < total:
        raise InputError(f"DDIM takes 1 to {total - 1} steps with this model, got {steps}")
    ddim.set_timesteps(steps)
    schedule, index = Schedule.from_scheduler(ddim), ddim.timesteps.numpy().astype(np.int64)
    times = step_times(index, total)
    target = index - total // steps
    end = 1.0 if ddim.config.set_alpha_to_one else schedule.psi(step_times(np.zeros(1), total))[0] ** 2
    following = np.where(target < 0, end, schedule.psi(step_times(np.maximum(target, 0), total)) ** 2)
    return Grid(times, index, schedule.psi(times) ** 2, following)


def step_times(index: NDArray[Any], total: int) -> NDArray[np.float64]:
    """Times that a schedule of `total` steps maps to these steps; step 0 has a time above 0, too."""
    return np.maximum(index, 0.25) / total


def guided_ddim(
    model: ScoreModel,
    noise: torch.Tensor,
    c: torch.Tensor,
    null: torch.Tensor,
    *,
    grid: Grid,
    guidance: float | Guide = 7.5,
    observer: Observer | None = None,
) -> torch.Tensor:
    """Go from noise to latents by DDIM (eta 0) along the guided noise.

    The state and the sum of the two noises are kept in float32 (or the model's type, if that is wider), so
    half-precision networks lose nothing between steps.

    Parameters
    ----------
    model : ScoreModel
        Unconditional; conditions are bound here.
    noise : torch.Tensor
        (n, *shape), standard normal.
    c : torch.Tensor
        (n, L, D) or (1, L, D), embedded captions.
    null : torch.Tensor
        (1, L, D), the embedded empty caption.
    grid : Grid
        Noise levels, of the model's own table.
    guidance : float or Guide
        lambda; 1 follows the caption alone, 0 the empty one. Or what combines the two noises of each step.
    observer : Observer, optional
        Sees every step; where it wants a graph, the noises of that step can be differentiated with respect to
        the latents, without another call of the network.

    Returns
    -------
    torch.Tensor
        (n, *shape), on the model's device.
    """
    n = len(noise)
    captions = c.expand(n, *c.shape[1:])
    both = model.conditioned(torch.cat([null.expand(n, *null.shape[1:]).to(captions), captions]))
    kind = torch.promote_types(model.dtype, torch.float32)
    state = fast_layout(noise.to(device=model.device, dtype=kind), model.module)
    guide = guidance if isinstance(guidance, Guide) else Constant(guidance)
    for place, t in enumerate(grid.t.tolist()):
        abar, following, number = grid.abar[place], grid.following[place], grid.first + place
        index, sigma = int(grid.index[place]), float(np.sqrt(1.0 - abar))
        observed = observer is not None and observer.wants_graph(t, number)
        graph = observed or guide.wants_graph(t)
        with torch.inference_mode(False), torch.set_grad_enabled(graph):
            z = state.detach().requires_grad_(graph)
            pair = torch.cat([z, z])
            noises = pair if abar == 0 else both.eps(pair, t).to(kind)
            empty, caption = noises.chunk(2)
            asked = (None, None, None) if abar == 0 else (pair, noises, both)
            guided = guide.combine(Branches(number, t, index, sigma, z, empty, caption, *asked))
        if observer is not None:
            observer.see(Step(number, t, index, sigma, z, empty, caption, guided, pair, noises, both))
        # The graph goes with its last tensors, before the next call of the network makes another.
        z, guided, pair = z.detach(), guided.detach(), pair.detach()
        del noises, empty, caption, asked
        with torch.no_grad():
            if abar == 0:
                of_empty, of_caption = both.clean(pair, t).to(kind).chunk(2)
                clean = guide.combine(Branches(number, t, index, sigma, z, of_empty, of_caption))
            else:
                clean = (z - sigma * guided) / float(np.sqrt(abar))
            state = float(np.sqrt(following)) * clean + float(np.sqrt(1.0 - following)) * guided
    return state.detach()


def initial_noise(
    seed: int,
    prompt_set: str,
    prompts: Sequence[int],
    generations: Sequence[int],
    shape: Sequence[int],
    *,
    shared: bool = False,
) -> torch.Tensor:
    """Draw the noise that generations start from.

    Parameters
    ----------
    seed : int
        Root seed.
    prompt_set : str
        Name of the set.
    prompts, generations : sequence of int
        Number of the prompt within its set and of the generation, n of each.
    shape : sequence of int
        Shape of one latent.
    shared : bool
        Let generation g of every prompt of every set start from the same noise, as in Jeon et al. (2025).

    Returns
    -------
    torch.Tensor
        float32 (n, *shape) on the CPU; a row depends on (seed, set, prompt, generation), or on (seed,
        generation) where it is shared.
    """
    rows = []
    for prompt, generation in zip(prompts, generations, strict=True):
        purpose, key = _key(prompt_set, prompt, generation, shared)
        rows.append(rng.normal(seed, purpose, [key], shape))
    return torch.cat(rows) if rows else torch.empty((0, *shape))


def generation_seed(
    seed: int,
    prompt_set: str,
    prompt: int | np.integer[Any],
    generation: int | np.integer[Any],
    *,
    shared: bool = False,
) -> np.uint64:
    """Give the seed that is stored beside a generation, from the key of its initial noise."""
    return rng.item_seed(seed, *_key(prompt_set, int(prompt), int(generation), shared))


def _key(prompt_set: str, prompt: int, generation: int, shared: bool) -> tuple[str, int]:
    if shared:  # no set is named so: names hold no colon
        return "shared-initial-noise", int(generation)
    return f"initial-noise:{prompt_set}:{int(generation)}", prompt


def generation_rows(prompts: NDArray[np.int64], generations: int) -> NDArray[np.int64]:
    """Give the numbers by which generations have a row of their own in every batch.

    Generation g of prompt p is always in row ``(p + g) % size``: neither the cut of the prompts nor the
    number of generations moves it, and a few prompts fill a batch as well as many.

    Parameters
    ----------
    prompts : numpy.ndarray
        int64 (n,), numbers of the prompts.
    generations : int
        Generations of each.

    Returns
    -------
    numpy.ndarray
        int64 (n generations,), what `fixed_batches` takes for ids; item ``i * generations + g`` is generation
        g of the i-th prompt.
    """
    return (prompts[:, None] + np.arange(generations)[None, :]).ravel()
