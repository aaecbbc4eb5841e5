"""The CFG-vector norm of real images: how far a caption moves the noise that a model sees in its own image.

An image is carried from its clean latent to noise level t along the probability-flow ODE of the conditional
model, dx = -(beta(t) / 2) (x - eps(x, t, c) / sigma(t)) dt, and the two noises are compared there.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from mmh.compute.attention import full_float32
from mmh.compute.fitting import fitting_batch, halving
from mmh.compute.rows import check_finite, check_items, fast_layout, fixed_batches, repeatable
from mmh.compute.variants import variant
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError

Array = NDArray[np.float64]
EulerGrid = Literal["correct", "published"]
START = 1e-4
"""Where the ODE starts: at t = 0 sigma may be 0."""


def cfg_vector_norm(
    model: ScoreModel,
    x: ArrayLike | torch.Tensor,
    c: torch.Tensor,
    null: torch.Tensor,
    *,
    t: float = 0.01,
    steps: int = 3,
    grid: EulerGrid = "correct",
    over_sigma: bool = False,
    ids: ArrayLike | None = None,
    batch_size: int | None = 8,
) -> Array:
    """Measure ||eps(x_t, t, c) - eps(x_t, t, null)||_2 where the probability-flow ODE carries x.

    Between the steps of a discrete model the noise level is interpolated (`Schedule.continuous`), and the
    network is given the time t T as it is.

    Parameters
    ----------
    model : ScoreModel
        Variance-preserving, without bound conditions.
    x : array_like or torch.Tensor
        (n, *shape), clean latents.
    c : torch.Tensor
        (n, L, D) or (1, L, D), embedded captions.
    null : torch.Tensor
        (1, L, D), the embedded empty caption.
    t : float
        Noise time at which the noises are compared.
    steps : int
        Euler steps from 1e-4 to `t`.
    grid : {"correct", "published"}
        "published" repeats the public code: `steps` points from 1e-4 to `t`, both included, and an update of
        their distance at each, the last one too, so that the state is carried one step too far.
    over_sigma : bool
        Divide by sigma(t): the norm of the difference of the scores.
    ids : array_like of int, optional
        Ids of the images, (n,); 0..n-1 by default. Image i is computed in row ``i % batch_size``.
    batch_size : int or None
        Images at a time; None: what free memory holds on a GPU.

    Returns
    -------
    numpy.ndarray
        float64 (n,); large for memorized images with their captions.

    Raises
    ------
    InputError
        If an argument is out of range, the process is not variance-preserving, or a result is not finite.
    """
    samples, numbers = check_items(model, x, ids)
    model = model.continuous()
    times, distance = _euler_times(t, steps, grid)
    if len(c) not in (1, len(samples)) or len(null) != 1:
        raise InputError(f"needs {len(samples)} conditions or one, and one empty one: {len(c)}, {len(null)}")
    scale = model.schedule.sigma(float(t)) if over_sigma else 1.0

    def batch(score: ScoreModel, rows: NDArray[np.int64]) -> Array:
        kind = torch.promote_types(score.dtype, torch.float32)
        captions = c.to(score.device)
        chosen = captions if len(c) == 1 else captions[torch.from_numpy(rows).to(score.device)]
        conditional, empty = score.conditioned(chosen), score.conditioned(null)
        z = fast_layout(samples[rows].to(device=score.device, dtype=kind))
        for time in times:
            rate, sigma = score.schedule.beta(time), score.schedule.sigma(time)
            noise = conditional.eps(z, time).to(kind)
            z = z - (0.5 * rate * distance) * (z - noise / sigma)
        difference = conditional.eps(z, t).double() - empty.eps(z, t).double()
        return difference.flatten(1).square().sum(1).sqrt().cpu().numpy()

    def all_batches(size: int, score: ScoreModel, wanted: NDArray[np.int64]) -> Array:
        norms = np.empty(len(wanted))
        for rows, places in fixed_batches(numbers[wanted], size):
            norms[rows[places]] = batch(score, wanted[rows])[places]
        return norms

    everything = np.arange(len(samples))
    if not len(samples):
        return np.zeros(0)
    with torch.no_grad(), repeatable(model.device), full_float32():
        trial = lambda n: batch(model, everything[:1].repeat(n))  # noqa: E731
        size = fitting_batch(trial, model.device, batch_size, len(samples))
        fixed = batch_size is not None
        norms, size = halving(lambda rows: all_batches(rows, model, everything), size, fixed=fixed)
        bad = np.flatnonzero(~np.isfinite(norms))
        if len(bad) and model.dtype.itemsize < 4:
            norms[bad] = all_batches(size, variant(model, dtype=torch.float32), bad)
    check_finite(np.isfinite(norms), numbers, f"the CFG-vector norm at t={t} is not finite")
    return norms / scale


def _euler_times(t: float, steps: int, grid: str) -> tuple[list[float], float]:
    """Times of the updates, and their length."""
    if grid not in ("correct", "published"):
        raise InputError(f"grid must be correct or published, got {grid!r}")
    least = 2 if grid == "published" else 1
    if steps < least or not START < t <= 1:
        raise InputError(
            f"needs {least} or more Euler steps and t in ({START}, 1], got {steps} steps and t={t}"
        )
    if grid == "published":
        return np.linspace(START, t, steps).tolist(), (t - START) / (steps - 1)
    return np.linspace(START, t, steps + 1)[:-1].tolist(), (t - START) / steps
