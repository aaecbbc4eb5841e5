"""A plane mixture of two round Gaussians symmetric about 0: a rare narrow mode and a common wide one.

The toy of Jeon et al. (2025), which gives weights (5 : 95) and says "tiny" and "large" of the covariances.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mmh.compute import rng
from mmh.errors import InputError

if TYPE_CHECKING:
    from mmh.diffusion.schedule import Schedule
    from mmh.oracles.exact import Mixture

MODES = ("memorized", "other")
"""Populations: the narrow mode, and the wide one."""
_CLEAN = 1e-12


def make(
    *, n_train: int, share: float, offset: float, narrow: float, wide: float, seed: int
) -> tuple[np.ndarray, pd.DataFrame]:
    """Draw a training set from the mixture.

    Parameters
    ----------
    n_train : int
        Number of points.
    share : float
        Probability of the narrow mode.
    offset : float
        The narrow mode lies at (-offset, -offset), the wide one at (offset, offset).
    narrow, wide : float
        Standard deviations.
    seed : int
        Root seed of the draw.

    Returns
    -------
    x : (n, 2) float32
        Points, in the order of the draw.
    table : pandas.DataFrame
        `train`, `source` and `group` (the row), `population` (one of `MODES`), `copies` (1).

    Raises
    ------
    InputError
        If the draw leaves a mode without points.
    """
    generator = rng.generator(seed, "two-modes")
    rare = generator.uniform(size=n_train) < share
    if rare.all() or not rare.any():
        raise InputError(f"sharpness-toy: seed {seed} leaves a mode without points; take more than {n_train}")
    spread, side = np.where(rare, narrow, wide), np.where(rare, -offset, offset)
    x = side[:, None] + spread[:, None] * generator.standard_normal((n_train, 2))
    ids = np.arange(n_train, dtype=np.int64)
    table = pd.DataFrame(
        {
            "train": ids,
            "source": ids,
            "population": np.where(rare, *MODES).astype(str),
            "group": ids,
            "copies": np.ones(n_train, dtype=np.int64),
        }
    )
    return x.astype(np.float32), table


def oracle(options: Mapping[str, Any], schedule: "Schedule") -> "Mixture":
    """Give the law of a section `data` with its exact score.

    Parameters
    ----------
    options : mapping
        As for `make`; `n_train` and `seed` are not looked at.
    schedule : Schedule
        Of the noise.

    Returns
    -------
    mmh.oracles.exact.Mixture
        Part 0 is the narrow mode.
    """
    from mmh.oracles.exact import GaussianPart, Mixture

    parts = [
        GaussianPart.from_covariance(side * options["offset"] * np.ones(2), options[name] ** 2 * np.eye(2))
        for side, name in ((-1.0, "narrow"), (1.0, "wide"))
    ]
    return Mixture(parts, schedule, weights=[options["share"], 1.0 - options["share"]])


def modes(x: np.ndarray, law: "Mixture") -> np.ndarray:
    """Say which mode each point lies in, by the larger posterior probability.

    Parameters
    ----------
    x : (n, 2) float
        Clean points.
    law : mmh.oracles.exact.Mixture
        From `oracle`.

    Returns
    -------
    (n,) str
        One of `MODES`.
    """
    return np.array(MODES)[law.posterior(x, _CLEAN).argmax(axis=1)]
