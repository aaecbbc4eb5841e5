"""An MLP with EDM preconditioning (Karras et al. 2022, Table 1) for points in a low-dimensional space."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import torch

from mmh.compute import rng
from mmh.compute.rows import aligned_blocks
from mmh.errors import InputError

Report = Callable[..., None]


class EdmNetwork(torch.nn.Module):
    """Denoiser D(z; σ) = c_skip z + c_out F(c_in z, features of log σ).

    Parameters
    ----------
    dim : int
        Dimension of the points.
    width, depth : int
        Width and number of hidden layers of F, with SiLU.
    features : int
        Gaussian Fourier frequencies of log σ, each giving a sine and a cosine.
    sigma_data : float
        Standard deviation of the data, which sets the preconditioning.
    sigma_min, sigma_max : float
        Noise levels that the network is trained for.
    """

    def __init__(
        self,
        dim: int = 2,
        *,
        width: int = 256,
        depth: int = 3,
        features: int = 32,
        sigma_data: float = 0.6,
        sigma_min: float = 0.005,
        sigma_max: float = 3.0,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "dim": dim,
            "width": width,
            "depth": depth,
            "features": features,
            "sigma_data": sigma_data,
            "sigma_min": sigma_min,
            "sigma_max": sigma_max,
        }
        self.sigma_data = sigma_data
        self.frequencies: torch.Tensor
        self.register_buffer("frequencies", torch.randn(features))
        sizes = [dim + 2 * features] + [width] * depth
        layers: list[torch.nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [torch.nn.Linear(inputs, outputs), torch.nn.SiLU()]
        self.layers = torch.nn.Sequential(*layers, torch.nn.Linear(width, dim))

    def forward(self, z: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Estimate the clean point.

        Parameters
        ----------
        z : (n, dim) float32
            Noised points, clean + σ noise.
        sigma : (n, 1) float32
            Noise levels.

        Returns
        -------
        (n, dim) float32
            D(z; σ).
        """
        total = (sigma**2 + self.sigma_data**2).sqrt()
        phase = sigma.log() * self.frequencies
        inner = self.layers(torch.cat([z / total, phase.sin(), phase.cos()], dim=1))
        return z * (self.sigma_data / total) ** 2 + inner * (sigma * self.sigma_data / total)

    def eps(self, z: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Estimate the noise, (z - D(z; σ)) / σ; arguments and result as for `forward`."""
        return (z - self(z, sigma)) / sigma


def train(
    x: np.ndarray,
    *,
    seed: int,
    steps: int = 8000,
    draws: int = 4,
    learning_rate: float = 2e-3,
    ema_decay: float = 0.999,
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
        `step` int64, `loss` float64 (squared error of D over c_out², mean over the steps since the last row),
        `learning_rate` float64.

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
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate, fused=True)
    weights: list[torch.Tensor] = list(model.parameters())
    averages: list[torch.Tensor] = list(average.parameters())
    clean = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)).repeat(draws, 1)
    log_min, log_max = math.log(model.config["sigma_min"]), math.log(model.config["sigma_max"])
    generator = rng.torch_generator(seed, "edm-training")

    rows: list[tuple[int, float, float]] = []
    losses: list[float] = []
    for step in range(steps):
        rate = learning_rate * 0.5 * (1.0 + math.cos(math.pi * step / steps))
        optimizer.param_groups[0]["lr"] = rate
        sigma = (log_min + (log_max - log_min) * torch.rand(len(clean), 1, generator=generator)).exp()
        noise = torch.randn(clean.shape, generator=generator)
        weight = 1.0 / sigma**2 + 1.0 / model.sigma_data**2
        loss = (weight * (model(clean + sigma * noise, sigma) - clean) ** 2).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(averages, weights, 1.0 - min(ema_decay, (1 + step) / (10 + step)))
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
    return average, history.astype({"step": np.int64})


def _initial(dim: int, seed: int, options: dict[str, Any]) -> EdmNetwork:
    """Draw the initial weights without touching the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.item_seed(seed, "edm-weights", 0)))
        return EdmNetwork(dim, **options)


@torch.no_grad()
def sample(
    network: EdmNetwork,
    ids: Sequence[int] | np.ndarray,
    *,
    seed: int,
    steps: int = 60,
    batch_size: int = 500,
    rho: float = 7.0,
    progress: Report | None = None,
) -> np.ndarray:
    """Draw points with Heun's method on the probability-flow ODE (Karras et al. 2022, Algorithm 1).

    Parameters
    ----------
    network : EdmNetwork
        Trained denoiser.
    ids : (n,) int
        Which points, in any order; a point's bytes depend on (seed, id) alone, see `batches`.
    seed : int
        Root seed; the initial noise of a point follows from it and the id.
    steps : int
        Steps from σ_max to σ_min, then one more to 0.
    batch_size : int
        Points computed at once; part of the recipe, since another one may change the last bits.
    rho : float
        Exponent that spaces the noise levels.
    progress : callable, optional
        Called as ``progress(done)`` with the number of finished points.

    Returns
    -------
    (n, dim) float32
        Points; rows in the order of `ids`.
    """
    ids = np.asarray(ids, dtype=np.int64)
    dim, low, high = (network.config[key] for key in ("dim", "sigma_min", "sigma_max"))
    ramp = np.linspace(0.0, 1.0, steps)
    levels = (high ** (1 / rho) + ramp * (low ** (1 / rho) - high ** (1 / rho))) ** rho
    levels = np.append(levels, 0.0).tolist()
    device = network.frequencies.device
    out = np.empty((len(ids), dim), dtype=np.float32)
    done = 0
    for rows, places in aligned_blocks(ids, batch_size):
        z = torch.zeros(batch_size, dim)
        z[places] = high * rng.normal(seed, "initial-noise", ids[rows], (dim,))
        z = z.to(device)
        for now, after in pairwise(levels):
            slope = network.eps(z, torch.full((batch_size, 1), now, device=device))
            following = z + (after - now) * slope
            if after > 0:
                slope_after = network.eps(following, torch.full((batch_size, 1), after, device=device))
                following = z + (after - now) * 0.5 * (slope + slope_after)
            z = following
        out[rows] = z.cpu().numpy()[places]
        done += len(rows)
        if progress is not None:
            progress(done)
    return out
