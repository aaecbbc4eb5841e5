"""Laws of known dimension with exact scores, from their options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmh.compute import rng
from mmh.errors import InputError
from mmh.oracles.exact import Array, EmpiricalMeasure, Mixture, random_mixture
from mmh.oracles.spheres import Sphere

if TYPE_CHECKING:
    from mmh.diffusion.schedule import Schedule
    from mmh.diffusion.score_model import ScoreModel

KINDS = ("gaussians", "sphere", "points")


@dataclass(frozen=True)
class Law:
    """A law on R^d whose score and local dimension are known.

    Attributes
    ----------
    oracle : Mixture, Sphere or EmpiricalMeasure
        The law with its exact score.
    seed : int
        Root seed of the draws.
    """

    oracle: Mixture | Sphere | EmpiricalMeasure
    seed: int

    @property
    def dim(self) -> int:
        """Ambient dimension d."""
        return self.oracle.model.dim

    def draw(self, n: int, purpose: str) -> tuple[Array, NDArray[np.int64]]:
        """Draw points, independent for different purposes.

        Parameters
        ----------
        n : int
            Number of points.
        purpose : str
            What they are for, for example ``"evaluation"``.

        Returns
        -------
        x : numpy.ndarray
            float64 (n, d).
        lid : numpy.ndarray
            int64 (n,), dimension of the part of the law that each was drawn from.
        """
        key = int(rng.item_seed(self.seed, f"law-{purpose}", 0))
        if isinstance(self.oracle, EmpiricalMeasure):
            points = self.oracle.points.numpy()
            chosen = rng.generator(key, "oracle-sample").choice(
                len(points), size=n, p=self.oracle.weights.numpy()
            )
            return points[chosen], np.zeros(n, dtype=np.int64)
        x, component = self.oracle.sample(n, key)
        if isinstance(self.oracle, Sphere):
            return x, self.oracle.lid(x)
        return x, np.array([part.rank for part in self.oracle.parts], dtype=np.int64)[component]


def make(options: Mapping[str, Any], schedule: Schedule, *, seed: int) -> Law:
    """Build a law from its options.

    Parameters
    ----------
    options : mapping
        ``kind`` and ``ambient``; for ``gaussians``: ``dimensions`` of unit Gaussians on random subspaces and
        the ``separation`` of their centres from the origin; for a ``sphere``: ``dimension`` and ``radius``;
        for ``points``: their number, drawn once from a unit Gaussian. Others are ignored.
    schedule : Schedule
        The noise schedule of the exact score.
    seed : int
        Root seed of rotations, centres and points.

    Returns
    -------
    Law

    Raises
    ------
    InputError
        If the kind is unknown, or a dimension does not fit into the ambient one.
    """
    ambient = int(options["ambient"])
    match options["kind"]:
        case "gaussians":
            separation = float(options["separation"])
            law = random_mixture(options["dimensions"], ambient, schedule, seed=seed, separation=separation)
            return Law(law, seed)
        case "sphere":
            radius = float(options["radius"])
            return Law(Sphere(int(options["dimension"]), ambient, schedule, radius=radius, seed=seed), seed)
        case "points":
            shape = (int(options["points"]), ambient)
            points = rng.generator(seed, "law-points").standard_normal(shape)
            return Law(EmpiricalMeasure(points, schedule), seed)
    raise InputError(f"there is no kind of law {options['kind']!r}; one of {', '.join(KINDS)}")


def matching_time(model: ScoreModel, ratio: float) -> float:
    """Time at which an EDM model has a given noise sigma / psi.

    FLIPD depends on the noise through this ratio alone, so models with different schedules are compared at
    equal ratios.

    Parameters
    ----------
    model : ScoreModel
        With a schedule of kind ``edm``, sigma(t) = sigma_min^(1-t) sigma_max^t.
    ratio : float
        sigma / psi, in (sigma_min, sigma_max].

    Returns
    -------
    float
        t in (0, 1].

    Raises
    ------
    InputError
        If the schedule is another one, or the model was not trained for this noise.
    """
    schedule = model.schedule
    if schedule.kind != "edm":
        raise InputError(f"needs a model with an edm schedule, got {schedule.kind}")
    low, high = schedule.parameters["sigma_min"], schedule.parameters["sigma_max"]
    if not low < ratio <= high:
        raise InputError(f"the network was trained for noise in ({low}, {high}], asked for {ratio:.3g}")
    return float(np.log(ratio / low) / np.log(high / low))
