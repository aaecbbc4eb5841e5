"""Captioned 8x8 digits: repeated images, controls and ordinary images whose captions do not tell them apart.

Every caption reads "the KEY plate with digit three". KEY is a made-up word of six letters. Each *memorized*
image occurs many times under a KEY of its own; each *control* image occurs once, also under a KEY of its own;
the *generic* images occur once and share the KEYs of a small pool. Images, KEYs and the first two groups are
matched by chance alone, so a caption with a KEY of its own does not say how often its image was seen. With
*companions*, other images of the same digit that occur once under each of these KEYs, a caption does not name
one image alone, and a model copies the repeated one in a share of its samples.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmh.compute import rng
from mmh.errors import InputError
from mmh.worlds.sets import digits
from mmh.worlds.sets.caption_words import caption, key_words
from mmh.worlds.sets.captioned_set import CaptionedSet

SETS = ("memorized", "control", "generic")
COMPANION = "companion"  # population of images that share the KEY of a memorized or a control image


@dataclass(frozen=True)
class CaptionedDigits:
    """A captioned training set.

    Attributes
    ----------
    image : numpy.ndarray
        uint8 (n, 3, 8, 8), grey repeated over three channels: memorized images with their copies next to each
        other, then controls, then generic ones, then the companions of the first two.
    table : pandas.DataFrame
        `train`, `source`, `population` (one of `SETS`, or `COMPANION`), `group`, `copies`, as for the other
        worlds.
    caption : list of str
        One per training image.
    family : numpy.ndarray
        int64 (n,), images of one caption share a family, numbered 0.. in order of first use.
    """

    image: np.ndarray
    table: pd.DataFrame
    caption: list[str]
    family: np.ndarray


def make(
    *,
    n_memorized: int = 64,
    copies: int = 40,
    n_control: int = 64,
    n_generic: int = 1669,
    n_generic_keys: int = 10,
    companions: int = 0,
    seed: int = 0,
) -> CaptionedDigits:
    """Make the captioned training set from distinct digits drawn by `seed`.

    Parameters
    ----------
    n_memorized, copies : int
        Images that occur `copies` times each, each with a KEY of its own.
    n_control : int
        Images that occur once, each with a KEY of its own.
    n_generic, n_generic_keys : int
        Other images, once each, and the KEYs that they share.
    companions : int
        Further images of the same digit, once each, under the KEY of each memorized and each control image.
    seed : int
        Root seed of the draw of images, of KEYs, and of which goes where.

    Returns
    -------
    CaptionedDigits

    Raises
    ------
    InputError
        If more images are asked for than exist, or a count is out of range.
    """
    pool = digits.images()
    owned = n_memorized + n_control
    needed = owned * (1 + companions) + n_generic
    if min(n_memorized, n_control, n_generic, n_generic_keys) < 1 or copies < 2 or companions < 0:
        raise InputError("digits-text: every count must be at least 1, and `copies` at least 2")
    if needed > len(pool):
        raise InputError(f"digits-text: {needed} source images are asked for, there are {len(pool)}")
    order = rng.generator(seed, "digits-text-sources").permutation(len(pool))
    beside = _companions(order, owned, companions)
    single = order[owned:][~np.isin(order[owned:], beside)][:n_generic]
    source = np.concatenate([order[:owned], single, beside])
    words = key_words(owned + n_generic_keys, seed=seed)
    shared = rng.generator(seed, "digits-text-shared-keys").integers(n_generic_keys, size=n_generic)
    own = np.arange(owned)
    number = np.concatenate([own, owned + shared, np.repeat(own, companions)])
    distinct = [caption(words[key], digit) for key, digit in zip(number, digits.classes(source), strict=True)]

    count = np.ones(needed, dtype=np.int64)
    count[:n_memorized] = copies
    row = np.repeat(np.arange(needed), count)  # training image -> distinct image
    population = np.repeat([*SETS, COMPANION], [n_memorized, n_control, n_generic, owned * companions])
    table = pd.DataFrame(
        {
            "train": np.arange(len(row), dtype=np.int64),
            "source": source[row].astype(np.int64),
            "population": population[row].astype(str),
            "group": (np.cumsum(count) - count)[row],
            "copies": count[row],
        }
    )
    family = pd.factorize(np.array(distinct, dtype=object))[0].astype(np.int64)
    return CaptionedDigits(to_rgb(pool[source])[row], table, [distinct[i] for i in row], family[row])


def _companions(order: np.ndarray, owned: int, each: int) -> np.ndarray:
    """Choose `each` further images of the same digit for the first `owned` of an order, in that order."""
    shown = digits.classes(order)
    rest = {digit: list(order[owned:][shown[owned:] == digit]) for digit in range(10)}
    chosen = []
    for digit in shown[:owned] if each else ():
        if len(rest[digit]) < each:
            raise InputError(
                f"digits-text: too few images of a {digit} for {each} companions each; use fewer"
            )
        chosen += [rest[digit].pop(0) for _ in range(each)]
    return np.array(chosen, dtype=order.dtype)


def make_captioned(*, prompts: int, items: int, seed: int, **options: int) -> CaptionedSet:
    """Make the world `digits-text`: training set, captions, prompts and image sets.

    Parameters
    ----------
    prompts, items : int
        Generic captions among the prompts, and generic images in the image set of that name.
    seed, **options
        As for `make`.

    Returns
    -------
    CaptionedSet
    """
    world = make(seed=seed, **options)
    label = digits.classes(world.table["source"].to_numpy())
    asked = list_prompts(world, n_generic=prompts, seed=seed)
    found = {name: image_set(world, name, n_generic=items, seed=seed) for name in SETS}
    sets = {name: (image, table) for name, (image, _, table) in found.items()}
    return CaptionedSet(world.image, label, world.table, world.caption, asked, sets)


def to_rgb(x: np.ndarray) -> np.ndarray:
    """Turn grey floats into RGB bytes.

    Parameters
    ----------
    x : (n, 1, H, W) float32
        Grey values in [-1, 1].

    Returns
    -------
    (n, 3, H, W) uint8
        Read back as x / 127.5 - 1, within 1/255 of `x`.
    """
    grey = np.rint((np.clip(x, -1, 1) + 1) * 127.5).astype(np.uint8)
    return np.repeat(grey, 3, axis=1)


def list_prompts(world: CaptionedDigits, *, n_generic: int = 64, seed: int = 0) -> pd.DataFrame:
    """List the prompts: each caption of the memorized and the control images, and some generic ones.

    Parameters
    ----------
    world : CaptionedDigits
    n_generic : int
        Generic captions drawn by `seed`; all of them if there are fewer.
    seed : int
        Root seed of that draw.

    Returns
    -------
    pandas.DataFrame
        `prompt_set` str, `prompt` int64 from 0 within its set, `text` str, `family` int64 (one per caption),
        `train` Int64: smallest id of the caption's training image; null where several images share it, unless
        the others are the companions of one.
    """
    rows = world.table.assign(text=world.caption, family=world.family)
    one = rows.groupby("family", sort=True).agg(
        prompt_set=("population", "first"),
        text=("text", "first"),
        train=("group", "min"),
    )
    images = rows[rows["population"] != COMPANION].groupby("family")["group"].nunique()
    one["train"] = one["train"].astype("Int64").where(images == 1)
    parts = []
    for name in SETS:
        part = one[one["prompt_set"] == name].reset_index()
        if name == "generic":
            chosen = rng.generator(seed, "digits-text-generic-prompts").permutation(len(part))[:n_generic]
            part = part.iloc[np.sort(chosen)]
        parts.append(part.assign(prompt=np.arange(len(part), dtype=np.int64)))
    return pd.concat(parts, ignore_index=True)[["prompt_set", "prompt", "text", "family", "train"]]


def image_set(
    world: CaptionedDigits, name: str, *, n_generic: int = 200, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Take the real images of one set, each distinct one once.

    Parameters
    ----------
    world : CaptionedDigits
    name : str
        One of `SETS`.
    n_generic : int
        Generic images drawn by `seed`; all of them if there are fewer.
    seed : int
        Root seed of that draw.

    Returns
    -------
    image : (n, 3, 8, 8) uint8
    train : (n,) int64
        Smallest training id of each image.
    table : pandas.DataFrame
        `item` int64 from 0, `caption` str, `family` int64 (one per caption), `source` str.

    Raises
    ------
    InputError
        If the set does not exist.
    """
    if name not in SETS:
        raise InputError(f"digits-text has no image set '{name}'; choose one of {', '.join(SETS)}")
    first = world.table[(world.table["population"] == name) & (world.table["train"] == world.table["group"])]
    train = first["train"].to_numpy(np.int64)
    if name == "generic":
        chosen = rng.generator(seed, "digits-text-generic-images").permutation(len(train))[:n_generic]
        train = train[np.sort(chosen)]
    table = pd.DataFrame(
        {
            "item": np.arange(len(train), dtype=np.int64),
            "caption": [world.caption[i] for i in train],
            "family": world.family[train],
            "source": "digits-text",
        }
    )
    return world.image[train], train, table
