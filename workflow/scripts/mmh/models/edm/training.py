"""Training of an MLP with EDM preconditioning on points of a low-dimensional space."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mmh.compute import rng
from mmh.compute.optimisation import Report, minimise
from mmh.errors import InputError
from mmh.io.image_shards import read_images
from mmh.models.edm.losses import second_order_loss
from mmh.models.edm.model import save
from mmh.models.edm.network import EdmNetwork
from mmh.options.base import Options


def train(
    x: np.ndarray,
    *,
    seed: int,
    steps: int = 8000,
    draws: int = 4,
    learning_rate: float = 2e-3,
    ema_decay: float = 0.999,
    second_order: float = 0.0,
    log_every: int = 50,
    progress: Report | None = None,
    **network: Any,
) -> tuple[EdmNetwork, pd.DataFrame]:
    """Train the network on all points at once; the result depends on the arguments alone.

    Parameters
    ----------
    x : (n, dim) float32
        Training points.
    seed : int
        Root seed of weights, noise levels and noise.
    steps : int
        Adam steps; half a cosine takes the rate to 0.
    draws : int
        Noise levels, log-uniform in [σ_min, σ_max], drawn for each point in each step.
    learning_rate : float
        Rate at the start.
    ema_decay : float
        Decay of the running mean of the weights, which is what is returned.
    second_order : float
        Weight of `losses.second_order_loss` beside the loss of the denoiser; 0: it is not computed.
    log_every : int
        Steps that one row of the history averages over.
    progress : callable, optional
        Called as ``progress(step, loss=...)`` after every row of the history.
    **network
        Options of `EdmNetwork`.

    Returns
    -------
    network : EdmNetwork
        The averaged network, in evaluation mode.
    history : pandas.DataFrame
        `step` int64, `loss` float64 (squared error of D over c_out², with the weighted second-order loss if
        there is one; mean over the steps since the last row), `learning_rate` float64.

    Raises
    ------
    InputError
        If the points do not have the expected shape.
    FloatingPointError
        If the loss ceases to be finite.
    """
    if x.ndim != 2 or len(x) == 0:
        raise InputError(f"training points must have the shape (n, dim), they have {x.shape}")
    model, average = (_initial(x.shape[1], seed, network) for _ in range(2))
    average.eval().requires_grad_(False)
    clean = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)).repeat(draws, 1)
    log_min, log_max = math.log(model.config["sigma_min"]), math.log(model.config["sigma_max"])
    generator = rng.torch_generator(seed, "edm-training")

    def loss(step: int) -> torch.Tensor:
        sigma = (log_min + (log_max - log_min) * torch.rand(len(clean), 1, generator=generator)).exp()
        noise = torch.randn(clean.shape, generator=generator)
        weight = 1.0 / sigma**2 + 1.0 / model.sigma_data**2
        z = (clean + sigma * noise).requires_grad_(second_order > 0)
        denoised = model(z, sigma)
        first = (weight * (denoised - clean) ** 2).mean()
        if second_order == 0:
            return first
        return first + second_order * second_order_loss((z - denoised) / sigma, z, sigma, noise)

    history = minimise(
        loss,
        list(model.parameters()),
        steps=steps,
        learning_rate=learning_rate,
        averages=list(average.parameters()),
        ema_decay=ema_decay,
        weight_decay=0.0,
        log_every=log_every,
        progress=progress,
    )
    return average, history


def make(
    folder: Path,
    options: Options,
    *,
    inputs: Mapping[str, Path],
    seed: int,
    progress: Callable[[int], Report],
) -> pd.DataFrame:
    """Train on an experiment's points and write the model folder; see `Kind.maker`."""
    x, _ = read_images(inputs["images"])
    settings = options.model_dump()
    network, history = train(x, seed=seed, progress=progress(settings["steps"]), **settings)
    save(folder, network)
    return history


def _initial(dim: int, seed: int, options: dict[str, Any]) -> EdmNetwork:
    """Draw the initial weights without touching the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.item_seed(seed, "edm-weights", 0)))
        return EdmNetwork(dim, **options)
