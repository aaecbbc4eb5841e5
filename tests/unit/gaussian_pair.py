"""A noise predictor whose condition is a Gaussian: c holds its mean and its variances."""

import torch

from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel


def gaussian_model(schedule: Schedule, dim: int) -> ScoreModel:
    """Make eps(z, t, c) = sigma (z - psi mean) / (psi^2 variance + sigma^2), exact for N(mean, variance).

    Parameters
    ----------
    schedule : Schedule
        Noise levels; of a discrete one, those between its steps.
    dim : int
        Length of z.

    Returns
    -------
    ScoreModel
        float64; c is (n, 2, dim): mean, then variances.
    """
    levels = schedule.continuous()

    def eps(z: torch.Tensor, t: float, c: torch.Tensor) -> torch.Tensor:
        psi, sigma = levels.psi(t), levels.sigma(t)
        return sigma * (z - psi * c[:, 0]) / (psi**2 * c[:, 1] + sigma**2)

    return ScoreModel.from_function(eps, (dim,), schedule, dtype=torch.float64)


def conditions(n: int, dim: int, seed: int = 0) -> torch.Tensor:
    """Draw n conditions, (n, 2, dim) float64."""
    generator = torch.Generator().manual_seed(seed)
    means = torch.randn(n, dim, generator=generator, dtype=torch.float64)
    return torch.stack([means, 0.05 + torch.rand(n, dim, generator=generator, dtype=torch.float64)], dim=1)
