"""Prompts sampled on the way of a descent on their embedding: after so many iterations, from one noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmh.compute import rng
from mmh.compute.blocks import blockwise_in_fitting_batches, decode_in_fitting_batches
from mmh.compute.memory import all_finite, in_batches
from mmh.compute.rows import check_finite
from mmh.diffusion.score_model import ScoreModel
from mmh.metrics.base import made
from mmh.mitigations.embedding import EmbeddingDescent
from mmh.prompts.scoring import Recorder
from mmh.sampling.guided import Grid, ddim_grid, generation_rows, guided_ddim
from mmh.sampling.start import Start

if TYPE_CHECKING:
    import pandas as pd

    from mmh.models.latent.model import TextToImageModel

Arrays = dict[str, NDArray[Any]]


def iterate_latents(
    model: ScoreModel,
    c: torch.Tensor,
    null: torch.Tensor,
    mitigation: EmbeddingDescent,
    *,
    at: Sequence[int],
    grid: Grid,
    prompt_set: str,
    prompts: Sequence[int] | NDArray[np.int64],
    generations: int,
    guidance: float,
    metric: Mapping[str, Any],
    seed: int,
    batch_size: int | None = None,
) -> Arrays:
    """Sample generations of prompts after some iterations of a descent on their embedding.

    A generation depends on (seed, prompt_set, prompt, generation) alone, given the batch size, the device and
    the number of threads. After no iteration it is that of `mmh.prompts.scoring.prompt_scores`.

    Parameters
    ----------
    model, c, null, grid, prompt_set, prompts, generations, guidance, seed, batch_size
        As for `mmh.mitigated.sampling.mitigated_latents`.
    mitigation : EmbeddingDescent
        With at least as many iterations as `at` names.
    at : sequence of int
        Numbers of iterations, ascending. A generation that has stopped before stays where it is.
    metric : mapping
        Options of the metric `flipd`.

    Returns
    -------
    dict of str to ndarray
        ``latents`` float32 (n generations, K, *shape); ``flipd`` float64 (n, K), A^FLIPD along the way that
        is sampled; ``watched`` float64 (n, K), what the descent raises or lowers, at its held latents.

    Raises
    ------
    InputError
        If a latent or a value is not finite (prompts are named).
    """
    numbers = np.asarray(prompts, dtype=np.int64)
    owner = np.repeat(np.arange(len(numbers)), generations)
    which = np.tile(np.arange(generations), len(numbers))

    def batch(score: ScoreModel, items: NDArray[np.int64], levels: Grid = grid) -> Arrays:
        keys = list(zip(numbers[owner[items]].tolist(), which[items].tolist(), strict=True))
        how: dict[str, Any] = {"grid": levels, "guidance": guidance, "keys": keys, "seed": seed}
        how |= {"prompt_set": prompt_set, "generations": generations}
        start = Start(score, c[torch.from_numpy(owner[items]).to(c.device)], null, **how)
        states: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        mitigation.descend(start, lambda done, now, value: states.update({done: (now, value)}))

        def streams(step: int, purpose: str, number: int) -> list[np.random.Generator]:
            return [
                rng.generator(seed, f"prompt-{purpose}:{prompt_set}", p, g, step, number) for p, g in keys
            ]

        found: dict[str, list[NDArray[Any]]] = {"latents": [], "flipd": [], "watched": []}
        for number in at:
            now, value = states[min(number, max(states))]
            recorder = Recorder(score, made({"flipd": metric}), streams)
            end = guided_ddim(
                score,
                start.noise(),
                now.to(start.c),
                start.null,
                grid=levels,
                guidance=guidance,
                observer=recorder,
            )
            found["latents"].append(end.float().cpu().numpy())
            found["flipd"].append(_mean(recorder.values["flipd"]))
            found["watched"].append(value.double().cpu().numpy())
        return {name: np.stack(values, axis=1) for name, values in found.items()}

    found = in_batches(
        model,
        batch,
        generation_rows(numbers, generations),
        batch_size=batch_size,
        trial=lambda rows: batch(model, np.arange(rows) % len(owner), grid[-1:]),
        finite=all_finite,
    )
    what = (
        f"on the way of mitigation '{mitigation.name}' a generation of prompt set {prompt_set} is not finite"
    )
    check_finite(all_finite(found.arrays), numbers[owner], what)
    return found.arrays


def _mean(values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Mean of each row over the steps that the metric sees; of none 0."""
    seen = [one for one in values if not np.isnan(one).all()]
    return np.mean(seen, axis=0) if seen else np.zeros_like(values[0])


def sample_iterates_span(
    loaded: TextToImageModel,
    texts: pd.Series,
    mitigation: EmbeddingDescent,
    *,
    prompt_set: str,
    options: Mapping[str, Any],
    seed: int,
    progress: Any,
    store: Any = None,
) -> tuple[Arrays, dict[str, Any]]:
    """Sample the prompts of one span on the way of a descent, and decode them.

    Parameters
    ----------
    loaded, texts, prompt_set, seed, progress, store
        As for `mmh.mitigated.sampling.sample_mitigated_span`.
    mitigation : EmbeddingDescent
        What descends.
    options : mapping
        `at`, `generations`, `steps`, `guidance`, `metric`, `batch_size`, `decode_batch_size`.

    Returns
    -------
    arrays : dict
        `image`, `id`, `prompt`, `generation`, `iteration`, `text`, `flipd`, `watched` of each generation and
        iteration; `index`, `guidance`.
    numerics : dict
        How they were computed, for the run record.
    """
    numbers, count, at = texts.index.to_numpy(np.int64), int(options["generations"]), list(options["at"])
    score, null, grid = loaded.score_model(), loaded.null(), ddim_grid(loaded.scheduler, options["steps"])
    how: dict[str, Any] = {"prompt_set": prompt_set, "seed": seed, "grid": grid, "at": at}
    how |= {"guidance": float(options["guidance"]), "metric": options["metric"]}

    def draw(_: NDArray[np.int64], chosen: NDArray[np.int64], size: int) -> Arrays:
        c = loaded.embed(texts[chosen].tolist(), ids=chosen)
        own = how | {"prompts": chosen, "generations": count, "batch_size": size}
        found = iterate_latents(score, c, null, mitigation, **own)
        return {name: a.reshape(len(chosen), count * len(at), *a.shape[2:]) for name, a in found.items()}

    def trial(rows: int) -> None:
        once = how | {"generations": rows, "grid": grid[-1:], "batch_size": rows, "at": at[:1]}
        iterate_latents(
            score, loaded.embed(texts[numbers[:1]].tolist()), null, mitigation, prompts=numbers[:1], **once
        )

    job: dict[str, Any] = {"device": loaded.device, "progress": progress, "store": store, "unit": "prompt"}
    drawn, size = blockwise_in_fitting_batches(options["batch_size"], [draw], numbers, trial=trial, **job)
    drawn = {name: a.reshape(-1, *a.shape[2:]) for name, a in drawn.items()}
    each = count * len(at)
    prompt = np.repeat(numbers, each)
    ids = prompt * each + np.tile(np.arange(each), len(numbers))
    image, decoded = decode_in_fitting_batches(loaded, drawn["latents"], ids, options["decode_batch_size"])
    arrays: Arrays = {"image": image, "id": ids, "prompt": prompt}
    arrays["generation"] = np.tile(np.repeat(np.arange(count), len(at)), len(numbers)).astype(np.int64)
    arrays["iteration"] = np.tile(np.array(at, dtype=np.int64), count * len(numbers))
    arrays |= {
        "text": texts[prompt].to_numpy(dtype=str),
        "flipd": drawn["flipd"],
        "watched": drawn["watched"],
    }
    arrays |= {"index": grid.index, "guidance": np.array([how["guidance"]])}
    numerics = {
        "dtype": str(score.dtype).removeprefix("torch."),
        "attention": loaded.attention(),
        "batch_size": size,
        "decode_batch_size": decoded,
        "truncated_prompts": int(loaded.tokens(texts[numbers].tolist())[1].sum()),
    }
    return arrays, numerics
