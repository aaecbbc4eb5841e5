"""Sampler of a diffusers UNet: deterministic DDIM."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from mmh.compute import rng
from mmh.compute.rows import aligned_blocks
from mmh.diffusion.ddim import ddim_scheduler
from mmh.diffusion.diffusers_network import sample_shape
from mmh.errors import InputError
from mmh.light_diffusers import device_of


@torch.no_grad()
def sample(
    unet: Any,
    scheduler: Any,
    ids: Sequence[int] | np.ndarray,
    *,
    seed: int,
    steps: int = 50,
    batch_size: int = 100,
    classes: int | None = None,
    progress: Callable[..., None] | None = None,
) -> np.ndarray:
    """Draw images with deterministic DDIM, each from noise of its own.

    An image's bytes depend on (seed, id) alone, however the ids are cut into calls, on one machine with one
    number of threads; see `batches`.

    Parameters
    ----------
    unet : diffusers.UNet2DModel
        Network that predicts the noise.
    scheduler : diffusers.DDPMScheduler
        The forward process that it was trained for.
    ids : (n,) int
        Which images, in any order.
    seed : int
        Root seed; the noise of an image follows from it and the id.
    steps : int
        DDIM steps, at most the levels of the process.
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

    Raises
    ------
    InputError
        If `steps` is no such number.
    """
    ids = np.asarray(ids, dtype=np.int64)
    shape = sample_shape(unet)
    device = device_of(unet)
    ddim = ddim_scheduler(scheduler.config)
    total = int(ddim.config.num_train_timesteps)
    if steps != int(steps) or not 1 <= steps <= total:
        raise InputError(f"DDIM takes 1 to {total} whole steps with this model, got {steps}")
    ddim.set_timesteps(int(steps), device=device)
    out = np.empty((len(ids), *shape), dtype=np.float32)
    done = 0
    for rows, places in aligned_blocks(ids, batch_size):
        z = torch.zeros(batch_size, *shape)
        z[places] = rng.normal(seed, "initial-noise", ids[rows], shape)
        z = z.to(device)
        labels = torch.zeros(batch_size, dtype=torch.int64)
        labels[places] = torch.from_numpy(ids[rows] % (classes or 1))
        condition = {"class_labels": labels.to(device)} if classes else {}
        for step in ddim.timesteps:
            noise = unet(z, step, **condition).sample[:, : shape[0]]  # the rest is a learned variance
            z = ddim.step(noise, step, z, eta=0.0).prev_sample
        out[rows] = z.cpu().numpy()[places]
        done += len(rows)
        if progress is not None:
            progress(done)
    return out
