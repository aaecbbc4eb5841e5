"""Norms of a text-to-image model at real images: of the guided score and of the CFG vector (Fig. 3)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from mmh.compute.attention import full_float32
from mmh.compute.rows import check_finite, check_items, fast_layout, fixed_batches, repeatable
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError


def score_norms(
    model: ScoreModel,
    x: ArrayLike | torch.Tensor,
    c: torch.Tensor,
    null: torch.Tensor,
    *,
    t: float = 0.02,
    of: Literal["guided", "difference"] = "guided",
    guidance: float = 7.5,
    ids: ArrayLike | None = None,
    batch_size: int = 8,
) -> NDArray[np.float64]:
    """Measure ||s_0 + lambda (s_c - s_0)|| or ||s_c - s_0|| at z = psi(t) x, the clean image scaled.

    Parameters
    ----------
    model : ScoreModel
        Without bound conditions.
    x : array_like or torch.Tensor
        (n, *shape), clean latents.
    c : torch.Tensor
        (n, L, D), embedded captions.
    null : torch.Tensor
        (1, L, D), the embedded empty caption.
    t : float
        Noise time in (0, 1]; the paper's Fig. 3 has .02.
    of : {"guided", "difference"}
        Which norm.
    guidance : float
        lambda, of "guided".
    ids : array_like of int, optional
        Ids of the images, (n,); 0..n-1 by default. Image i is computed in row ``i % batch_size``.
    batch_size : int
        Images at a time.

    Returns
    -------
    numpy.ndarray
        float64 (n,), of scores: noises over sigma(t).

    Raises
    ------
    InputError
        If an argument is out of range, or a norm is not finite.
    """
    samples, numbers = check_items(model, x, ids)
    if of not in ("guided", "difference"):
        raise InputError(f"of must be guided or difference, got {of!r}")
    if len(c) != len(samples) or len(null) != 1:
        raise InputError(f"needs {len(samples)} conditions and one empty one: {len(c)}, {len(null)}")
    psi, sigma = model.schedule.psi(float(t)), model.schedule.sigma(float(t))
    norms = np.empty(len(samples))
    with torch.no_grad(), repeatable(model.device), full_float32():
        for rows, places in fixed_batches(numbers, batch_size):
            z = fast_layout(psi * samples[rows].to(device=model.device, dtype=torch.float32))
            chosen = c.to(model.device)[torch.from_numpy(rows).to(model.device)]
            empty = model.conditioned(null).eps(z, t).double()
            difference = model.conditioned(chosen).eps(z, t).double() - empty
            noise = difference if of == "difference" else empty + guidance * difference
            found = noise.flatten(1).square().sum(1).sqrt().cpu().numpy() / sigma
            norms[rows[places]] = found[places]
    check_finite(np.isfinite(norms), numbers, f"the norm of the score at t={t} is not finite")
    return norms
