"""Rewritten prompts: sampled from the noises of the original ones, and measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmh.errors import InputError
from mmh.io.arrays import read_arrays
from mmh.mitigated.classes import Classify
from mmh.mitigated.measures import EVALUATED, TUNING, Agree, Embed, Truth, compared

if TYPE_CHECKING:
    from mmh.models.latent.model import TextToImageModel

Arrays = dict[str, NDArray[Any]]


def rewrites_of_span(rewrites: pd.DataFrame, texts: pd.Series, prompt_set: str) -> pd.DataFrame:
    """Choose the rewritings of the prompts of a span, and number them.

    Parameters
    ----------
    rewrites : pandas.DataFrame
        `mmh.io.tables.REWRITES`.
    texts : pandas.Series
        The prompts, indexed by their numbers within the set.
    prompt_set : str

    Returns
    -------
    pandas.DataFrame
        Those of this set and span, and `number`: the prompt's number times how many rewritings each has, plus
        the place among them.

    Raises
    ------
    InputError
        If a prompt has none, or was another one.
    """
    rows = rewrites[rewrites["prompt_set"] == prompt_set]
    place = rows.groupby("prompt").cumcount()
    rows = rows.assign(number=rows["prompt"] * (place.max() + 1) + place)
    for prompt, text in texts.items():
        if not (rows.loc[rows["prompt"] == prompt, "text"] == text).any():
            raise InputError(
                f"rewrites.parquet: lacks prompt {prompt} of set {prompt_set}, {text!r}; rewrite it anew"
            )
    return rows[rows["prompt"].isin(texts.index)].reset_index(drop=True)


def sample_rewrites_span(
    loaded: TextToImageModel,
    rewrites: pd.DataFrame,
    *,
    prompt_set: str,
    options: Mapping[str, Any],
    seed: int,
    progress: Any,
    store: Any = None,
) -> tuple[Arrays, dict[str, Any]]:
    """Sample rewritten prompts by plain guided DDIM.

    Generation g of repeat r starts from the noise of generation r G + g of the original prompt, G generations
    a rewriting: whatever a choice rewrites is compared from the same noises.

    Parameters
    ----------
    loaded : TextToImageModel
    rewrites : pandas.DataFrame
        From `rewrites_of_span`, those to sample.
    prompt_set : str
    options : mapping
        `generations`, `steps`, `guidance`, `batch_size`, `decode_batch_size`.
    seed : int
        Root seed.
    progress, store
        As for `mmh.compute.blocks.blockwise_in_fitting_batches`.

    Returns
    -------
    arrays : dict
        `image`, `id`, `prompt`, `generation` (the number of the noise), `choice`, `k`, `text` (the original
        prompt) and `rewrite` of each generation; `index`, `guidance`.
    numerics : dict
        How they were computed, for the run record.
    """
    import torch

    from mmh.compute.blocks import blockwise_in_fitting_batches, decode_in_fitting_batches
    from mmh.compute.memory import all_finite, in_batches
    from mmh.compute.rows import check_finite
    from mmh.sampling.guided import ddim_grid, guided_ddim, initial_noise

    count, guidance = int(options["generations"]), float(options["guidance"])
    rows = rewrites.loc[rewrites.index.repeat(count)].reset_index(drop=True)
    which = np.tile(np.arange(count), len(rewrites))
    ids = rows["number"].to_numpy(np.int64) * count + which
    prompt, generation = rows["prompt"].to_numpy(np.int64), rows["repeat"].to_numpy(np.int64) * count + which
    score, null, grid = loaded.score_model(), loaded.null(), ddim_grid(loaded.scheduler, options["steps"])

    def draw(places: NDArray[np.int64], numbers: NDArray[np.int64], size: int) -> Arrays:
        c = loaded.embed(rows["rewrite"].iloc[places].tolist(), ids=numbers)

        def batch(model: Any, items: NDArray[np.int64]) -> Arrays:
            own = places[items]
            keys = prompt[own].tolist(), generation[own].tolist()
            noise = initial_noise(seed, prompt_set, *keys, model.shape)
            of_rows = c[torch.from_numpy(items).to(c.device)]
            end = guided_ddim(model, noise, of_rows, null, grid=grid, guidance=guidance)
            return {"latents": end.float().cpu().numpy()}

        found = in_batches(score, batch, numbers, batch_size=size)
        what = f"a generation of a rewritten prompt of set {prompt_set} is not finite"
        check_finite(all_finite(found.arrays), prompt[places], what)
        return found.arrays

    job: dict[str, Any] = {"device": loaded.device, "progress": progress, "store": store}
    drawn, size = blockwise_in_fitting_batches(options["batch_size"], [draw], ids, **job)
    image, decoded = decode_in_fitting_batches(loaded, drawn["latents"], ids, options["decode_batch_size"])
    arrays: Arrays = {"image": image, "id": ids, "prompt": prompt, "generation": generation}
    arrays["k"] = rows["k"].to_numpy(np.int64)
    arrays |= {name: rows[name].to_numpy(dtype=str) for name in ("choice", "text", "rewrite")}
    arrays |= {"index": grid.index, "guidance": np.array([guidance])}
    numerics = {
        "dtype": str(score.dtype).removeprefix("torch."),
        "attention": loaded.attention(),
        "batch_size": size,
        "decode_batch_size": decoded,
        "network_rows": 2 * len(grid) * len(ids),
    }
    return arrays, numerics


def measured_rewrites(
    files: Sequence[Path],
    truth: Truth,
    embedded: Embed,
    *,
    classify: Classify | None = None,
    agree: Agree | None = None,
    cut: float,
    tuned: int,
    report: Callable[[int], None],
) -> pd.DataFrame:
    """Measure generations of rewritten prompts.

    Parameters
    ----------
    files : sequence of path
        ``rewritten/<prompt_set>/<span>.npz``.
    truth, embedded, classify, agree, cut, tuned, report
        As for `mmh.mitigated.measures.measured`; CLIP compares with the original prompt.

    Returns
    -------
    pandas.DataFrame
        `mmh.io.tables.REWRITTEN`, in the order of the files; `alike` is among the images of a prompt by one
        choice and k.
    """
    parts = []
    for done, path in enumerate(files, 1):
        drawn, number, prompt, generation = read_arrays(path, "image", "id", "prompt", "generation")
        choice, k, text = read_arrays(path, "choice", "k", "text")
        keys = pd.DataFrame({"choice": choice, "k": k, "prompt": prompt})
        how: dict[str, Any] = {"prompt_set": path.parent.name, "cut": cut}
        how |= {"classify": classify, "agree": agree}
        how["group"] = keys.groupby(list(keys)).ngroup().to_numpy()
        found = compared(drawn, number, prompt, text.tolist(), truth, embedded, **how)
        columns = {
            "choice": choice,
            "prompt_set": path.parent.name,
            "prompt": prompt,
            "k": k,
            "generation": generation,
            "family": found.pop("family"),
            "part": np.where(prompt < tuned, TUNING, EVALUATED),
            **found,
        }
        parts.append(pd.DataFrame(columns))
        report(done)
    return pd.concat(parts, ignore_index=True)
