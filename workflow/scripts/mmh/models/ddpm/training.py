"""Training of a diffusers UNet with DDPM's loss."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mmh.compute import rng
from mmh.compute.optimisation import Report, minimise
from mmh.errors import InputError
from mmh.io.image_shards import read_images
from mmh.models.ddpm.model import save
from mmh.models.ddpm.network import Scheduler, UNet, build, noise_schedule
from mmh.options.base import Options


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
    scheduler = noise_schedule(num_train_timesteps, beta_schedule)

    def loss(unet: UNet, clean: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        level = torch.randint(scheduler.config.num_train_timesteps, (len(clean),), generator=generator)
        noise = torch.randn(clean.shape, generator=generator)
        noisy = scheduler.add_noise(clean, noise, level)
        return torch.nn.functional.mse_loss(unet(noisy, level).sample, noise)

    average, history = fit(
        x,
        loss,
        generator=rng.torch_generator(seed, "unet-training"),
        batch_size=batch_size,
        network={"block_out_channels": block_out_channels, "norm_num_groups": norm_num_groups, "seed": seed},
        steps=steps,
        learning_rate=learning_rate,
        ema_decay=ema_decay,
        log_every=log_every,
        progress=progress,
    )
    return average, scheduler, history


def fit(
    x: np.ndarray,
    loss: Callable[[UNet, torch.Tensor, torch.Generator], torch.Tensor],
    *,
    generator: torch.Generator,
    batch_size: int,
    network: dict[str, Any],
    **how: Any,
) -> tuple[UNet, pd.DataFrame]:
    """Train a UNet on batches of images by any loss, and average its weights.

    Parameters
    ----------
    x : (n, C, H, H) float32
        Training images.
    loss : callable
        ``loss(unet, clean, generator)`` gives the scalar of a batch.
    generator : torch.Generator
        Draws batches, with replacement, and what the loss draws.
    batch_size : int
    network : dict
        What `build` takes beside side and channels of the images.
    **how
        As for `mmh.compute.optimisation.minimise`.

    Returns
    -------
    unet : diffusers.UNet2DModel
        The averaged network, in evaluation mode.
    history : pandas.DataFrame

    Raises
    ------
    InputError
        If the images do not have the expected shape.
    FloatingPointError
        If the loss ceases to be finite.
    """
    if x.ndim != 4 or x.shape[2] != x.shape[3] or len(x) == 0:
        raise InputError(f"training images must have the shape (n, C, H, H), they have {x.shape}")
    settings = {"sample_size": x.shape[-1], "channels": x.shape[1], **network}
    unet, average = build(**settings).train(), build(**settings).eval().requires_grad_(False)
    images = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))

    def batch_loss(step: int) -> torch.Tensor:
        clean = images[torch.randint(len(images), (batch_size,), generator=generator)]
        return loss(unet, clean, generator)

    history = minimise(batch_loss, list(unet.parameters()), averages=list(average.parameters()), **how)
    return average, history


def make(
    folder: Path,
    options: Options,
    *,
    inputs: Mapping[str, Path],
    seed: int,
    progress: Callable[[int], Report],
) -> pd.DataFrame:
    """Train on an experiment's images and write the model folder; see `Kind.maker`."""
    x, _ = read_images(inputs["images"])
    settings = options.model_dump()
    network, scheduler, history = train(x, seed=seed, progress=progress(settings["steps"]), **settings)
    save(folder, network, scheduler)
    return history
