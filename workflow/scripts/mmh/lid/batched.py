"""FLIPD's parts over batches whose size is given, or follows from free memory on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmh.compute.attention import full_float32
from mmh.compute.fitting import LARGEST_BATCH, fitting_batch
from mmh.compute.probes import Probes
from mmh.compute.rows import fast_layout, fixed_batches, repeatable
from mmh.compute.trace import (
    ForwardProducts,
    ReverseProducts,
    exact_draws,
    hutch_plus_plus_draws,
    hutchinson_draws,
)
from mmh.compute.variants import variant
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError

Array = NDArray[np.float64]


def batched_traces(
    model: ScoreModel,
    x: torch.Tensor,
    ids: NDArray[np.int64],
    t: float,
    *,
    batch_size: int | None,
    compiled: bool = False,
    **options: Any,
) -> Array:
    """Trace, squared norm and squared standard error of the trace for each sample.

    Parameters
    ----------
    model : ScoreModel
        With conditioning rows in the order of `x`.
    x : torch.Tensor
        float64 (n, *shape), clean samples on the CPU.
    ids : numpy.ndarray
        int64 (n,).
    t : float
        Noise time.
    batch_size : int or None
        Rows of a batch; None to choose it from free memory, and halve it when memory runs out.
    compiled : bool
        Compile the network.
    **options
        probes, probe, seed, mode, as for `mmh.lid.flipd.flipd_estimate`.

    Returns
    -------
    numpy.ndarray
        float64 (3, n): sigma tr(d eps / d z), ||eps||^2, squared standard error of the first (0 where there
        is none).

    Raises
    ------
    InputError
        If one row does not fit into memory.
    """
    if not len(x):
        return np.zeros((3, 0))
    plain, model = model, variant(model, compiled=True) if compiled else model
    with repeatable(model.device):
        if batch_size is not None:
            return _in_batches(model, x, ids, t, batch_size, options, halve=False)
        # Not compiled, which would take minutes for each number of rows.
        size = fitting_batch(
            _trial_batch(plain, x, ids, t, options), model.device, None, len(x), on_cpu=LARGEST_BATCH
        )
        return _in_batches(model, x, ids, t, size, options, halve=True)


def _in_batches(
    model: ScoreModel,
    x: torch.Tensor,
    ids: NDArray[np.int64],
    t: float,
    size: int,
    options: dict[str, Any],
    *,
    halve: bool,
) -> Array:
    parts, left = np.zeros((3, len(x))), np.arange(len(x))
    while len(left):
        done = np.zeros(len(x), dtype=bool)
        try:
            for rows, places in fixed_batches(ids[left], size):
                chosen = left[rows]
                result = _one_batch(model.select(chosen), x[chosen], ids[chosen], t, **options)
                parts[:, chosen[places]] = result[:, places]
                done[chosen[places]] = True
        except torch.OutOfMemoryError as error:
            if not halve:
                raise
            if size == 1:
                raise InputError("one sample does not fit into the device's memory") from error
            size = max(1, size // 2)
        # Freed outside of the handler, where the failed call's tensors are gone.
        if model.device.type == "cuda" and not done[left].all():
            torch.cuda.empty_cache()
        left = left[~done[left]]
    return parts


def in_float32(model: ScoreModel) -> ScoreModel:
    """Give a float32 copy of a half-precision model."""
    return variant(model, dtype=torch.float32)


def _one_batch(
    model: ScoreModel,
    x: torch.Tensor,
    ids: NDArray[np.int64],
    t: float,
    *,
    probes: int | None,
    probe: str,
    seed: int,
    mode: str,
) -> Array:
    psi, sigma = model.schedule.psi(float(t)), model.schedule.sigma(float(t))
    # inference_mode(False) lets a caller's inference mode stand without losing the graph here.
    with torch.inference_mode(False), torch.enable_grad(), full_float32(), _keeping_buffers():
        z = fast_layout((psi * x).to(device=model.device, dtype=model.dtype))
        operator = (ReverseProducts if mode == "reverse" else ForwardProducts)(model, z, t)
        if probes is None:
            draws = exact_draws(operator, model.dim)
        else:
            vectors = Probes(probes, probe, seed, ids, model.dim)
            take = hutch_plus_plus_draws if probe == "hutch++" else hutchinson_draws
            draws = take(operator, vectors, probes)
        values = sigma * draws.detach().cpu().numpy()
        norms = operator.squared_norm().cpu().numpy()
    with np.errstate(invalid="ignore", over="ignore"):  # half precision may have overflowed: see flipd
        if probes is None:
            return np.stack([values.sum(0), norms, np.zeros(len(x))])
        count = len(values)
        mean = values.sum(0) / count
        variance = ((values - mean) ** 2).sum(0) / (count * max(count - 1, 1))
    if probe == "orthogonal":
        # Drawn without replacement: with d of them the trace is exact.
        variance *= 1.0 - probes / model.dim
    return np.stack([mean, norms, variance])


def _keeping_buffers() -> AbstractContextManager[Any]:
    """Let compiled code run backward on one graph several times: by default it reuses the graph's memory."""
    import torch._functorch.config as config

    return config.patch(donated_buffer=False) if hasattr(config, "donated_buffer") else nullcontext()


def _trial_batch(
    model: ScoreModel, x: torch.Tensor, ids: NDArray[np.int64], t: float, options: dict[str, Any]
) -> Callable[[int], object]:
    """Give what `fitting_batch` tries: one batch of so many rows, the first samples in turn."""

    def trial(rows: int) -> object:
        first = np.arange(rows) % len(x)
        return _one_batch(model.select(first), x[first], ids[first], t, **options)

    return trial
