"""Prompts of one span, sampled with a mitigation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmh.compute.blocks import blockwise_in_fitting_batches, decode_in_fitting_batches
from mmh.compute.memory import all_finite, in_batches
from mmh.compute.rows import check_finite
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.mitigations.base import Mitigation
from mmh.sampling.guided import Grid, ddim_grid, generation_rows, generation_seed, guided_ddim
from mmh.sampling.start import Start

if TYPE_CHECKING:
    import pandas as pd

    from mmh.models.latent.model import TextToImageModel

Arrays = dict[str, NDArray[Any]]
BRANCHES = 2  # rows of the network for each generation and step


def mitigated_latents(
    model: ScoreModel,
    c: torch.Tensor,
    null: torch.Tensor,
    mitigation: Mitigation,
    *,
    grid: Grid,
    prompt_set: str,
    prompts: Sequence[int] | NDArray[np.int64],
    generations: int,
    guidance: float,
    seed: int,
    batch_size: int | None = None,
    progress: Callable[..., None] | None = None,
) -> Arrays:
    """Sample generations of prompts with a mitigation.

    A generation depends on (seed, prompt_set, prompt, generation) alone, given the batch size, the device and
    the number of threads; without a mitigation it is that of `mmh.prompts.scoring.prompt_scores`.

    Parameters
    ----------
    model : ScoreModel
        Over latents, without bound conditions.
    c : torch.Tensor
        (n, L, D), embedded prompts.
    null : torch.Tensor
        (1, L, D), the embedded empty prompt.
    mitigation : Mitigation
        What is changed.
    grid : Grid
        Levels of the sampler.
    prompt_set, prompts, generations
        Name of the set, numbers of the prompts in it (n,), generations of each.
    guidance : float
        lambda, unless the mitigation says another.
    seed : int
        Root seed.
    batch_size : int or None
        Generations at a time; None: 8 on a CPU, elsewhere what free memory holds.
    progress : callable, optional
        Called with the number of finished generations.

    Returns
    -------
    dict of str to ndarray
        ``latents`` float32 (n generations, *shape); ``squared_norm`` float64, ||x_T||^2; ``rows`` float64,
        network rows; ``accepted`` bool. Generation g of the i-th prompt is row ``i * generations + g``.

    Raises
    ------
    InputError
        If an argument does not fit, a noise has another shape, or a latent is not finite (prompts are named).
    """
    numbers = np.asarray(prompts, dtype=np.int64)
    if len(c) != len(numbers) or generations < 1:
        raise InputError(f"needs one embedding per prompt: {len(c)} for {len(numbers)}, {generations} each")
    owner = np.repeat(np.arange(len(numbers)), generations)
    which = np.tile(np.arange(generations), len(numbers))

    def batch(score: ScoreModel, items: NDArray[np.int64], levels: Grid = grid) -> Arrays:
        keys = list(zip(numbers[owner[items]].tolist(), which[items].tolist(), strict=True))
        of_rows = c[torch.from_numpy(owner[items]).to(c.device)]
        start = Start(
            score,
            of_rows,
            null,
            grid=levels,
            guidance=guidance,
            keys=keys,
            prompt_set=prompt_set,
            generations=generations,
            seed=seed,
        )
        with torch.inference_mode(False), torch.enable_grad():
            start.take(mitigation.condition(start).detach())
            noise = mitigation.noise(start).detach()
        if noise.shape != (len(keys), *score.shape):
            raise InputError(
                f"mitigation '{mitigation.name}' gave noises of shape {tuple(noise.shape)} for {len(keys)} "
                f"generations; it must give {(len(keys), *score.shape)}"
            )
        guide = mitigation.guide(start)
        end = guided_ddim(score, noise, start.c, start.null, grid=levels, guidance=guide)
        return {
            "latents": end.float().cpu().numpy(),
            "squared_norm": noise.double().flatten(1).square().sum(1).cpu().numpy(),
            "rows": start.rows + BRANCHES * len(levels),
            "accepted": start.accepted,
        }

    found = in_batches(
        model,
        batch,
        generation_rows(numbers, generations),
        batch_size=batch_size,
        trial=lambda rows: batch(model, np.arange(rows) % len(owner), grid[-1:]),
        finite=all_finite,
        progress=progress,
    )
    what = f"with mitigation '{mitigation.name}' a generation of prompt set {prompt_set} is not finite"
    check_finite(all_finite(found.arrays), numbers[owner], what)
    return found.arrays


def sample_mitigated_span(
    loaded: TextToImageModel,
    texts: pd.Series,
    mitigation: Mitigation,
    *,
    prompt_set: str,
    options: Mapping[str, Any],
    seed: int,
    progress: Any,
    store: Any = None,
) -> tuple[Arrays, dict[str, Any]]:
    """Sample the prompts of one span with a mitigation, and decode them.

    Parameters
    ----------
    loaded : TextToImageModel
        The model.
    texts : pandas.Series
        The prompts, indexed by their numbers within the set.
    mitigation : Mitigation
        What is changed.
    prompt_set : str
        Name of the set.
    options : mapping
        `generations`, `steps`, `guidance`, `batch_size`, `decode_batch_size`.
    seed : int
        Root seed.
    progress, store
        As for `mmh.compute.blocks.blockwise_in_fitting_batches`.

    Returns
    -------
    arrays : dict
        `image`, `latent`, `id`, `prompt`, `generation`, `text`, `seed` of the generations, and what
        `mitigated_latents` says of each; `index`, `guidance`, as of generations without mitigation.
    numerics : dict
        How they were computed, for the run record.
    """
    numbers = texts.index.to_numpy(np.int64)
    score, null, count = loaded.score_model(), loaded.null(), int(options["generations"])
    grid = ddim_grid(loaded.scheduler, options["steps"])
    how: dict[str, Any] = {"prompt_set": prompt_set, "generations": count, "seed": seed, "grid": grid}
    how["guidance"] = float(options["guidance"])

    def draw(_: NDArray[np.int64], chosen: NDArray[np.int64], size: int) -> Arrays:
        c = loaded.embed(texts[chosen].tolist(), ids=chosen)
        found = mitigated_latents(score, c, null, mitigation, **how, prompts=chosen, batch_size=size)
        return {name: a.reshape(len(chosen), count, *a.shape[1:]) for name, a in found.items()}

    def trial(rows: int) -> None:
        once = how | {"generations": rows, "grid": grid[-1:], "batch_size": rows}
        mitigated_latents(
            score, loaded.embed(texts[numbers[:1]].tolist()), null, mitigation, prompts=numbers[:1], **once
        )

    job: dict[str, Any] = {"device": loaded.device, "progress": progress, "store": store, "unit": "prompt"}
    drawn, size = blockwise_in_fitting_batches(options["batch_size"], [draw], numbers, trial=trial, **job)
    drawn = {name: a.reshape(-1, *a.shape[2:]) for name, a in drawn.items()}
    latents = drawn.pop("latents")
    prompt, generation = np.repeat(numbers, count), np.tile(np.arange(count), len(numbers))
    ids = prompt * count + generation
    image, decoded = decode_in_fitting_batches(loaded, latents, ids, options["decode_batch_size"])
    seeds = [generation_seed(seed, prompt_set, p, g) for p, g in zip(prompt, generation, strict=True)]
    arrays: Arrays = {"image": image, "latent": latents, "id": ids, "prompt": prompt}
    arrays |= {"generation": generation.astype(np.int64), "text": texts[prompt].to_numpy(dtype=str)}
    arrays |= {"index": grid.index, "guidance": np.array([how["guidance"]]), **drawn}
    arrays["seed"] = np.array(seeds, dtype=np.uint64)
    numerics = {
        "dtype": str(score.dtype).removeprefix("torch."),
        "attention": loaded.attention(),
        "batch_size": size,
        "decode_batch_size": decoded,
        "truncated_prompts": int(loaded.tokens(texts[numbers].tolist())[1].sum()),
    }
    return arrays, numerics
