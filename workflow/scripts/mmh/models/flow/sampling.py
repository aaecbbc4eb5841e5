"""Sampler of a flow: Euler steps along dz/dsigma = v."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from mmh.compute import rng
from mmh.compute.rows import aligned_blocks
from mmh.diffusion.score_model import ScoreModel


@torch.no_grad()
def sample(
    model: ScoreModel,
    levels: np.ndarray,
    ids: Sequence[int] | np.ndarray,
    *,
    seed: int,
    batch_size: int = 100,
    classes: int | None = None,
    progress: Callable[..., None] | None = None,
) -> np.ndarray:
    """Draw images, each from noise of its own: that of the DDIM sampler, for the same seed and id.

    With x = z - sigma v the clean image, z' = z + (sigma' - sigma) v is x + sigma' (z - x) / sigma.

    Parameters
    ----------
    model : ScoreModel
        Of a schedule `flow`.
    levels : (steps + 1,) float
        Falling noise levels, the last 0.
    ids : (n,) int
        Which images, in any order.
    seed : int
        Root seed; the noise of an image follows from it and the id.
    batch_size : int
        Images computed at once; part of the recipe, since another one may change the last bits.
    classes : int, optional
        Number of classes of a class-conditional network; image i is drawn from class ``i % classes``.
    progress : callable, optional
        Called as ``progress(done)`` with the number of finished images.

    Returns
    -------
    (n, C, H, W) float32
        Images, about [-1, 1], not clipped; rows in the order of `ids`.
    """
    ids = np.asarray(ids, dtype=np.int64)
    out = np.empty((len(ids), *model.shape), dtype=np.float32)
    done = 0
    for rows, places in aligned_blocks(ids, batch_size):
        z = torch.zeros(batch_size, *model.shape)
        z[places] = rng.normal(seed, "initial-noise", ids[rows], model.shape)
        z, bound = z.to(model.device), model
        if classes:
            labels = torch.zeros(batch_size, dtype=torch.int64)
            labels[places] = torch.from_numpy(ids[rows] % classes)
            bound = model.conditioned(labels)
        for sigma, following in zip(levels[:-1].tolist(), levels[1:].tolist(), strict=True):
            clean = bound.clean(z, sigma)
            z = clean + (following / sigma) * (z - clean)
        out[rows] = z.cpu().numpy()[places]
        done += len(rows)
        if progress is not None:
            progress(done)
    return out
