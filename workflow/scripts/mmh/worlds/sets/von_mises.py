"""A plane mixture: a von Mises law on the unit circle and a point mass at the origin.

True LID: 1 on the circle, 0 at the origin. A point that happens to lie alone on the circle is what a model
overfits, and how alone it lies is decided by the seed; `most_isolated` is the search for a good one.
"""

import numpy as np
import pandas as pd

from mmh.compute import rng
from mmh.errors import InputError

CONCENTRATION = 2.0
WEIGHT_AT_ORIGIN = 0.3
REGIONS = ("isolated", "centre", "arc", "off")


def make(
    *,
    n_train: int = 100,
    centre_weight: float = WEIGHT_AT_ORIGIN,
    concentration: float = CONCENTRATION,
    seed: int = 0,
) -> tuple[np.ndarray, pd.DataFrame]:
    """Draw a training set from the mixture.

    Parameters
    ----------
    n_train : int
        Number of points.
    centre_weight : float
        Probability of the origin, in [0, 1).
    concentration : float
        Of the von Mises law, whose mean direction is the positive first axis.
    seed : int
        Root seed of the draw; see `most_isolated`.

    Returns
    -------
    x : (n, 2) float32
        Points, on the unit circle or at the origin.
    table : pandas.DataFrame
        `train`, `source` (equal to `train`), `population` (`centre`, `arc`, and `isolated` for the arc point
        farthest from its nearest neighbour), `group` (the points at the origin are exact duplicates) and
        `copies`.

    Raises
    ------
    InputError
        If an option is out of range, or the draw leaves fewer than two points on the circle.
    """
    if n_train < 2 or not 0.0 <= centre_weight < 1.0 or concentration < 0.0:
        raise InputError("von-mises: n_train >= 2, centre_weight in [0, 1) and concentration >= 0 are needed")
    generator = rng.generator(seed, "von-mises")
    centre = generator.uniform(size=n_train) < centre_weight
    angle = generator.vonmises(0.0, concentration, size=n_train)
    if n_train - centre.sum() < 2:
        raise InputError(f"von-mises: seed {seed} puts fewer than two of {n_train} points on the circle")
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    x[centre] = 0.0
    population = np.where(centre, "centre", "arc").astype(object)
    population[isolated_point(x)[0]] = "isolated"
    ids = np.arange(n_train, dtype=np.int64)
    first = int(np.argmax(centre)) if centre.any() else 0
    table = pd.DataFrame(
        {
            "train": ids,
            "source": ids,
            "population": population.astype(str),
            "group": np.where(centre, first, ids),
            "copies": np.where(centre, centre.sum(), 1).astype(np.int64),
        }
    )
    return x, table


def isolated_point(train: np.ndarray) -> tuple[int, float]:
    """Find the point on the circle that is farthest from its nearest neighbour.

    Parameters
    ----------
    train : (n, 2) float
        Training points; those within 0.5 of the origin count as the centre.

    Returns
    -------
    row : int
        Its row in `train`.
    gap : float
        Euclidean distance to the nearest other point on the circle. The centre, at distance 1 from all of
        them, is not counted: it would cap every gap at 1.
    """
    on_circle = np.flatnonzero(np.linalg.norm(train, axis=1) > 0.5)
    points = train[on_circle].astype(np.float64)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    gaps = distance.min(axis=1)
    return int(on_circle[gaps.argmax()]), float(gaps.max())


def most_isolated(
    seeds: range,
    *,
    n_train: int = 100,
    centre_weight: float = WEIGHT_AT_ORIGIN,
    concentration: float = CONCENTRATION,
    at_most: float = np.inf,
) -> tuple[int, float]:
    """Search seeds for the training set whose most isolated point lies farthest from its neighbours.

    A chosen draw, not a typical one: the paper, too, shows a set in which one point lies alone by chance.

    Parameters
    ----------
    seeds : range
        Seeds to try.
    n_train, centre_weight, concentration
        As for `make`.
    at_most : float
        Gaps above this one are passed over.

    Returns
    -------
    seed : int
        The first seed with the largest gap.
    gap : float
        That gap, a Euclidean distance.
    """
    best = (-1, -np.inf)
    for seed in seeds:
        x, _ = make(n_train=n_train, centre_weight=centre_weight, concentration=concentration, seed=seed)
        gap = isolated_point(x)[1]
        if best[1] < gap <= at_most:
            best = (seed, gap)
    return best


def density(angle: np.ndarray, *, concentration: float = CONCENTRATION) -> np.ndarray:
    """Density of the law on the circle, given that a point is not at the origin.

    Parameters
    ----------
    angle : (n,) float
        Angles, radians.
    concentration : float
        Of the von Mises law.

    Returns
    -------
    (n,) float64
        Density per radian; its integral over a turn is 1.
    """
    return np.exp(concentration * np.cos(angle)) / (2.0 * np.pi * np.i0(concentration))


def regions(x: np.ndarray, train: np.ndarray, *, radius: float = 0.05, width: float = 0.1) -> np.ndarray:
    """Name the part of the plane that each sample lies in.

    Parameters
    ----------
    x : (n, 2) float
        Samples.
    train : (m, 2) float
        Training points; their most isolated one is x0.
    radius : float
        Distance that counts as a copy of x0 or of the centre.
    width : float
        Distance from the circle that counts as on it.

    Returns
    -------
    (n,) str
        `isolated` within `radius` of x0, else `centre` within `radius` of the origin, else `arc` within
        `width` of the circle, else `off`.
    """
    x0 = train[isolated_point(train)[0]]
    norm = np.linalg.norm(x, axis=1)
    near = [np.linalg.norm(x - x0, axis=1) <= radius, norm <= radius, np.abs(norm - 1.0) <= width]
    return np.select(near, REGIONS[:3], REGIONS[3])
