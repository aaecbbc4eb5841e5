"""Prompts of one span: every attribution of each of their tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from mmh.attributed.gradients import token_attributions
from mmh.attributions.base import Attribution, CallAttribution, GradientAttribution, TextAttribution
from mmh.compute.memory import in_batches
from mmh.diffusion.score_model import ScoreModel
from mmh.models.latent.caption_tokens import Words, pull_back, words_of
from mmh.models.latent.model import TextToImageModel
from mmh.sampling.guided import Grid, ddim_grid, generation_rows, initial_noise

COLUMNS = ["prompt_set", "prompt", "attribution", "level", "token", "piece", "place", "word", "value"]
TEXT = "text"
"""Level of what knows words alone."""


def without(words: Sequence[str], place: int) -> str:
    """Give a caption without one of its words."""
    return " ".join([*words[:place], *words[place + 1 :]])


def left_out_values(
    model: TextToImageModel,
    one: CallAttribution,
    texts: Sequence[str],
    cut: Sequence[Words],
    *,
    grid: Grid,
    prompt_set: str,
    prompts: NDArray[np.int64],
    generations: int,
    seed: int,
    batch_size: int | None,
) -> list[NDArray[np.float64]]:
    """Compare the noise of the first step with that of the caption without each word, mean over generations.

    Parameters
    ----------
    model : TextToImageModel
    one : CallAttribution
    texts : sequence of str
        Captions, n.
    cut : sequence of Words
        Of the captions.
    grid, prompt_set, prompts, generations, seed, batch_size
        As for `mmh.attributed.gradients.token_attributions`.

    Returns
    -------
    list of numpy.ndarray
        float64, a number for each word of each caption.
    """
    score, t = model.score_model(), float(grid.t[0])
    whole, null = model.embed(texts, ids=prompts), model.null()
    out = [np.empty(len(each.words)) for each in cut]
    for place in range(max(len(each.words) for each in cut)):
        here = np.array([i for i, each in enumerate(cut) if place < len(each.words)], dtype=np.int64)
        short = model.embed([without(cut[i].words, place) for i in here], ids=prompts[here])
        owner, numbers = np.repeat(np.arange(len(here)), generations), prompts[here]
        which = np.tile(np.arange(generations), len(here))

        def batch(score: ScoreModel, rows: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
            own = torch.from_numpy(owner[rows]).to(short.device)  # noqa: B023  (called before the next turn)
            keys = numbers[owner[rows]].tolist(), which[rows].tolist()  # noqa: B023
            z = initial_noise(seed, prompt_set, *keys, score.shape).to(score.device, score.dtype)
            first = whole[torch.from_numpy(here).to(short.device)][own]  # noqa: B023
            c = torch.cat([null.expand(len(own), *null.shape[1:]), first, short[own]])  # noqa: B023
            with torch.no_grad():
                noises = score.conditioned(c).eps(torch.cat([z, z, z]), t).double().chunk(3)
                return {"value": one.compare(*noises).cpu().numpy()}

        found = in_batches(score, batch, generation_rows(numbers, generations), batch_size=batch_size)
        for i, value in zip(here, found.arrays["value"].reshape(-1, generations).mean(1), strict=True):
            out[i][place] = value
    return out


def attribute_span(
    model: TextToImageModel,
    texts: pd.Series,
    asked: Mapping[str, Attribution],
    *,
    prompt_set: str,
    options: Mapping[str, Any],
    counts: Mapping[str, int],
    seed: int,
    progress: Callable[..., None] | None = None,
) -> pd.DataFrame:
    """Attribute prompts to their tokens.

    Parameters
    ----------
    model : TextToImageModel
    texts : pandas.Series
        The prompts, indexed by their numbers within the set.
    asked : mapping of str to Attribution
        By name.
    prompt_set : str
    options : mapping
        `generations`, `steps`, `guidance`, `batch_size`, `levels`.
    counts : mapping of str to int
        How often each word occurs in the captions.
    seed : int
        Root seed.
    progress : callable, optional
        Called with the number of finished trajectories.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`; `token` is the place within the encoder's length, `place` the number of the word, -1 for
        the ends and the filling. Values of words alone stand at the first token of each.

    Raises
    ------
    InputError
        If a prompt is empty or too long, or a gradient is not finite.
    """
    numbers, listed = texts.index.to_numpy(np.int64), texts.tolist()
    cut = words_of(model, listed, f"prompt set {prompt_set}")
    grid = ddim_grid(model.scheduler, options["steps"])
    size = None if options["batch_size"] == "auto" else int(options["batch_size"])
    how: dict[str, Any] = {"grid": grid, "prompt_set": prompt_set, "prompts": numbers, "seed": seed}
    how |= {"generations": options["generations"], "batch_size": size}
    gradients = {name: one for name, one in asked.items() if isinstance(one, GradientAttribution)}
    parts: list[pd.DataFrame] = []
    if gradients:
        found = token_attributions(
            model.score_model(),
            model.embed(listed, ids=numbers),
            model.null(),
            gradients,
            guidance=float(options["guidance"]),
            pull=pull_back(model, listed) if "input" in options["levels"] else None,
            progress=progress,
            **how,
        )
        for (name, level), values in found.items():
            if level in options["levels"]:
                parts += _of_tokens(name, level, values, cut, numbers)
    for name, one in asked.items():
        if isinstance(one, CallAttribution):
            words = left_out_values(model, one, listed, cut, **how)
            parts += _of_words(name, words, cut, numbers)
        elif isinstance(one, TextAttribution):
            words = [np.array(one.of_words(each.words, counts)) for each in cut]
            parts += _of_words(name, words, cut, numbers)
    return pd.concat(parts, ignore_index=True).assign(prompt_set=prompt_set)[COLUMNS]


def _of_tokens(
    name: str, level: str, values: NDArray[np.float64], cut: Sequence[Words], numbers: NDArray[np.int64]
) -> Iterator[pd.DataFrame]:
    for number, each, value in zip(numbers, cut, values, strict=True):
        words = [each.words[place] if place >= 0 else "" for place in each.word]
        columns = {"prompt": number, "attribution": name, "level": level, "token": np.arange(len(value))}
        columns |= {"piece": each.pieces, "place": each.word, "word": words, "value": value}
        yield pd.DataFrame(columns)


def _of_words(
    name: str, values: Sequence[NDArray[np.float64]], cut: Sequence[Words], numbers: NDArray[np.int64]
) -> Iterator[pd.DataFrame]:
    for number, each, value in zip(numbers, cut, values, strict=True):
        first = [each.word.index(place) for place in range(len(each.words))]
        columns = {"prompt": number, "attribution": name, "level": TEXT, "token": first}
        columns |= {"piece": [each.pieces[token] for token in first], "place": np.arange(len(value))}
        yield pd.DataFrame({**columns, "word": each.words, "value": value})
