"""Captioned MNIST: many threes once each under one caption, and one nine again and again under another.

The experiment of Jeon et al. (2025) with 3000 threes and one nine 100 times, on the images at hand: 500
threes, and the nine 100 times (their count) or 17 times (their ratio). Text tells the two captions apart, and
there is one memorized image: what is compared are samples of two captions of one model, each with its own
noise.
"""

import numpy as np
import pandas as pd

from mmh.compute import rng
from mmh.errors import InputError
from mmh.worlds.sets import mnist
from mmh.worlds.sets.captioned_digits import to_rgb
from mmh.worlds.sets.captioned_set import CaptionedSet

CAPTIONS = {"memorized": "the digit nine", "control": "the digit three"}
SHOWN = {"memorized": 9, "control": 3}


def make_captioned(
    *, n_threes: int, copies: int, size: int, prompts: int, items: int, views: int, seed: int
) -> CaptionedSet:
    """Make the world `mnist-nine`: training set, captions, prompts and image sets.

    Parameters
    ----------
    n_threes, copies : int
        Threes, once each, and how often the one nine occurs.
    size : {28, 14}
        Side of the images.
    prompts : int
        How often each caption is asked for; each prompt is a family of its own, as it has noise of its own.
    items : int
        Threes of the training set in the image set ``control``, and nines that are not in the training set in
        ``generic``.
    views : int
        How often the nine stands in ``memorized``, as one family.
    seed : int
        Root seed of the choice of images.

    Returns
    -------
    CaptionedSet
        The nine with its copies, then the threes.

    Raises
    ------
    InputError
        If more images are asked for than there are.
    """
    pool, digit = mnist.images(size), mnist.classes()
    nines, threes = (
        rng.generator(seed, "mnist-nine-sources", shown).permutation(np.flatnonzero(digit == shown))
        for shown in (SHOWN["memorized"], SHOWN["control"])
    )
    if n_threes > len(threes) or items >= len(nines):
        raise InputError(f"mnist-nine: there are {len(threes)} threes and {len(nines)} nines; ask for fewer")
    source = np.concatenate([np.repeat(nines[0], copies), threes[:n_threes]])
    population = np.repeat([*CAPTIONS], [copies, n_threes])
    row = np.arange(len(source))
    table = pd.DataFrame(
        {
            "train": row,
            "source": source.astype(np.int64),
            "population": population.astype(str),
            "group": np.where(row < copies, 0, row),
            "copies": np.where(row < copies, copies, 1),
        }
    )
    asked = pd.DataFrame(
        {
            "prompt_set": np.repeat([*CAPTIONS], prompts).astype(str),
            "prompt": np.tile(np.arange(prompts), 2),
            "text": np.repeat([*CAPTIONS.values()], prompts).astype(str),
            "family": np.arange(2 * prompts),
            "train": pd.array([0] * prompts + [None] * prompts, dtype="Int64"),
        }
    )
    chosen = {
        "memorized": np.repeat(nines[:1], views),
        "control": threes[: min(items, n_threes)],
        "generic": nines[1 : items + 1],
    }
    sets = {name: _image_set(pool, which, name) for name, which in chosen.items()}
    texts = [CAPTIONS[name] for name in population]
    return CaptionedSet(to_rgb(pool[source]), digit[source], table, texts, asked, sets)


def _image_set(pool: np.ndarray, which: np.ndarray, name: str) -> tuple[np.ndarray, pd.DataFrame]:
    """Images of a set with their table; each distinct one is a family of its own."""
    ids = np.arange(len(which), dtype=np.int64)
    text = CAPTIONS["control" if name == "control" else "memorized"]
    family = np.searchsorted(np.sort(which), which).astype(np.int64)
    return to_rgb(pool[which]), pd.DataFrame(
        {"item": ids, "caption": text, "family": family, "source": "mnist-nine"}
    )
