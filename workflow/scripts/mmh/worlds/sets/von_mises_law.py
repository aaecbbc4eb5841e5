"""The law of the von Mises mixture itself: its mass in any ball, its atom, and the three places of Fig. 4."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from mmh.errors import InputError
from mmh.worlds.sets.von_mises import CONCENTRATION, WEIGHT_AT_ORIGIN

LID = {"isolated": 1, "centre": 0, "arc": 1}
"""LID_* at each place."""


@dataclass(frozen=True)
class VonMisesLaw:
    """A von Mises law on the unit circle, mixed with a point mass at the origin.

    Attributes
    ----------
    concentration : float
        kappa of the von Mises law, not negative; its mean direction is the positive first axis.
    centre_weight : float
        Probability of the origin, in [0, 1).
    """

    concentration: float = CONCENTRATION
    centre_weight: float = WEIGHT_AT_ORIGIN

    @property
    def atom(self) -> float:
        """Probability of the only point of positive probability."""
        return self.centre_weight

    def without_atom(self) -> "VonMisesLaw":
        """The same law, given that a point is not the atom."""
        return replace(self, centre_weight=0.0)

    def mass(self, centre: np.ndarray, radii: np.ndarray) -> np.ndarray:
        """Probability of closed balls of the plane about one point.

        A point of the circle at the angle a lies within r of a point at the distance s and the angle b if
        cos(a - b) >= (1 + s^2 - r^2) / (2 s): the ball cuts out an arc, whose mass is a difference of the
        distribution function.

        Parameters
        ----------
        centre : (2,) float
            Centre of the balls.
        radii : (k,) float
            Radii, not negative.

        Returns
        -------
        (k,) float64
            In [0, 1].

        Raises
        ------
        InputError
            If a radius is negative or the centre is no point of the plane.
        """
        from scipy.stats import vonmises

        centre, radii = np.asarray(centre, dtype=np.float64), np.asarray(radii, dtype=np.float64)
        if centre.shape != (2,) or (radii < 0).any():
            raise InputError(f"balls need a centre (2,) and radii >= 0, got {centre.shape} and {radii.min()}")
        s, b = np.hypot(*centre), np.arctan2(centre[1], centre[0])
        if s == 0:
            half = np.where(radii >= 1, np.pi, 0.0)
        else:
            half = np.arccos(np.clip((1 + s * s - radii**2) / (2 * s), -1.0, 1.0))
        arc = half / np.pi
        if self.concentration > 0:  # scipy's distribution function goes on beyond a turn, by 1 for each
            arc = vonmises.cdf(b + half, self.concentration) - vonmises.cdf(b - half, self.concentration)
        at_origin = np.where(radii >= s, self.centre_weight, 0.0)
        return np.clip(at_origin + (1 - self.centre_weight) * arc, 0.0, 1.0)

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Draw points in double precision, in which two points of the circle that differ stay apart.

        Parameters
        ----------
        generator : numpy.random.Generator
            Source of randomness.
        shape : tuple of int
            How many.

        Returns
        -------
        angle : `shape` float64
            Angle of each point; NaN at the origin.
        atom : `shape` bool
            Whether it is the origin, the only point of positive probability.
        """
        atom = generator.uniform(size=shape) < self.centre_weight
        angle = generator.vonmises(0.0, self.concentration, size=shape)
        return np.where(atom, np.nan, angle), atom


def make(options: Mapping[str, Any]) -> VonMisesLaw:
    """Give the law of a section `data` of this world."""
    return VonMisesLaw(options["concentration"], options["centre_weight"])


def places(x: np.ndarray, table: pd.DataFrame) -> pd.DataFrame:
    """Choose the training points that the three places are about.

    Parameters
    ----------
    x : (n, 2) float
        Training points.
    table : pandas.DataFrame
        Their table, with `train` and `population`.

    Returns
    -------
    pandas.DataFrame
        `place`, `train`, `lid_data`: x0; the first point at the origin; and the point of the arc that is
        nearest to the law's mode, the angle 0. A place that the draw has no point of is absent.
    """
    population = table["population"].to_numpy()
    from_mode = np.abs(np.arctan2(x[:, 1], x[:, 0]))
    rows = []
    for place, lid in LID.items():
        here = np.flatnonzero(population == place)
        if len(here):
            row = here[from_mode[here].argmin()] if place == "arc" else here[0]
            rows.append((place, int(table["train"].iloc[row]), lid))
    return pd.DataFrame(rows, columns=["place", "train", "lid_data"])
