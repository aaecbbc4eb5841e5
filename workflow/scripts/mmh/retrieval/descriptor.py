"""A small copy descriptor trained by SSCD's recipe (Pizzi et al. 2022), for the embedded worlds.

Two augmented views of an image attract, all other views repel (InfoNCE), and an entropy term spreads the
descriptors over the sphere, -log of each one's distance to its nearest neighbour among other images, so that
a cosine means the same everywhere. The result is saved as TorchScript and is used like the public files.
"""

import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from mmh.compute import rng
from mmh.errors import InputError


class CopyDescriptor(nn.Module):
    """Convolutional network (N, 3, H, W) in [-1, 1] -> (N, dimension) unit vectors; colour is averaged.

    Parameters
    ----------
    dimension : int
        Length of a descriptor.
    width : int
        Channels of the first layer.
    """

    def __init__(self, dimension: int = 64, width: int = 32) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
        )
        self.head = nn.Linear(2 * width * 16, dimension)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Describe images.

        Parameters
        ----------
        x : (N, 3, H, W) float32
            Images in [-1, 1].

        Returns
        -------
        (N, dimension) float32
            Unit rows.
        """
        return functional.normalize(self.head(self.features(x.mean(1, keepdim=True))), dim=1)


def augment(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Change each image as a copy might differ: shift, blur, contrast, brightness, occlusion, noise.

    Parameters
    ----------
    x : (n, C, H, W) float32
        Images in [-1, 1], background -1.
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    (n, C, H, W) float32
        Each change is made to 20 to 80 % of the images; values may leave [-1, 1].
    """
    n, _, height, width = x.shape

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(n, *(shape or (1, 1, 1)), generator=generator)

    def chosen(share: float) -> torch.Tensor:
        return torch.rand(n, 1, 1, 1, generator=generator) < share

    # One-pixel shift: cut a window at one of nine places from the padded image.
    padded = functional.pad(x, (1, 1, 1, 1), value=-1.0)
    offset = torch.where(chosen(0.6)[..., 0, 0], torch.randint(0, 3, (n, 2), generator=generator), 1)
    rows = offset[:, :1] + torch.arange(height)
    columns = offset[:, 1:] + torch.arange(width)
    x = padded.gather(2, rows[:, None, :, None].expand(-1, x.shape[1], -1, width + 2))
    x = x.gather(3, columns[:, None, None, :].expand(-1, x.shape[1], height, -1))

    blurred = functional.avg_pool2d(functional.pad(x, (1, 1, 1, 1), value=-1.0), 3, stride=1)
    x = torch.where(chosen(0.2), torch.lerp(x, blurred, uniform(0.0, 0.5)), x)
    x = torch.where(chosen(0.2), x * uniform(0.7, 1.2) + uniform(-0.2, 0.2), x)

    # Occlusion: a rectangle of 2 or 3 pixels a side with independent values.
    inside = torch.ones(n, 1, height, width, dtype=torch.bool)
    for axis, size in ((2, height), (3, width)):
        extent = torch.randint(2, 4, (n, 1), generator=generator)
        start = (torch.rand(n, 1, generator=generator) * (size - extent + 1)).long()
        place = torch.arange(size)
        line = (place >= start) & (place < start + extent)
        inside = inside & (line[:, None, :, None] if axis == 2 else line[:, None, None, :])
    x = torch.where(inside & chosen(0.8), uniform(-1.0, 1.0, *x.shape[1:]), x)

    noise = torch.randn(x.shape, generator=generator) * uniform(0.0, 0.3)
    return torch.where(chosen(0.3), x + noise, x)


def sscd_loss(
    first: torch.Tensor, second: torch.Tensor, temperature: float, entropy_weight: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """InfoNCE over pairs plus the weighted entropy term.

        L = mean_i [ -log softmax_j(z_i . z_j / temperature)_partner(i) - weight * log min_k ||z_i - z_k|| ]

    j runs over all other views, k over the views of other images.

    Parameters
    ----------
    first, second : (n, dimension) float32
        Unit descriptors of two views of n different images.
    temperature : float
        Positive.
    entropy_weight : float
        Weight of the entropy term.

    Returns
    -------
    infonce, entropy : scalar
        The two terms, the second one weighted; the loss is their sum.
    """
    n = len(first)
    z = torch.cat([first, second])
    similarity = z @ z.T
    itself = torch.eye(2 * n, dtype=torch.bool)
    partner = itself.roll(n, dims=1)
    logits = (similarity / temperature).masked_fill(itself, -torch.inf)
    infonce = functional.cross_entropy(logits, torch.arange(2 * n).roll(n))
    nearest = similarity.masked_fill(itself | partner, -2.0).amax(dim=1)
    # ||a - b||^2 = 2 - 2 a.b; the floor keeps the gradient finite at coinciding descriptors.
    entropy = -0.5 * torch.log((2 - 2 * nearest).clamp_min(1e-6)).mean()
    return infonce, entropy_weight * entropy


def train(
    images: np.ndarray,
    *,
    dimension: int = 64,
    width: int = 32,
    steps: int = 1500,
    batch_size: int = 128,
    learning_rate: float = 3e-3,
    temperature: float = 0.05,
    entropy_weight: float = 2.0,
    seed: int = 0,
    progress: Callable[..., None] | None = None,
) -> tuple[CopyDescriptor, pd.DataFrame]:
    """Train a descriptor on a set of grey images; the same seed and threads give the same weights.

    Parameters
    ----------
    images : (n, 1, H, W) float32
        Different images in [-1, 1].
    dimension, width : int
        Length of a descriptor, channels of the first layer.
    steps, batch_size : int
        Optimizer steps, and images per step (two views of each).
    learning_rate : float
        Of Adam, with cosine decay to 0.
    temperature, entropy_weight : float
        See `sscd_loss`.
    seed : int
        Root seed of weights, order and augmentations.
    progress : callable, optional
        Called as ``progress(done, infonce=..., entropy=...)`` after each step.

    Returns
    -------
    model : CopyDescriptor
        In evaluation mode.
    history : pandas.DataFrame
        `step`, `infonce`, `entropy` (weighted), one row per step.

    Raises
    ------
    InputError
        If there are fewer than two images, they are no images, or training diverges.
    """
    if images.ndim != 4 or images.shape[1] != 1 or len(images) < 2:
        raise InputError(f"the descriptor is trained on (n >= 2, 1, H, W) grey images, got {images.shape}")
    x = torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))
    batch = min(batch_size, len(x))
    generator = rng.torch_generator(seed, "descriptor")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.item_seed(seed, "descriptor-weights", 0)))
        model = CopyDescriptor(dimension, width)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    history = []
    for step in range(1, steps + 1):
        drawn = x[torch.randperm(len(x), generator=generator)[:batch]]
        views = torch.cat([augment(drawn, generator), augment(drawn, generator)]).expand(-1, 3, -1, -1)
        z = model(views)
        infonce, entropy = sscd_loss(z[:batch], z[batch:], temperature, entropy_weight)
        loss = infonce + entropy
        if not torch.isfinite(loss):
            raise InputError(f"descriptor training diverged at step {step}; lower learning_rate")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        history.append((step, infonce.item(), entropy.item()))
        if progress is not None:
            progress(step, infonce=history[-1][1], entropy=history[-1][2])
    return model.eval(), pd.DataFrame(history, columns=["step", "infonce", "entropy"])


def save(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Save a descriptor as TorchScript, the format of the public SSCD files.

    Parameters
    ----------
    model : torch.nn.Module
        Maps (N, 3, H, W) to (N, dimension), any N, H, W.
    path : path
        File to write.
    """
    with warnings.catch_warnings():
        # PyTorch advises torch.export, but the public descriptors come as TorchScript: one format for all.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Through memory: a file's own name would become part of its bytes.
        whole = io.BytesIO()
        torch.jit.save(torch.jit.script(model), whole)
    Path(path).write_bytes(whole.getvalue())


def copy_recall(
    describe: Callable[[torch.Tensor], torch.Tensor], images: np.ndarray, *, seed: int = 0
) -> dict[str, float]:
    """Share of altered copies whose nearest image by descriptor is their original.

    Parameters
    ----------
    describe : callable
        Maps (N, 3, H, W) to unit rows.
    images : (n, 1, H, W) float32
        Different images in [-1, 1]; each is altered and searched among all.
    seed : int
        Root seed of the changes.

    Returns
    -------
    dict of str to float
        In [0, 1], by change: `noise` (sd .2), `shift` (one pixel down and right), `patch` (the upper left
        3 x 3 pixels redrawn uniformly).
    """
    x = torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))
    draw = rng.torch_generator(seed, "descriptor-recall")
    patched = x.clone()
    patched[:, :, :3, :3] = 2 * torch.rand(len(x), 1, 3, 3, generator=draw) - 1
    changes = {
        "noise": x + 0.2 * torch.randn(x.shape, generator=draw),
        "shift": functional.pad(x, (1, 0, 1, 0), value=-1.0)[:, :, : x.shape[2], : x.shape[3]],
        "patch": patched,
    }
    with torch.inference_mode():
        base = describe(x.expand(-1, 3, -1, -1))
        found = {k: (describe(v.expand(-1, 3, -1, -1)) @ base.T).argmax(dim=1) for k, v in changes.items()}
    return {name: float((nearest == torch.arange(len(x))).double().mean()) for name, nearest in found.items()}
