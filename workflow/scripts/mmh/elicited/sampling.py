"""Images of attacked prompts: a span's captions optimised, and sampled after each budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmh.compute.blocks import blockwise_in_fitting_batches, decode_in_fitting_batches
from mmh.elicited.attack import attack
from mmh.errors import InputError
from mmh.mitigated.measures import Truth
from mmh.mitigated.sampling import mitigated_latents
from mmh.mitigations.base import Mitigation
from mmh.sampling.guided import ddim_grid

if TYPE_CHECKING:
    import pandas as pd

    from mmh.models.latent.model import TextToImageModel

Arrays = dict[str, NDArray[Any]]


def training_image_of(truth: Truth, prompt_set: str, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Training image of each prompt, uint8 (n, 3, H, W).

    Raises
    ------
    InputError
        If a prompt has none at hand.
    """
    place = {int(number): row for row, number in enumerate(truth.ids)}
    wanted = []
    for number in numbers.tolist():
        train = truth.train.get((prompt_set, number))
        if train is None or train != train or int(train) not in place:
            raise InputError(
                f"prompt {number} of set {prompt_set} has no training image at hand, so there is nothing to "
                "bring back; re_elicitation.sets needs prompts of known images"
            )
        wanted.append(place[int(train)])
    return truth.image[wanted]


def elicit_span(
    loaded: TextToImageModel,
    texts: pd.Series,
    mitigation: Mitigation,
    image: NDArray[np.uint8],
    *,
    prompt_set: str,
    options: Mapping[str, Any],
    seed: int,
    progress: Any,
    store: Any = None,
) -> tuple[Arrays, dict[str, Any]]:
    """Attack a mitigation on the prompts of one span, and sample what came out after each budget.

    Parameters
    ----------
    loaded : TextToImageModel
        The model.
    texts : pandas.Series
        The prompts, indexed by their numbers within the set.
    mitigation : Mitigation
        What the attack has to get past.
    image : numpy.ndarray
        uint8 (n, 3, H, W), the training image of each prompt.
    prompt_set : str
        Name of the set.
    options : mapping
        `budgets`, `learning_rate`, `draws`, `generations`, `steps`, `guidance`, `batch_size`,
        `decode_batch_size`.
    seed : int
        Root seed.
    progress, store
        As for `mmh.compute.blocks.blockwise_in_fitting_batches`.

    Returns
    -------
    arrays : dict
        `image`, `id`, `prompt`, `budget`, `generation`, `rows` (of the network, to sample it) and
        `attack_rows` (of the prompt's attack until then) of each generation, prompt by prompt, budget by
        budget.
    numerics : dict
        How they were computed, for the run record.
    """
    numbers = texts.index.to_numpy(np.int64)
    score, null = loaded.score_model(), loaded.null()
    budgets, count = [int(one) for one in options["budgets"]], int(options["generations"])
    how: dict[str, Any] = {
        "grid": ddim_grid(loaded.scheduler, options["steps"]),
        "guidance": float(options["guidance"]),
        "prompt_set": prompt_set,
        "generations": count,
        "seed": seed,
    }
    attacking: dict[str, Any] = {
        "learning_rate": float(options["learning_rate"]),
        "draws": int(options["draws"]),
    }
    width = 8 if options["decode_batch_size"] == "auto" else int(options["decode_batch_size"])
    target = loaded.encode(image, ids=numbers, batch_size=width)

    def work(rows: NDArray[np.int64], chosen: NDArray[np.int64], size: int) -> Arrays:
        return elicited(rows, chosen, budgets, size)

    def elicited(rows: NDArray[np.int64], prompts: NDArray[np.int64], asked: list[int], size: int) -> Arrays:
        c = loaded.embed(texts[numbers[rows]].tolist(), ids=prompts)
        own = torch.from_numpy(target[rows])
        told = how | {"prompts": prompts, "batch_size": size}
        found = attack(score, c, null, mitigation, own, budgets=asked, **attacking, **told)
        parts = []
        for number in range(len(asked)):
            tried = torch.from_numpy(found["c"][:, number]).to(null)
            drawn = mitigated_latents(score, tried, null, mitigation, **told)
            parts.append({key: drawn[key].reshape(-1, count, *drawn[key].shape[1:]) for key in KEPT})
        arrays = {key: np.stack([part[key] for part in parts], axis=1) for key in KEPT}
        return {**arrays, "attack_rows": found["attack_rows"]}

    def trial(rows: int) -> None:
        elicited(np.arange(rows) % len(numbers), np.arange(rows, dtype=np.int64), [0, 1], rows)

    job: dict[str, Any] = {"device": loaded.device, "progress": progress, "store": store, "unit": "prompt"}
    drawn, size = blockwise_in_fitting_batches(options["batch_size"], [work], numbers, trial=trial, **job)
    n, tried = len(numbers), len(budgets)
    latents = drawn["latents"].reshape(-1, *drawn["latents"].shape[3:])
    prompt = np.repeat(numbers, tried * count)
    generation = np.tile(np.arange(count), n * tried)
    budget = np.tile(np.repeat(np.array(budgets, dtype=np.int64), count), n)
    ids = (prompt * tried + np.tile(np.repeat(np.arange(tried), count), n)) * count + generation
    shown, decoded = decode_in_fitting_batches(loaded, latents, ids, options["decode_batch_size"])
    arrays: Arrays = {"image": shown, "id": ids, "prompt": prompt, "budget": budget}
    arrays |= {"generation": generation, "rows": drawn["rows"].reshape(-1)}
    arrays["attack_rows"] = np.repeat(drawn["attack_rows"].reshape(-1), count)
    numerics = {
        "dtype": str(score.dtype).removeprefix("torch."),
        "attention": loaded.attention(),
        "batch_size": size,
        "decode_batch_size": decoded,
        "truncated_prompts": int(loaded.tokens(texts[numbers].tolist())[1].sum()),
    }
    return arrays, numerics


KEPT = ("latents", "rows")
"""Of what `mmh.mitigated.sampling.mitigated_latents` gives."""
