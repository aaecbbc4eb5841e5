"""Adversarial training of a small StyleGAN2, with a running mean of the generator's weights."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from mmh.compute import rng
from mmh.compute.optimisation import Report, averaging_decay, cosine_rate
from mmh.errors import InputError
from mmh.io.image_shards import read_column, read_images
from mmh.models.stylegan.discriminator import (
    Discriminator,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
)
from mmh.models.stylegan.generator import Generator
from mmh.models.stylegan.model import GeneratorModel
from mmh.options.base import Options

BETAS = (0.0, 0.99)  # Adam without momentum, which would follow an opponent that has moved on
REMEDY = "lower learning_rate or raise r1_gamma"
HISTORY = ("step", "loss_generator", "loss_discriminator", "penalty", "learning_rate")


@torch.no_grad()
def update_average(average: torch.nn.Module, model: torch.nn.Module, decay: float) -> None:
    """Move running means towards a model: average <- decay · average + (1 - decay) · model; copy buffers."""
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1.0 - decay)
    for kept, current in zip(average.buffers(), model.buffers(), strict=True):
        kept.copy_(current)


class Batches:
    """Rows of training images, drawn with replacement, one class per group.

    A group's class is that of a random image, its images are random ones of that class: so every image is as
    likely as any other, and `minibatch_deviation` compares like with like. In mixed groups the spread between
    classes hides a generator that knows one image per class.

    Parameters
    ----------
    labels : (n,) int64
        Classes of the images; all equal: no classes.
    batch_size, group : int
        Rows per batch, and rows that share a class.
    """

    def __init__(self, labels: np.ndarray, batch_size: int, group: int) -> None:
        if group < 1 or batch_size < 1 or batch_size % group:
            raise InputError(f"batch_size must be a multiple of group, {batch_size} is none of {group}")
        self.groups, self.group = batch_size // group, group
        self.order = torch.from_numpy(np.argsort(labels, kind="stable"))
        _, first, place, counts = np.unique(
            labels[self.order.numpy()], return_index=True, return_inverse=True, return_counts=True
        )
        # Of each image, in class order: where its class begins and how many images that has.
        self.begin, self.count = torch.from_numpy(first[place]), torch.from_numpy(counts[place])

    def draw(self, generator: torch.Generator) -> torch.Tensor:
        """Draw the rows of one batch, int64 (batch_size,)."""
        like = torch.randint(len(self.order), (self.groups,), generator=generator)
        share = torch.rand(self.groups, self.group, generator=generator, dtype=torch.float64)
        inside = (share * self.count[like, None]).long()
        return self.order[self.begin[like, None] + inside].flatten()


def train(
    images: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    seed: int,
    steps: int = 6000,
    batch_size: int = 32,
    learning_rate: float = 0.01,
    z_dim: int = 32,
    w_dim: int = 64,
    channels: int = 64,
    mapping_layers: int = 2,
    mapping_lr: float = 0.3,
    group: int = 4,
    r1_gamma: float = 0.05,
    r1_every: int = 8,
    ema_decay: float = 0.998,
    log_every: int = 50,
    progress: Report | None = None,
) -> tuple[Generator, pd.DataFrame]:
    """Train a generator on a set of images; the result depends on the arguments and the threads alone.

    Parameters
    ----------
    images : (n, C, H, H) float32
        Training images in [-1, 1], H a power of two from 4 on; exact copies count as often as they occur.
    labels : (n,) int64, optional
        Their classes from 0 on; both networks are conditional on them. None: no classes.
    seed : int
        Root seed of weights, batches and latents.
    steps, batch_size : int
        Steps of each network, and images of each kind per step.
    learning_rate : float
        Adam's rate at the start; half a cosine takes it to 0. Raw weights are of size 1 (see `Layer`), so it
        is also their relative change per step: some thousand steps need several times the 2.5e-3 of the
        published runs, which are hundreds of times longer.
    z_dim, w_dim : int
        Lengths of the latents.
    channels : int
        Feature maps of both networks at every resolution.
    mapping_layers, mapping_lr
        As for `Generator`; it has no noise inputs, so the image is a function of z and the class.
    group : int
        As for `Batches` and `minibatch_deviation`; divides `batch_size`.
    r1_gamma : float
        γ of the penalty γ / 2 ||grad D||²; 0: none.
    r1_every : int
        Steps between two penalties, each weighted by this number.
    ema_decay : float
        Decay of the running mean of the generator, which is what is returned. It starts lower,
        (1 + step) / (10 + step), so that the initial weights are soon forgotten.
    log_every : int
        Steps that one row of the history averages over.
    progress : callable, optional
        Called as ``progress(step, generator=..., discriminator=...)`` with both losses after every row.

    Returns
    -------
    generator : Generator
        The averaged generator, in evaluation mode.
    history : pandas.DataFrame
        Columns `HISTORY`: `step` int64 (steps done); means of both losses over the steps since the last row;
        `penalty`, the last ||grad D||² (NaN if there is none yet); `learning_rate`.

    Raises
    ------
    InputError
        If shapes or options do not fit, or a loss ceases to be finite.
    """
    x, c = _checked(images, labels)
    batches = Batches(np.zeros(len(x)) if labels is None else labels, batch_size, group)
    networks: dict[str, Any] = {
        "z_dim": z_dim,
        "w_dim": w_dim,
        "mapping_layers": mapping_layers,
        "mapping_lr": mapping_lr,
        "width": channels,
        "group": group,
    }
    generator, discriminator = _initial(x, c, seed, **networks)
    average = _initial(x, c, seed, **networks)[0].eval().requires_grad_(False)
    made_by, judged_by = list(generator.parameters()), list(discriminator.parameters())
    optimizers = [torch.optim.Adam(own, betas=BETAS, fused=True) for own in (made_by, judged_by)]
    draws = rng.torch_generator(seed, "gan-training")

    rows: list[tuple[float, ...]] = []
    losses: list[tuple[float, float]] = []
    penalty = math.nan
    for step in range(steps):
        rate = cosine_rate(learning_rate, step, steps)
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = rate
        chosen = batches.draw(draws)
        real, classes = x[chosen], None if c is None else c[chosen]
        w = generator.mapping(torch.randn(batch_size, z_dim, generator=draws), classes)
        generator.mapping.track(w)
        made = generator.synthesis(generator.broadcast(w))

        twice = None if classes is None else torch.cat([classes, classes])
        loss = discriminator_loss(*discriminator(torch.cat([real, made.detach()]), twice).chunk(2))
        total = loss
        if r1_gamma > 0 and step % r1_every == 0:
            slope = gradient_penalty(discriminator, real, classes)
            penalty, total = slope.item(), loss + 0.5 * r1_gamma * r1_every * slope
        _descend(optimizers[1], total, judged_by)
        # The same images again, before the discriminator as it now is.
        loss_generator = generator_loss(discriminator(made, classes))
        _descend(optimizers[0], loss_generator, made_by)
        update_average(average, generator, averaging_decay(ema_decay, step))

        losses.append((loss_generator.item(), loss.item()))
        if not all(map(math.isfinite, losses[-1])):
            found = "generator {:.3g}, discriminator {:.3g}".format(*losses[-1])
            raise InputError(f"GAN training: a loss is not finite at step {step + 1}: {found}; {REMEDY}")
        if (step + 1) % log_every == 0 or step + 1 == steps:
            mean = np.mean(losses, axis=0).tolist()
            rows.append((step + 1, *mean, penalty, rate))
            losses.clear()
            if progress is not None:
                progress(step + 1, generator=mean[0], discriminator=mean[1])
    return average, pd.DataFrame(rows, columns=list(HISTORY)).astype({"step": np.int64})


def make(
    folder: Path,
    options: Options,
    *,
    inputs: Mapping[str, Path],
    seed: int,
    progress: Callable[[int], Report],
) -> pd.DataFrame:
    """Train on an experiment's images and their classes, and write the model folder; see `Kind.maker`."""
    x, ids = read_images(inputs["images"])
    labels = read_column(inputs["images"], "class", ids)
    settings = options.model_dump()
    generator, history = train(x, labels, seed=seed, progress=progress(settings["steps"]), **settings)
    GeneratorModel(generator).save(folder)
    return history


def _descend(optimizer: torch.optim.Optimizer, loss: torch.Tensor, weights: list[torch.nn.Parameter]) -> None:
    """Take one step in these weights only; the loss may depend on the other network as well."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward(inputs=weights)
    optimizer.step()


def _initial(
    x: torch.Tensor, c: torch.Tensor | None, seed: int, *, width: int, group: int, **options: Any
) -> tuple[Generator, Discriminator]:
    """Draw both networks' initial weights without touching the global generator."""
    side, channels, c_dim = x.shape[-1], x.shape[1], 0 if c is None else c.shape[1]
    shape: dict[str, Any] = {"resolution": side, "channels": channels, "c_dim": c_dim}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.item_seed(seed, "gan-generator-weights", 0)))
        generator = Generator(
            **shape, channel_base=width * side, channel_max=width, use_noise=False, **options
        )
        torch.manual_seed(int(rng.item_seed(seed, "gan-discriminator-weights", 0)))
        discriminator = Discriminator(**shape, width=width, group=group)
    return generator, discriminator


def _checked(images: np.ndarray, labels: np.ndarray | None) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Images and one-hot classes."""
    if images.ndim != 4 or images.shape[2] != images.shape[3] or len(images) == 0:
        raise InputError(f"training images must have the shape (n, C, H, H), they have {images.shape}")
    x = torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))
    if labels is None:
        return x, None
    if labels.shape != (len(x),) or labels.dtype.kind not in "iu" or labels.min() < 0:
        raise InputError(
            f"classes must be {len(x)} whole numbers from 0 on, one per training image; "
            f"got {labels.dtype} of shape {labels.shape}"
        )
    return x, functional.one_hot(torch.from_numpy(labels.astype(np.int64))).float()
