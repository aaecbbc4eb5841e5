"""An MLP with EDM preconditioning (Karras et al. 2022, Table 1) for points in a low-dimensional space."""

from itertools import pairwise
from typing import Any

import torch


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
