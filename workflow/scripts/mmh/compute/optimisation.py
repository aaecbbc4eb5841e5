"""The training loop of small networks: Adam, a cosine-decayed rate, averaged weights, a history."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch

Report = Callable[..., None]


def cosine_rate(learning_rate: float, step: int, steps: int) -> float:
    """Rate of a step: half a cosine takes it from `learning_rate` to 0 at the last step."""
    return learning_rate * 0.5 * (1.0 + math.cos(math.pi * step / steps))


def averaging_decay(ema_decay: float, step: int) -> float:
    """Decay of a running mean, lower at the start so that the initial weights are soon forgotten."""
    return min(ema_decay, (1 + step) / (10 + step))


def minimise(
    loss: Callable[[int], torch.Tensor],
    weights: Sequence[torch.nn.Parameter],
    *,
    steps: int,
    learning_rate: float,
    averages: Sequence[torch.nn.Parameter] = (),
    ema_decay: float = 0.999,
    weight_decay: float = 0.01,
    log_every: int = 20,
    progress: Report | None = None,
) -> pd.DataFrame:
    """Minimise a loss by AdamW; half a cosine takes the rate to 0 at the last step.

    Parameters
    ----------
    loss : callable
        ``loss(step)`` gives the scalar of one step, with its graph.
    weights : sequence of torch.nn.Parameter
        What is trained, in place.
    steps : int
        Optimizer steps.
    learning_rate : float
        Rate at the start.
    averages : sequence of torch.nn.Parameter
        As many parameters as `weights`, which become their running mean in place; none by default.
    ema_decay : float
        Decay of that mean. It starts lower, (1 + step) / (10 + step), so that the initial weights are soon
        forgotten.
    weight_decay : float
        AdamW's; 0 makes it Adam.
    log_every : int
        Steps that one row of the history averages over.
    progress : callable, optional
        Called as ``progress(step, loss=...)`` after every row of the history.

    Returns
    -------
    pandas.DataFrame
        `step` int64 (steps done), `loss` float64 (mean over the steps since the last row), `learning_rate`
        float64.

    Raises
    ------
    FloatingPointError
        If the loss ceases to be finite.
    """
    trained: list[torch.Tensor] = list(weights)
    means: list[torch.Tensor] = list(averages)
    optimizer = torch.optim.AdamW(trained, lr=learning_rate, weight_decay=weight_decay, fused=True)
    rows: list[tuple[int, float, float]] = []
    losses: list[float] = []
    for step in range(steps):
        rate = cosine_rate(learning_rate, step, steps)
        optimizer.param_groups[0]["lr"] = rate
        value = loss(step)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()
        if means:
            with torch.no_grad():
                torch._foreach_lerp_(means, trained, 1.0 - averaging_decay(ema_decay, step))
        losses.append(value.item())
        if (step + 1) % log_every == 0 or step + 1 == steps:
            mean = float(np.mean(losses))
            if not math.isfinite(mean):
                raise FloatingPointError(f"the loss is {mean} at step {step + 1}; lower the learning rate")
            rows.append((step + 1, mean, rate))
            losses.clear()
            if progress is not None:
                progress(step + 1, loss=mean)
    history = pd.DataFrame(rows, columns=["step", "loss", "learning_rate"])
    return history.astype({"step": np.int64})
