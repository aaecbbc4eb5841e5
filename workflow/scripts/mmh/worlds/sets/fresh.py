"""Test sets: points of the law that a world's training set comes from, and that are not in it.

They keep the proportions of the training set, its repeated images included: under that law these have a
positive probability, so a draw of it holds them again.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mmh.compute import rng
from mmh.worlds.sets import digits
from mmh.worlds.sets.von_mises_law import VonMisesLaw

FRESH_POINTS = 5000
Fresh = tuple[np.ndarray, np.ndarray]
"""Items (m, ...), and bool (m,): whether an item is one that the training set repeats."""


def of_digits(options: Mapping[str, Any]) -> Fresh:
    """Every unseen digit, and as many repeated images and new variants of the template as belong to them."""
    x, table = digits.make(**options)
    return _in_proportion(x, table, options["patch"], options["seed"])


def of_overfit(options: Mapping[str, Any]) -> Fresh:
    """Every digit that the few training images leave."""
    x, table = digits.make_overfit(**options)
    return _in_proportion(x, table, 1, options["seed"])


def of_von_mises(options: Mapping[str, Any]) -> Fresh:
    """New points of the circle and of the origin."""
    law = VonMisesLaw(options["concentration"], options["centre_weight"])
    angle, atom = law.draw(rng.generator(options["seed"], "fresh"), (FRESH_POINTS,))
    x = np.where(atom[:, None], 0.0, np.stack([np.cos(angle), np.sin(angle)], axis=1))
    return x.astype(np.float32), atom


def _in_proportion(x: np.ndarray, table: pd.DataFrame, patch: int, seed: int) -> Fresh:
    pool, population = digits.images(), table["population"].to_numpy()
    unseen = np.setdiff1d(np.arange(len(pool)), table["source"])
    scale = len(unseen) / (population == "ordinary").sum()
    repeated = x[(population == "duplicate") & (table["group"] == table["train"]).to_numpy()]
    times = (
        round(scale * table["copies"].where(table["population"] == "duplicate").max()) if len(repeated) else 0
    )
    variants = x[population == "template"][:1].repeat(round(scale * (population == "template").sum()), axis=0)
    free = digits.free_pixels(patch)
    for number, variant in enumerate(variants):
        values = rng.generator(seed, "fresh-template", number).uniform(-1.0, 1.0, size=int(free.sum()))
        variant[free] = values.astype(np.float32)
    items = np.concatenate([pool[unseen], repeated.repeat(times, axis=0), variants])
    atom = np.repeat([False, True, False], [len(unseen), times * len(repeated), len(variants)])
    return items, atom
