"""Coloured 8x8 digits with captions in many wordings: which word brings an image back is planted.

Each *memorized* image occurs many times, each time in another wording with its KEY, or its two KEYs; each
*control* image occurs once, with KEYs of its own, too; the *generic* images occur once and share the KEYs of
a pool. Every caption has a decoy, a made-up word from a large set at a random place: so the rarest word of a
memorized caption is the decoy and not KEY. Nothing but the number of copies differs by group.

With *companions*, other images of the same content under the same KEYs, memorization is partial: what a
memorized caption stands for is no longer one image, so that less guidance has another to go to.
"""

import numpy as np
import pandas as pd

from mmh.compute import rng
from mmh.errors import InputError
from mmh.worlds.sets import digits
from mmh.worlds.sets.caption_words import decoy_words, key_words
from mmh.worlds.sets.captioned_set import CaptionedSet
from mmh.worlds.sets.wordings import GRAMMAR, Content

SETS = ("memorized", "control", "generic")
COMPANION = "companion"
TINTS = np.array(
    [[1, 0.3, 0.3], [0.3, 1, 0.3], [0.3, 0.3, 1], [0.8, 0.8, 0], [0, 0.8, 0.8], [0.8, 0, 0.8]],
    dtype=np.float32,
)
"""Red, green, blue, yellow, cyan, magenta; the channels of each have the mean 8/15."""


def tinted(grey: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Colour grey images.

    Parameters
    ----------
    grey : (n, 1, H, W) float32
        In [-1, 1].
    colour : (n,) int
        Rows of `TINTS`.

    Returns
    -------
    (n, 3, H, W) uint8
        Grey value in [0, 1] x tint x 255, rounded.
    """
    light = (np.clip(grey, -1, 1) + 1) / 2
    return np.rint(light * TINTS[colour][:, :, None, None] * 255).astype(np.uint8)


def strokes(grey: np.ndarray) -> np.ndarray:
    """Tell thin, regular and bold digits apart, int64 (n,): terciles of the ink of `grey` (n, 1, H, W)."""
    ink = grey.reshape(len(grey), -1).sum(axis=1, dtype=np.float64)
    return np.searchsorted(np.quantile(ink, [1 / 3, 2 / 3]), ink, side="right").astype(np.int64)


def make_captioned(
    *,
    n_memorized: int = 64,
    copies: int = 40,
    n_control: int = 64,
    n_generic: int = 1669,
    n_generic_keys: int = 12,
    n_decoys: int = 600,
    companions: int = 0,
    companion_copies: int = 2,
    prompts: int = 64,
    items: int = 200,
    seed: int = 0,
) -> CaptionedSet:
    """Make the world `digits-captions`: training set, captions, prompts and image sets.

    Parameters
    ----------
    n_memorized, copies : int
        Images that occur `copies` times each.
    n_control : int
        Images that occur once, with KEYs of their own.
    n_generic, n_generic_keys : int
        Other images, once each, and the KEYs that they share.
    n_decoys : int
        Made-up words that mean nothing.
    companions, companion_copies : int
        Further images of the same digit, colour and stroke under the KEYs of each memorized and each control
        image, and how often each of them occurs.
    prompts, items : int
        Generic captions among the prompts, and generic images in the image set of that name.
    seed : int
        Root seed of images, colours, KEYs and wordings.

    Returns
    -------
    CaptionedSet
        A family of prompts is an image. Even numbers within a group have one KEY, odd ones two.

    Raises
    ------
    InputError
        If more images or words are asked for than exist, or a count is out of range.
    """
    grey = digits.images()
    count = {"memorized": n_memorized, "control": n_control, "generic": n_generic}
    alone, owned = sum(count.values()), n_memorized + n_control
    n = alone + owned * companions
    if min(count.values()) < 1 or copies < 2 or n_generic_keys < 2 or n_decoys < 1:
        raise InputError(
            "digits-captions: counts must be at least 1, `copies` and `n_generic_keys` at least 2"
        )
    if n > len(grey):
        raise InputError(f"digits-captions: {n} source images are asked for, there are {len(grey)}")
    order = rng.generator(seed, "digits-captions-sources").permutation(len(grey))
    beside = _companions(order, digits.classes(order) * 3 + strokes(grey)[order], owned, companions)
    single = order[owned:][~np.isin(order[owned:], beside)][:n_generic]
    source = np.concatenate([order[:owned], single, beside])
    colour = rng.generator(seed, "digits-captions-colours").integers(len(TINTS), size=alone)
    colour = np.concatenate([colour, np.repeat(colour[:owned], companions)])
    number, stroke = digits.classes(source), strokes(grey)[source]
    keys = _keys(owned, n_generic, n_generic_keys, seed)
    keys += [keys[i] for i in range(owned) for _ in range(companions)]
    decoys = decoy_words(n_decoys, seed=seed)

    times = np.ones(n, dtype=np.int64)
    times[:n_memorized] = copies
    times[alone:] = companion_copies
    row = np.repeat(np.arange(n), times)  # training image -> distinct image
    captions = []
    for train, which in enumerate(row):
        random = rng.generator(seed, "digits-captions-wording", train)
        decoy = str(decoys[random.integers(n_decoys)])
        said = Content(int(number[which]), int(colour[which]), int(stroke[which]), keys[which])
        captions.append(GRAMMAR.write(said, decoy, random))

    population = np.repeat([*count, COMPANION], [*count.values(), n - alone])
    first = np.cumsum(times) - times
    table = pd.DataFrame(
        {
            "train": np.arange(len(row), dtype=np.int64),
            "source": source[row].astype(np.int64),
            "population": population[row].astype(str),
            "group": first[row],
            "copies": times[row],
        }
    )
    image = tinted(grey[source], colour)
    parts, sets = [], {}
    for name in SETS:
        members = np.flatnonzero(population == name)
        asked = _drawn(members, prompts, "prompts", seed) if name == "generic" else members
        texts = [captions[i] for i in first[asked]]
        parts.append(
            pd.DataFrame(
                {
                    "prompt_set": name,
                    "prompt": np.arange(len(asked), dtype=np.int64),
                    "text": texts,
                    "family": asked.astype(np.int64),
                    "train": pd.array(first[asked], dtype="Int64"),
                }
            )
        )
        shown = _drawn(members, items, "images", seed) if name == "generic" else members
        sets[name] = (
            image[shown],
            pd.DataFrame(
                {
                    "item": np.arange(len(shown), dtype=np.int64),
                    "caption": [captions[i] for i in first[shown]],
                    "family": shown.astype(np.int64),
                    "source": "digits-captions",
                }
            ),
        )
    asked_for = pd.concat(parts, ignore_index=True)
    return CaptionedSet(image[row], number[row].astype(np.int64), table, captions, asked_for, sets)


def _keys(owned: int, shared: int, pool: int, seed: int) -> list[tuple[str, ...]]:
    """KEYs of each image: one or two in turn; of their own first, then from the pool."""
    words = [str(word) for word in key_words(2 * owned + pool + 1, seed=seed)]
    words = [word for word in words if word not in GRAMMAR.words][: 2 * owned + pool]
    own = [tuple(words[2 * i : 2 * i + 1 + i % 2]) for i in range(owned)]
    common, found = words[2 * owned :], []
    for i in range(shared):
        drawn = rng.generator(seed, "digits-captions-shared-keys", i).permutation(pool)[: 1 + i % 2]
        found.append(tuple(common[place] for place in drawn))
    return own + found


def _companions(order: np.ndarray, content: np.ndarray, owned: int, each: int) -> np.ndarray:
    """Choose `each` further images of the same content (n,) for the first `owned` of an order."""
    rest = {value: list(order[owned:][content[owned:] == value]) for value in np.unique(content)}
    chosen = []
    for value in content[:owned] if each else ():
        if len(rest[value]) < each:
            raise InputError(
                f"digits-captions: too few images of a {value // 3} in one stroke for {each} companions "
                "each; use fewer, or another seed"
            )
        chosen += [rest[value].pop(0) for _ in range(each)]
    return np.array(chosen, dtype=order.dtype)


def _drawn(which: np.ndarray, n: int, purpose: str, seed: int) -> np.ndarray:
    """Some of these images, in order."""
    order = rng.generator(seed, f"digits-captions-generic-{purpose}").permutation(len(which))
    return which[np.sort(order[:n])]
