"""Laws given something that is known of a point: LID(x | c) beside LID(x), on oracles (Proposition 3.2).

Two conditions: which part of a mixture a point comes from, and the values of some linear measurements of it.
Both leave a mixture of Gaussians, so its score, FLIPD and dimension stay exact.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike

from mmh.compute import rng
from mmh.diffusion.schedule import Schedule
from mmh.errors import InputError
from mmh.oracles import laws
from mmh.oracles.exact import GaussianPart, Mixture

COLUMNS = ["law", "condition", "item", "lid", "lid_given", "t", "sigma", "flipd", "flipd_given"]
CONDITIONS = ("part", "measurements")
TOLERANCE = 1e-9
"""Relative size below which a singular value, or a part of a measured value, counts as zero."""


def given_measurements(mixture: Mixture, matrix: ArrayLike, values: ArrayLike) -> Mixture:
    """Condition a mixture of Gaussians on linear measurements, exactly.

    A part N(mu, L L^T) becomes N(mu + L M^+ (c - A mu), L N N^T L^T), with M = A L and N a basis of its null
    space: it loses rank(M) dimensions. Its weight is multiplied by the density of c on the range of M. Parts
    in which c is impossible drop out, and of the others only those of the smallest rank(M) remain, as c has a
    density with respect to fewer dimensions there.

    Parameters
    ----------
    mixture : Mixture
        Of d dimensions.
    matrix : (m, d) array_like
        A.
    values : (m,) array_like
        c.

    Returns
    -------
    Mixture
        The law of x given A x = c.

    Raises
    ------
    InputError
        If c is impossible.
    """
    A = torch.as_tensor(np.asarray(matrix, dtype=np.float64))
    c = torch.as_tensor(np.asarray(values, dtype=np.float64))
    found = []
    for part, weight in zip(mixture.parts, mixture.weights.tolist(), strict=True):
        L = part.basis * part.variances.sqrt()
        U, s, Vt = torch.linalg.svd(A @ L, full_matrices=True)
        rank = int((s > TOLERANCE * max(1.0, float(s.max()) if len(s) else 0.0)).sum())
        away = c - A @ part.mean
        inside = U[:, :rank].T @ away
        rest = float((away - U[:, :rank] @ inside).norm())
        if rest > TOLERANCE * max(1.0, float(c.norm())):
            continue
        white = inside / s[:rank]
        density = (
            -0.5 * float(white.square().sum())
            - float(s[:rank].log().sum())
            - 0.5 * rank * math.log(2 * math.pi)
        )
        mean = part.mean + L @ (Vt[:rank].T @ white)
        basis, spread, _ = torch.linalg.svd(L @ Vt[rank:].T, full_matrices=False)
        found.append((rank, math.log(weight) + density, GaussianPart(mean, basis, spread.square())))
    if not found:
        raise InputError("no part of the mixture allows the measured values")
    least = min(rank for rank, _, _ in found)
    kept = [(weight, part) for rank, weight, part in found if rank == least]
    top = max(weight for weight, _ in kept)
    weights = [max(math.exp(weight - top), 1e-300) for weight, _ in kept]
    return Mixture([part for _, part in kept], mixture.schedule, weights=weights)


def measure(
    options: Mapping[str, Any],
    name: str,
    measurements: int,
    schedule: Schedule,
    levels: list[float],
    seed: int,
) -> pd.DataFrame:
    """Compute LID(x) and LID(x | c) by exact FLIPD, and what they are, at points of a law.

    Parameters
    ----------
    options : mapping
        Of a law of kind ``gaussians``, with ``items``, the number of points.
    name : str
        Of the law.
    measurements : int
        Number of random directions in which points are measured; c is what they give at the point itself.
    schedule : Schedule
        Of the exact scores.
    levels : list of float
        Times t.
    seed : int
        Root seed.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`; `sigma` is sigma / psi, the last two columns are dimensions.

    Raises
    ------
    InputError
        If the law is of another kind.
    """
    law = laws.make(options, schedule, seed=seed)
    if not isinstance(law.oracle, Mixture):
        raise InputError(
            f"the law {name!r} is no mixture of Gaussians: what is known of its points is not exact"
        )
    mixture = law.oracle
    x, component = mixture.sample(int(options["items"]), int(rng.item_seed(seed, "law-conditioning", 0)))
    matrix = rng.generator(seed, "measurements").standard_normal((measurements, law.dim))
    rows = []
    for item, (point, part) in enumerate(zip(x, component, strict=True)):
        own = mixture.parts[part]
        given = {
            "part": Mixture([own], schedule),
            "measurements": given_measurements(mixture, matrix, matrix @ point),
        }
        known = {"part": own.rank, "measurements": max(0, own.rank - measurements)}
        for t in levels:
            sigma = schedule.sigma(t) / schedule.psi(t)
            free = float(mixture.flipd(point[None], t)[0])
            for condition in CONDITIONS:
                value = float(given[condition].flipd(point[None], t)[0])
                rows.append((name, condition, item, own.rank, known[condition], t, sigma, free, value))
    return pd.DataFrame(rows, columns=COLUMNS)
