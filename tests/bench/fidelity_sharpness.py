"""Rows of docs/fidelity.md on the sharpness paper that need no trained network: exact scores of Gaussians."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmh.compute import rng
from mmh.diffusion.schedule import Schedule
from mmh.hessian import hessian_geometry
from mmh.oracles.exact import gaussian

Array = NDArray[np.float64]
DRAWS, SIX = 100_000, 6
DIM, POINTS = 400, 40


def rotated(spread: Array, purpose: str) -> Array:
    """Covariance with these eigenvalues in a random basis."""
    d = len(spread)
    basis = np.linalg.qr(rng.generator(0, purpose).standard_normal((d, d)))[0]
    return basis @ np.diag(spread) @ basis.T


def signs_of_identities(_: Path) -> dict[str, Any]:
    """Mean squared ||s^D|| and ||H^D s^D|| over draws of the conditional law, and the sums that the paper prints."""
    wide, narrow = np.geomspace(0.1, 3, SIX), np.geomspace(0.02, 1, SIX)
    one, other = -1 / wide, -1 / narrow  # H and H_c, in one basis and of equal means
    x = rng.generator(0, "fidelity-draws").standard_normal((DRAWS, SIX)) * np.sqrt(narrow)
    difference = x * (other - one)
    numbers: dict[str, Any] = {"draws": DRAWS, "dimension": SIX}
    for name, values, power in (
        ("score difference", difference, 2),
        ("its product with the Hessian difference", difference * (other - one), 4),
    ):
        squares = (values**2).sum(axis=1)
        numbers[name] = {
            "mean": float(squares.mean()),
            "standard error": float(squares.std() / DRAWS**0.5),
            "sum with |l_c|": float(((one - other) ** power / np.abs(other)).sum()),
            "sum as printed": float(((one - other) ** power / other).sum()),
        }
    return numbers


def shares_of_eigenvalues(_: Path) -> dict[str, Any]:
    """Share of eigenvalues below -kappa by few products: counted among Ritz values, and by quadrature weights."""
    schedule, t, c = Schedule.linear_vp(), 0.1, 0.5
    spread = np.r_[np.zeros(300), np.geomspace(1e-4, 3, 100)]
    law = gaussian(np.zeros(DIM), rotated(spread, "fidelity-spread"), schedule)
    psi, sigma = float(schedule.psi(t)), float(schedule.sigma(t))
    a = sigma**2 / (psi**2 * spread + sigma**2)
    x = law.sample(POINTS, 0)[0]
    numbers: dict[str, Any] = {"dimension": DIM, "share of all eigenvalues": float((a > c).mean())}
    for m in (3, 10, 20):
        found = hessian_geometry(law.model, x, t, steps=m, probes=1, method="lanczos-jvp")
        counted = (found.nodes > c).mean(axis=(1, 2))
        weighed = found.share(c).value
        numbers[f"m = {m}"] = {
            name: {"mean": float(values.mean()), "standard deviation": float(values.std(ddof=1))}
            for name, values in (("Ritz values counted", counted), ("by quadrature", weighed))
        }
    return numbers


def output_taken_for_x0(_: Path) -> dict[str, Any]:
    """Norms of score differences if a network's v is taken for x_0, over the right ones, step by step.

    With a = psi^2 the public score is (psi v - z) / sigma^2, the right one -(psi / sigma) v - z.
    """
    from diffusers import DDIMScheduler

    from mmh.sampling.guided import ddim_grid
    from tests.bench.text_to_image import SCHEDULER

    grid = ddim_grid(DDIMScheduler(**SCHEDULER), 50)
    psi, sigma = np.sqrt(grid.abar), np.sqrt(1 - grid.abar)
    v, z = (rng.normal(0, f"fidelity-{name}", range(2), (64,)).double().numpy() for name in ("v", "z"))
    ratios = []
    for p, s in zip(psi, sigma, strict=True):
        public, right = (p * v - z[:1]) / s**2, -(p / s) * v - z[:1]
        ratios.append(np.linalg.norm(public[1] - public[0]) / np.linalg.norm(right[1] - right[0]))
    share = np.array(ratios)
    return {
        "ratio at step 1": float(share[0]),
        "ratio at step 48": float(share[47]),
        "ratio at step 50": float(share[49]),
        "largest difference from 1 / sigma": float(np.abs(share * sigma - 1).max()),
    }


MEASURES = {
    "signs of identities": signs_of_identities,
    "shares of eigenvalues": shares_of_eigenvalues,
    "output taken for x_0": output_taken_for_x0,
}
