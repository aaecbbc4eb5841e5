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
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.light_diffusers import diffusers


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
    """

    t: NDArray[np.float64]
    index: NDArray[np.int64]
    abar: NDArray[np.float64]
    following: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.t)

    def __getitem__(self, steps: slice) -> Grid:
        return Grid(self.t[steps], self.index[steps], self.abar[steps], self.following[steps])


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
        eps_0 + lambda (eps_c - eps_0).
    """

    number: int
    t: float
    index: int
    sigma: float
    z: torch.Tensor
    empty: torch.Tensor
    caption: torch.Tensor
    guided: torch.Tensor


class Observer(Protocol):
    """Sees every step of a trajectory."""

    def wants_graph(self, t: float) -> bool:
        """Whether `see` will differentiate the noise at this level with respect to the latents."""
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
    ddim = diffusers().DDIMScheduler.from_config(scheduler.config, steps_offset=1, clip_sample=False)
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
    guidance: float = 7.5,
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
    guidance : float
        lambda; 1 follows the caption alone, 0 the empty one.
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
    state = fast_layout(noise.to(device=model.device, dtype=kind))
    for number, t in enumerate(grid.t.tolist()):
        abar, following = grid.abar[number], grid.following[number]
        graph = observer is not None and observer.wants_graph(t)
        with torch.inference_mode(False), torch.set_grad_enabled(graph):
            z = state.detach().requires_grad_(graph)
            if abar == 0:
                empty = caption = z
            else:
                empty, caption = both.eps(torch.cat([z, z]), t).to(kind).chunk(2)
            guided = empty + guidance * (caption - empty)
        if observer is not None:
            sigma = float(np.sqrt(1.0 - abar))
            observer.see(Step(number, t, int(grid.index[number]), sigma, z, empty, caption, guided))
        with torch.no_grad():
            if abar == 0:
                of_empty, of_caption = both.clean(torch.cat([z, z]), t).to(kind).chunk(2)
                clean = of_empty + guidance * (of_caption - of_empty)
            else:
                clean = (z - float(np.sqrt(1.0 - abar)) * guided) / float(np.sqrt(abar))
            state = float(np.sqrt(following)) * clean + float(np.sqrt(1.0 - following)) * guided
    return state.detach()


def initial_noise(
    seed: int, prompt_set: str, prompts: Sequence[int], generations: Sequence[int], shape: Sequence[int]
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

    Returns
    -------
    torch.Tensor
        float32 (n, *shape) on the CPU; a row depends on (seed, set, prompt, generation).
    """
    rows = [
        rng.normal(seed, _purpose(prompt_set, generation), [prompt], shape)
        for prompt, generation in zip(prompts, generations, strict=True)
    ]
    return torch.cat(rows) if rows else torch.empty((0, *shape))


def generation_seed(
    seed: int, prompt_set: str, prompt: int | np.integer[Any], generation: int | np.integer[Any]
) -> np.uint64:
    """Give the seed that is stored beside a generation, from the key of its initial noise."""
    return rng.item_seed(seed, _purpose(prompt_set, int(generation)), int(prompt))


def _purpose(prompt_set: str, generation: int) -> str:
    return f"initial-noise:{prompt_set}:{int(generation)}"


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
