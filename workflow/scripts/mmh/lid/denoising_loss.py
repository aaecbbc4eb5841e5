"""LID by the loss of denoising: forward passes alone, no derivative.

LID(x, t) = E_n ||eps(psi x + sigma n, t) - n||^2, n ~ N(0, I) (Denoising loss as a dimension, arXiv
2510.12975). Of an exact score the part of n that is normal to the manifold is predicted and leaves nothing,
and the tangent part is not predicted and leaves its norm, one for each tangent direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmh.compute import rng
from mmh.compute.rows import check_finite, check_items, fast_layout
from mmh.compute.shown import shown
from mmh.errors import InputError

if TYPE_CHECKING:
    import torch

    from mmh.diffusion.score_model import ScoreModel

Array = NDArray[np.float64]
BATCH_SIZE = 64


@dataclass(frozen=True)
class DenoisingLoss:
    """The loss of denoising at clean samples, in units of dimensions.

    Attributes
    ----------
    value : numpy.ndarray
        float64 (n,), mean of ||eps - n||^2 over the draws; never negative.
    stderr : numpy.ndarray or None
        float64 (n,), standard error over the draws; None for one draw.
    draws : int
        Number of noises of each sample.
    retried : int
        Samples whose half-precision result was not finite and which were computed again in float32.
    """

    value: Array
    stderr: Array | None
    draws: int
    retried: int = 0

    def __repr__(self) -> str:
        return shown(type(self).__name__, **vars(self))


def denoising_loss(
    model: ScoreModel,
    x: ArrayLike | torch.Tensor,
    t: float,
    *,
    draws: int = 1,
    seed: int = 0,
    ids: ArrayLike | None = None,
    batch_size: int | None = BATCH_SIZE,
) -> DenoisingLoss:
    """Estimate LID as the mean of ||eps(psi x + sigma n, t) - n||^2 over noises n ~ N(0, I).

    Each draw is one forward pass, and no graph is kept: any kernel will do, and quantized networks too. Of an
    exact score at a point of a flat manifold the value has mean LID, less what the spread of the data lets
    the network guess, and one draw has a standard deviation of sqrt(2 LID), where one Gaussian probe of FLIPD
    has sqrt(2 (d - LID)). `mmh.oracles.denoising` has both in closed form. What a network gets wrong in
    normal directions adds to the value.

    Parameters
    ----------
    model : ScoreModel
        With conditioning rows, if any, in the order of `x`.
    x : array_like or torch.Tensor
        Clean samples (n, *shape) on the model's scale, floating point.
    t : float
        Noise time t0 in (0, 1].
    draws : int
        Noises of each sample; draw j of an id is the same however many there are.
    seed : int
        Root seed of the noises.
    ids : array_like of int, optional
        Ids of the samples, (n,); 0..n-1 by default. A value depends on (seed, id) and on no other sample.
    batch_size : int or None
        Rows of a batch, as for `mmh.lid.flipd.flipd_estimate`.

    Returns
    -------
    DenoisingLoss
        Values and standard errors.

    Raises
    ------
    InputError
        If an argument is out of range, or a result is not finite (the message names the ids).

    References
    ----------
    arXiv 2510.12975.
    """
    from mmh.compute.memory import in_batches

    samples, numbers = check_items(model, x, ids)
    if draws < 1:
        raise InputError(f"draws must be at least 1, got {draws}")
    if batch_size is not None and batch_size < 1:
        raise InputError(f"batch_size must be positive, got {batch_size}")

    def batch(score: ScoreModel, rows: NDArray[np.int64]) -> dict[str, Array]:
        return {"losses": _losses(score.select(rows), samples[rows], numbers[rows], t, draws, seed)}

    found = in_batches(model, batch, numbers, batch_size=batch_size, on_cpu=BATCH_SIZE)
    losses = found.arrays.get("losses", np.zeros((0, draws)))
    check_finite(
        np.asarray(np.isfinite(losses).all(axis=1)), numbers, f"the denoising loss at t={t} is not finite"
    )
    stderr = None if draws == 1 else losses.std(axis=1, ddof=1) / np.sqrt(draws)
    return DenoisingLoss(losses.mean(axis=1), stderr, draws, found.retried)


def _losses(
    model: ScoreModel, x: torch.Tensor, ids: NDArray[np.int64], t: float, draws: int, seed: int
) -> Array:
    """||eps - n||^2 of each sample and draw, float64 (rows, draws); sums in float64."""
    import torch

    psi, sigma = model.schedule.psi(float(t)), model.schedule.sigma(float(t))
    streams = [rng.generator(seed, "denoising-loss", int(i)) for i in ids]
    losses = []
    with torch.no_grad():
        for _ in range(draws):
            noise = np.stack([stream.standard_normal(model.shape) for stream in streams])
            n = torch.from_numpy(noise)
            z = fast_layout((psi * x + sigma * n).to(device=model.device, dtype=model.dtype), model.module)
            left = model.eps(z, t).double().cpu() - n
            losses.append(left.flatten(1).square().sum(1).numpy())
    return np.stack(losses, axis=1)
