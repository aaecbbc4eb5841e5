"""Training of a diffusers UNet as a flow: squared error of n - x on straight lines from image to noise."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

from mmh.compute import rng
from mmh.compute.optimisation import Report
from mmh.io.image_shards import read_images
from mmh.light_diffusers import diffusers
from mmh.models.ddpm.model import save
from mmh.models.ddpm.network import UNet
from mmh.models.ddpm.training import fit
from mmh.models.flow.model import PIPELINE
from mmh.options.base import Options

Law = Literal["uniform", "logit-normal"]


def draw_times(law: Law, n: int, generator: torch.Generator, *, shift: float = 1.0) -> torch.Tensor:
    """Draw noise levels of a training batch.

    Parameters
    ----------
    law : {"uniform", "logit-normal"}
        Of t: uniform on (0, 1), or the logistic function of a standard normal: more often in the middle.
    n : int
        How many.
    generator : torch.Generator
        Where from.
    shift : float
        t goes to shift t / (1 + (shift - 1) t): towards noise where it is above 1.

    Returns
    -------
    torch.Tensor
        float32 (n,), in (0, 1).
    """
    if law == "uniform":
        t = torch.rand(n, generator=generator)
    else:
        t = torch.sigmoid(torch.randn(n, generator=generator))
    return shift * t / (1 + (shift - 1) * t)


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
    times: Law = "uniform",
    shift: float = 1.0,
    log_every: int = 20,
    progress: Report | None = None,
) -> tuple[UNet, Any, pd.DataFrame]:
    """Train the network on a set of images; the result depends on the arguments alone.

    Parameters
    ----------
    x : (n, C, H, H) float32
        Training images in [-1, 1]; exact copies count as often as they occur.
    seed : int
        Root seed of weights, batches, noise levels and noise; the first weights are those of `ddpm.training`.
    steps, batch_size, learning_rate, ema_decay, log_every, progress
        As for `mmh.models.ddpm.training.train`.
    block_out_channels, norm_num_groups
        As for `build`.
    num_train_timesteps : int
        The network is told t times this.
    times, shift
        As for `draw_times`; the sampler's steps are shifted alike.

    Returns
    -------
    unet : diffusers.UNet2DModel
        The averaged network, in evaluation mode.
    scheduler : diffusers.FlowMatchEulerDiscreteScheduler
    history : pandas.DataFrame
        `step`, `loss` (mean squared error of n - x), `learning_rate`.

    Raises
    ------
    InputError
        If the images do not have the expected shape.
    FloatingPointError
        If the loss ceases to be finite.
    """
    scheduler = diffusers().FlowMatchEulerDiscreteScheduler(num_train_timesteps, shift=shift)

    def loss(unet: UNet, clean: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        t = draw_times(times, len(clean), generator, shift=shift)
        noise = torch.randn(clean.shape, generator=generator)
        level = t.reshape(-1, 1, 1, 1)
        noisy = (1 - level) * clean + level * noise
        return torch.nn.functional.mse_loss(unet(noisy, t * num_train_timesteps).sample, noise - clean)

    average, history = fit(
        x,
        loss,
        generator=rng.torch_generator(seed, "flow-training"),
        batch_size=batch_size,
        network={"block_out_channels": block_out_channels, "norm_num_groups": norm_num_groups, "seed": seed},
        steps=steps,
        learning_rate=learning_rate,
        ema_decay=ema_decay,
        log_every=log_every,
        progress=progress,
    )
    return average, scheduler, history


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
    save(folder, network, scheduler, pipeline=PIPELINE)
    return history
