"""Prompts of one span: sampled, scored on the way, decoded, and listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmh.compute.blocks import blockwise_in_fitting_batches, decode_in_fitting_batches
from mmh.metrics.base import Metric
from mmh.prompts.score_table import score_table
from mmh.prompts.scoring import PromptScores, busiest, prompt_scores
from mmh.sampling.guided import ddim_grid, generation_seed

if TYPE_CHECKING:
    import pandas as pd

    from mmh.models.latent.model import TextToImageModel

Arrays = dict[str, NDArray[Any]]


def sample_span(
    loaded: TextToImageModel,
    texts: pd.Series,
    metrics: Sequence[Metric],
    *,
    prompt_set: str,
    options: Mapping[str, Any],
    seed: int,
    progress: Any,
    store: Any = None,
) -> tuple[Arrays, pd.DataFrame, dict[str, Any]]:
    """Sample prompts by guided DDIM, and let metrics see the steps and the finished images.

    Parameters
    ----------
    loaded : TextToImageModel
        The model.
    texts : pandas.Series
        The prompts, indexed by their numbers within the set.
    metrics : sequence of Metric
        What is taken on the way.
    prompt_set : str
        Name of the set.
    options : mapping
        `generations`, `steps`, `guidance`, `batch_size`, `decode_batch_size`; `noise`, own or shared.
    seed : int
        Root seed.
    progress, store
        As for `mmh.compute.blocks.blockwise_in_fitting_batches`.

    Returns
    -------
    arrays : dict
        `image`, `latent`, `id`, `prompt`, `generation`, `text`, `seed` of the generations; `index`,
        `guidance`.
    table : pandas.DataFrame
        Their scores, as `score_table` lists them.
    numerics : dict
        How they were computed, for the run record.
    """
    numbers = texts.index.to_numpy(np.int64)
    score, null, count = loaded.score_model(), loaded.null(), options["generations"]
    grid = ddim_grid(loaded.scheduler, options["steps"])
    how = {"prompt_set": prompt_set, "generations": count, "guidance": options["guidance"], "seed": seed}
    how["metrics"], shared = metrics, options.get("noise", "own") == "shared"
    how["shared_noise"] = shared

    def draw(_: np.ndarray, which: np.ndarray, size: int) -> Arrays:
        c = loaded.embed(texts[which].tolist(), ids=which)
        found = prompt_scores(score, c, null, **how, prompts=which, grid=grid, batch_size=size)
        each: Arrays = {"latents": found.latents, **found.values}
        return {name: a.reshape(len(which), count, *a.shape[1:]) for name, a in each.items()}

    def trial(rows: int) -> None:
        once = how | {"generations": rows, "grid": busiest(grid, metrics), "batch_size": rows}
        prompt_scores(score, loaded.embed(texts[numbers[:1]].tolist()), null, prompts=numbers[:1], **once)

    # As many prompts as a batch has rows fill all of its batches.
    job_is = {"device": score.device, "progress": progress, "store": store, "unit": "prompt"}
    drawn, size = blockwise_in_fitting_batches(options["batch_size"], [draw], numbers, trial=trial, **job_is)
    drawn = {name: a.reshape(-1, *a.shape[2:]) for name, a in drawn.items()}
    found = PromptScores(latents := drawn.pop("latents"), drawn, grid, size)
    prompt, generation = np.repeat(numbers, count), np.tile(np.arange(count), len(numbers))
    ids = prompt * count + generation
    image, decoded = decode_in_fitting_batches(loaded, latents, ids, options["decode_batch_size"])
    pairs = zip(prompt, generation, strict=True)
    seeds = [generation_seed(seed, prompt_set, p, g, shared=shared) for p, g in pairs]
    arrays: Arrays = {"image": image, "latent": latents, "id": ids, "prompt": prompt}
    arrays |= {"generation": generation.astype(np.int64), "text": texts[prompt].to_numpy(dtype=str)}
    arrays |= {"index": grid.index, "guidance": np.array([float(options["guidance"])])}
    arrays |= {"seed": np.array(seeds, dtype=np.uint64)}
    by_prompt = image.reshape(len(numbers), count, *image.shape[1:])
    of_images = [metric for metric in metrics if metric.needs == "image"]
    seen = {metric.name: metric.see_generations(by_prompt).ravel() for metric in of_images}
    table = score_table(found, images=seen, prompt_set=prompt_set, prompts=numbers, generations=count)
    numerics = {
        "dtype": str(score.dtype).removeprefix("torch."),
        "attention": loaded.attention(),
        "batch_size": size,
        "decode_batch_size": decoded,
        "truncated_prompts": int(loaded.tokens(texts[numbers].tolist())[1].sum()),
    }
    return arrays, table, numerics
