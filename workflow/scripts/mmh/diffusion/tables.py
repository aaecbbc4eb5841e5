"""Tables of cumulative products of 1 - beta, in float64, and which schedulers have none."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def cosine_table(T: int) -> Array:
    """Products (T,) of the cosine schedule: each beta is at most .999."""
    u = np.arange(T + 1) / T
    curve = np.cos(0.5 * np.pi * (u + 0.008) / 1.008) ** 2
    return np.cumprod(1.0 - np.minimum(1.0 - curve[1:] / curve[:-1], 0.999))


def alphas_cumprod(config: Any) -> Array | None:
    """Recompute a scheduler's table in float64 from its configuration; None where the law is not known."""
    T, law = int(config.num_train_timesteps), getattr(config, "beta_schedule", None)
    if getattr(config, "trained_betas", None) is not None:
        betas = np.asarray(config.trained_betas, dtype=np.float64)
    elif law == "linear":
        betas = np.linspace(config.beta_start, config.beta_end, T, dtype=np.float64)
    elif law == "scaled_linear":
        betas = np.linspace(config.beta_start**0.5, config.beta_end**0.5, T, dtype=np.float64) ** 2
    else:
        return cosine_table(T) if law == "squaredcos_cap_v2" else None
    return np.cumprod(1.0 - betas, dtype=np.float64)


def is_flow(scheduler: Any) -> bool:
    """Whether a diffusers scheduler is of flow matching, by the name of its class."""
    return type(scheduler).__name__ == "FlowMatchEulerDiscreteScheduler"
