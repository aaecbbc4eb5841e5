"""A small diffusers `AutoencoderKL`, trained so that images survive the way through its latents."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from mmh.compute import rng
from mmh.compute.optimisation import Report, minimise
from mmh.errors import InputError
from mmh.light_diffusers import diffusers

# diffusers builds its public names at import time, so type checkers know nothing of them.
Autoencoder = Any


def build(
    *,
    side: int = 8,
    block_out_channels: Sequence[int] = (32, 32),
    latent_channels: int = 4,
    norm_num_groups: int = 8,
    scaling_factor: float = 1.0,
    seed: int = 0,
) -> Autoencoder:
    """Build the untrained network; each width after the first halves the side.

    Parameters
    ----------
    side : int
        Side of the RGB images, pixels.
    block_out_channels : sequence of int
        Width at each resolution.
    latent_channels : int
        Channels of a latent.
    norm_num_groups : int
        Groups of every group norm; divides every width.
    scaling_factor : float
        Stored in the configuration: what the diffusion model sees is latent x factor.
    seed : int
        Root seed of the initial weights; the global generator is left as it was.

    Returns
    -------
    diffusers.AutoencoderKL
        float32; images (n, 3, side, side) to latents (n, latent_channels, side / 2, side / 2) with two
        widths.
    """
    levels = len(block_out_channels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.item_seed(seed, "vae-weights", 0)))
        return diffusers().AutoencoderKL(
            in_channels=3,
            out_channels=3,
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
            block_out_channels=tuple(block_out_channels),
            layers_per_block=1,
            latent_channels=latent_channels,
            norm_num_groups=norm_num_groups,
            sample_size=side,
            scaling_factor=scaling_factor,
        )


def train(
    x: np.ndarray,
    *,
    seed: int,
    steps: int = 1000,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    kl_weight: float = 1e-5,
    block_out_channels: Sequence[int] = (32, 32),
    latent_channels: int = 4,
    log_every: int = 20,
    progress: Report | None = None,
) -> tuple[Autoencoder, pd.DataFrame]:
    """Train the network on distinct images and set its scaling factor, 1 / deviation of their latents.

    The loss is the mean squared error plus `kl_weight` times the divergence of q(z | x) from N(0, 1), the
    mean over the values of a latent.

    Parameters
    ----------
    x : (n, 3, H, H) float32
        Images in [-1, 1].
    seed : int
        Root seed of weights, batches and noise.
    steps, batch_size : int
        Optimizer steps, and images per step, drawn with replacement.
    learning_rate : float
        AdamW's rate at the start, with cosine decay to 0.
    kl_weight : float
        See above.
    block_out_channels, latent_channels
        As for `build`.
    log_every, progress
        As for `optimisation.minimise`.

    Returns
    -------
    vae : diffusers.AutoencoderKL
        In evaluation mode.
    history : pandas.DataFrame
        As for `optimisation.minimise`.

    Raises
    ------
    InputError
        If the images do not have the expected shape.
    FloatingPointError
        If the loss ceases to be finite.
    """
    if x.ndim != 4 or x.shape[1] != 3 or x.shape[2] != x.shape[3] or len(x) == 0:
        raise InputError(f"training images must have the shape (n, 3, H, H), they have {x.shape}")
    network: dict[str, Any] = {
        "side": x.shape[-1],
        "block_out_channels": block_out_channels,
        "latent_channels": latent_channels,
        "seed": seed,
    }
    vae = build(**network).train()
    images = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
    generator = rng.torch_generator(seed, "vae-training")

    def loss(step: int) -> torch.Tensor:
        drawn = images[torch.randint(len(images), (batch_size,), generator=generator)]
        posterior = vae.encode(drawn).latent_dist
        out = vae.decode(posterior.sample(generator=generator)).sample
        divergence = posterior.kl().sum() / posterior.mean.numel()
        return torch.nn.functional.mse_loss(out, drawn) + kl_weight * divergence

    history = minimise(
        loss,
        list(vae.parameters()),
        steps=steps,
        learning_rate=learning_rate,
        weight_decay=0.0,
        log_every=log_every,
        progress=progress,
    )
    vae.eval().requires_grad_(False)
    vae.register_to_config(scaling_factor=1.0 / float(latents(vae, images).std()))
    return vae, history


@torch.no_grad()
def latents(vae: Autoencoder, images: torch.Tensor, *, batch_size: int = 256) -> torch.Tensor:
    """Encode images: posterior mean x scaling factor.

    Parameters
    ----------
    vae : diffusers.AutoencoderKL
    images : (n, 3, H, H) float32
        In [-1, 1].
    batch_size : int
        Images computed at once.

    Returns
    -------
    (n, c, h, h) float32
    """
    parts = [vae.encode(part).latent_dist.mean for part in images.split(batch_size)]
    return torch.cat(parts) * vae.config.scaling_factor
