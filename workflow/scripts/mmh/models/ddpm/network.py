"""The diffusers UNet of the image worlds, and the forward process that it is trained for."""

from collections.abc import Sequence
from typing import Any

import torch

from mmh.compute import rng
from mmh.light_diffusers import diffusers

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
