"""Occlusion, the measured truth of an attribution: what the images lose if one word is replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmh.attributed.span import without
from mmh.compute import rng
from mmh.errors import InputError
from mmh.mitigated.measures import Embed, Truth
from mmh.models.latent.caption_tokens import words_of
from mmh.models.latent.model import TextToImageModel
from mmh.prompts.scoring import prompt_scores
from mmh.sampling.guided import ddim_grid
from mmh.worlds.sets.wordings import Grammar

Similar = Callable[[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]
"""Images (n, 3, H, W), their ids, the numbers of their prompts -> similarity to the training image (n,)."""


def similarity_to(truth: Truth, embedded: Embed, prompt_set: str) -> Similar:
    """Give the cosine of images to the training images of their prompts, by the copy descriptor.

    Parameters
    ----------
    truth : Truth
        Training images.
    embedded : callable
        Images and their ids to unit embeddings.
    prompt_set : str
        Whose prompts are asked for.

    Returns
    -------
    callable
        See `Similar`; a prompt without a training image at hand is an `InputError`.
    """
    place = {int(number): row for row, number in enumerate(truth.ids)}

    def similar(
        image: NDArray[np.uint8], ids: NDArray[np.int64], prompt: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        wanted = []
        for number in prompt.tolist():
            train = truth.train.get((prompt_set, number))
            if train is None or int(train) not in place:
                raise InputError(
                    f"prompt {number} of set {prompt_set} has no training image to compare with; occlusion "
                    "needs prompts of known images"
                )
            wanted.append(int(train))
        own, which = np.unique(wanted, return_inverse=True)
        of_own = embedded(truth.image[[place[number] for number in own]], own)[which]
        return np.asarray((embedded(image, ids) * of_own).sum(axis=1, dtype=np.float64))

    return similar


def occluded_texts(
    words: Sequence[str],
    *,
    grammar: Grammar | None,
    others: Sequence[str],
    seed: int,
    prompt: int,
    prompt_set: str,
) -> list[tuple[str, str]]:
    """Replace each word in turn.

    Parameters
    ----------
    words : sequence of str
        Of one caption.
    grammar : Grammar or None
        Says what may stand for a word; without it the word is left out.
    others : sequence of str
        From `mmh.worlds.sets.caption_words.shared_words`.
    seed, prompt, prompt_set
        What the draw of a replacement depends on.

    Returns
    -------
    list of (str, str)
        The new word, empty if none, and the caption with it, for each word.
    """
    found = []
    for place, word in enumerate(words):
        if grammar is None:
            found.append(("", without(words, place)))
            continue
        random = rng.generator(seed, f"occlusion:{prompt_set}", prompt, place)
        new = grammar.replacement(word, others, random)
        found.append((new, " ".join([*words[:place], new, *words[place + 1 :]])))
    return found


def occlude_span(
    model: TextToImageModel,
    texts: pd.Series,
    *,
    prompt_set: str,
    options: dict[str, Any],
    grammar: Grammar | None,
    others: Sequence[str],
    similar: Similar,
    seed: int,
    progress: Callable[..., None] | None = None,
) -> pd.DataFrame:
    """Sample prompts whole and with each word replaced, from the same noises, and compare their similarities.

    Parameters
    ----------
    model : TextToImageModel
    texts : pandas.Series
        The prompts, indexed by their numbers within the set.
    prompt_set : str
    options : dict
        `generations`, `steps`, `guidance`, `batch_size`, `decode_batch_size`.
    grammar, others
        As for `occluded_texts`.
    similar : callable
        See `Similar`.
    seed : int
        Root seed.
    progress : callable, optional
        Called with the number of finished rounds, one for each place of a word and one of the whole prompts.

    Returns
    -------
    pandas.DataFrame
        `prompt_set`, `prompt`, `place`, `word`, `replacement`, `whole` and `occluded` (mean similarity of
        the generations to the training image), `drop`.
    """
    numbers = texts.index.to_numpy(np.int64)
    cut = words_of(model, texts.tolist(), f"prompt set {prompt_set}")
    changed = [
        occluded_texts(
            each.words, grammar=grammar, others=others, seed=seed, prompt=int(number), prompt_set=prompt_set
        )
        for number, each in zip(numbers, cut, strict=True)
    ]
    grid, count = ddim_grid(model.scheduler, options["steps"]), int(options["generations"])
    size = None if options["batch_size"] == "auto" else int(options["batch_size"])
    decoding = 8 if options["decode_batch_size"] == "auto" else int(options["decode_batch_size"])

    def similarity(which: NDArray[np.int64], captions: Sequence[str]) -> NDArray[np.float64]:
        prompts = numbers[which]
        found = prompt_scores(
            model.score_model(),
            model.embed(captions, ids=prompts),
            model.null(),
            grid=grid,
            prompt_set=prompt_set,
            prompts=prompts,
            generations=count,
            guidance=float(options["guidance"]),
            metrics=[],
            seed=seed,
            batch_size=size,
        )
        prompt = np.repeat(prompts, count)
        ids = prompt * count + np.tile(np.arange(count), len(prompts))
        image = model.decode(found.latents, batch_size=decoding, ids=ids)
        return similar(image, ids, prompt).reshape(-1, count).mean(axis=1)

    whole = similarity(np.arange(len(numbers)), [" ".join(each.words) for each in cut])
    rows = []
    places = max(len(each.words) for each in cut)
    for place in range(places):
        which = np.array([i for i, each in enumerate(cut) if place < len(each.words)], dtype=np.int64)
        found = similarity(which, [changed[i][place][1] for i in which])
        rows.append(
            pd.DataFrame(
                {
                    "prompt_set": prompt_set,
                    "prompt": numbers[which],
                    "place": place,
                    "word": [cut[i].words[place] for i in which],
                    "replacement": [changed[i][place][0] for i in which],
                    "whole": whole[which],
                    "occluded": found,
                    "drop": whole[which] - found,
                }
            )
        )
        if progress is not None:
            progress(place + 1)
    return pd.concat(rows, ignore_index=True).sort_values(["prompt", "place"], ignore_index=True)
