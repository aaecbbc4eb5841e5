"""The diffusers UNet of the image worlds: build, train with DDPM's loss, draw samples with DDIM."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from mmh.compute import rng
from mmh.compute.rows import aligned_blocks
from mmh.errors import InputError
from mmh.light_diffusers import device_of, diffusers

Report = Callable[..., None]
# diffusers builds its public names at import time, so type checkers know nothing of them.
UNet = Any
Scheduler = Any


def build(
    *,
    sample_size: int = 8,
    channels: int = 1,
    block_out_channels: Sequence[int] = (32, 64),
    norm_num_groups: int = 8,
    seed: int = 0,
) -> UNet:
    """Build the untrained network: two resolutions, one layer each, attention at the lower one.

    Parameters
    ----------
    sample_size : int
        Side of the images, pixels.
    channels : int
        Channels of the images.
    block_out_channels : sequence of two int
        Width at the upper and at the lower resolution.
    norm_num_groups : int
        Groups of every group norm; divides both widths.
    seed : int
        Root seed of the initial weights; the global generator is left as it was.

    Returns
    -------
    diffusers.UNet2DModel
        float32, 0.70 million parameters with the default widths.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.item_seed(seed, "unet-weights", 0)))
        return diffusers().UNet2DModel(
            sample_size=sample_size,
            in_channels=channels,
            out_channels=channels,
            layers_per_block=1,
            block_out_channels=tuple(block_out_channels),
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
            norm_num_groups=norm_num_groups,
        )


def noise_schedule(num_train_timesteps: int = 1000, beta_schedule: str = "squaredcos_cap_v2") -> Scheduler:
    """Make the forward process that the network is trained for; it predicts the noise and clips nothing.

    Parameters
    ----------
    num_train_timesteps : int
        Number of noise levels, T.
    beta_schedule : str
        Their law, by its diffusers name.

    Returns
    -------
    diffusers.DDPMScheduler
        The scheduler that is saved with the network.
    """
    return diffusers().DDPMScheduler(num_train_timesteps, beta_schedule=beta_schedule, clip_sample=False)


def train(
    x: np.ndarray,
    *,
    seed: int,
    steps: int = 4000,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    ema_decay: float = 0.999,
    block_out_channels: Sequence[int] = (32, 64),
    norm_num_groups: int = 8,
    num_train_timesteps: int = 1000,
    beta_schedule: str = "squaredcos_cap_v2",
    log_every: int = 20,
    progress: Report | None = None,
) -> tuple[UNet, Scheduler, pd.DataFrame]:
    """Train the network on a set of images; the result depends on the arguments alone.

    Parameters
    ----------
    x : (n, C, H, H) float32
        Training images in [-1, 1]; exact copies count as often as they occur.
    seed : int
        Root seed of weights, batches, noise levels and noise.
    steps, batch_size : int
        Optimizer steps, and images per step, drawn with replacement.
    learning_rate : float
        AdamW's rate at the start; half a cosine takes it to 0 at the last step.
    ema_decay : float
        Decay of the running mean of the weights, which is what is returned. It starts lower,
        (1 + step) / (10 + step), so that the initial weights are soon forgotten.
    block_out_channels, norm_num_groups
        As for `build`.
    num_train_timesteps, beta_schedule
        As for `noise_schedule`.
    log_every : int
        Steps that one row of the history averages over.
    progress : callable, optional
        Called as ``progress(step, loss=...)`` after every row of the history.

    Returns
    -------
    unet : diffusers.UNet2DModel
        The averaged network, in evaluation mode.
    scheduler : diffusers.DDPMScheduler
        Its forward process.
    history : pandas.DataFrame
        `step` int64 (steps done), `loss` float64 (mean squared error of the noise, mean over the steps since
        the last row), `learning_rate` float64.

    Raises
    ------
    InputError
        If the images do not have the expected shape.
    FloatingPointError
        If the loss ceases to be finite.
    """
    if x.ndim != 4 or x.shape[2] != x.shape[3] or len(x) == 0:
        raise InputError(f"training images must have the shape (n, C, H, H), they have {x.shape}")
    network = {
        "sample_size": x.shape[-1],
        "channels": x.shape[1],
        "block_out_channels": block_out_channels,
        "norm_num_groups": norm_num_groups,
        "seed": seed,
    }
    unet, average = build(**network).train(), build(**network).eval().requires_grad_(False)
    scheduler = noise_schedule(num_train_timesteps, beta_schedule)
    optimizer = torch.optim.AdamW(unet.parameters(), lr=learning_rate, fused=True)
    weights, averages = list(unet.parameters()), list(average.parameters())
    images = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
    generator = rng.torch_generator(seed, "unet-training")

    rows: list[tuple[int, float, float]] = []
    losses: list[float] = []
    for step in range(steps):
        rate = learning_rate * 0.5 * (1.0 + math.cos(math.pi * step / steps))
        optimizer.param_groups[0]["lr"] = rate
        clean = images[torch.randint(len(images), (batch_size,), generator=generator)]
        level = torch.randint(scheduler.config.num_train_timesteps, (batch_size,), generator=generator)
        noise = torch.randn(clean.shape, generator=generator)
        noisy = scheduler.add_noise(clean, noise, level)
        loss = torch.nn.functional.mse_loss(unet(noisy, level).sample, noise)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        decay = min(ema_decay, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(averages, weights, 1.0 - decay)
        losses.append(loss.item())
        if (step + 1) % log_every == 0 or step + 1 == steps:
            mean = float(np.mean(losses))
            if not math.isfinite(mean):
                raise FloatingPointError(f"the loss is {mean} at step {step + 1}; lower the learning rate")
            rows.append((step + 1, mean, rate))
            losses.clear()
            if progress is not None:
                progress(step + 1, loss=mean)
    history = pd.DataFrame(rows, columns=["step", "loss", "learning_rate"])
    return average, scheduler, history.astype({"step": np.int64})


@torch.no_grad()
def sample(
    unet: UNet,
    scheduler: Scheduler,
    ids: Sequence[int] | np.ndarray,
    *,
    seed: int,
    steps: int = 50,
    batch_size: int = 100,
    classes: int | None = None,
    progress: Report | None = None,
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
        DDIM steps.
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
    shape = (unet.config.in_channels, unet.config.sample_size, unet.config.sample_size)
    device = device_of(unet)
    ddim = diffusers().DDIMScheduler.from_config(scheduler.config)
    ddim.set_timesteps(steps, device=device)
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
