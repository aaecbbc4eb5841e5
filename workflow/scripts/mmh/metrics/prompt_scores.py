"""Scores of prompts at every step of their guided trajectories, from one pass of sampling.

With eps^CFG = eps_0 + lambda (eps_c - eps_0) at the latents z of a step: ||eps_c - eps_0|| and its square,
||eps^CFG||^2, and FLIPD^CFG = d - sigma tr(d eps^CFG / d z) + ||eps^CFG||^2 at the last steps. The latents
are at the noise level of their step already: none is multiplied by psi here. `mmh.metrics.averages` averages
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmh.compute import rng
from mmh.compute.attention import full_float32
from mmh.compute.memory import fitting_batch, halving
from mmh.compute.rows import check_finite, repeatable
from mmh.compute.trace import ReverseProducts, exact_draws
from mmh.compute.variants import variant
from mmh.diffusion.guided_sampling import (
    Grid,
    Step,
    generation_batches,
    guided_ddim,
    initial_noise,
)
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
METRICS = ("cfg_norm_squared", "cfg_norm", "score_norm_squared", "flipd")
FLIPD_UNTIL = 0.2
EXACT_DIM = 256
LAWS = ("gaussian", "rademacher")


@dataclass(frozen=True)
class Trace:
    """How the trace of A^FLIPD is taken.

    Attributes
    ----------
    probes : int or None
        Hutchinson probes per step, each one vector-Jacobian product; None for the exact trace.
    law : {"gaussian", "rademacher"}
        Of the probes.
    until : float
        Largest t of a step whose FLIPD is taken.
    """

    probes: int | None = 1
    law: str = "gaussian"
    until: float = FLIPD_UNTIL

    def __post_init__(self) -> None:
        if self.law not in LAWS:
            raise InputError(f"probe must be one of {', '.join(LAWS)}, got {self.law!r}")
        if self.probes is not None and self.probes < 1:
            raise InputError(f"probes must be at least 1, or None for the exact trace, got {self.probes}")

    @classmethod
    def fitting(cls, trace: int | str, dim: int, **options: Any) -> Trace:
        """Read a configuration: a number of probes, "exact", or "auto" (exact up to d = 256, else one)."""
        if trace == "auto":
            return cls(None if dim <= EXACT_DIM else 1, **options)
        return cls(None if trace == "exact" else int(trace), **options)


@dataclass(frozen=True)
class PromptScores:
    """What one pass of sampling gives; item ``i * generations + g`` is generation g of the i-th prompt.

    Attributes
    ----------
    latents : numpy.ndarray
        float32 (items, c, h, w), the end of each trajectory.
    values : dict
        Metric to float64 (items, steps); of `flipd` NaN at the steps where it was not taken.
    grid : Grid
        Noise levels of the steps.
    batch_size : int
        Rows that were computed together.
    retried : int
        Items that half precision could not hold and float32 did.
    """

    latents: NDArray[np.float32]
    values: dict[str, Array]
    grid: Grid
    batch_size: int
    retried: int = 0


class _Products(ReverseProducts):
    """J^T v of a guided noise on the graph that sampling left: no call of the network."""

    def __init__(self, model: ScoreModel, step: Step) -> None:
        super(ReverseProducts, self).__init__(model, step.z, step.t)
        self.eps = step.guided


@dataclass
class Recorder:
    """Observer that takes the metrics of one batch of trajectories.

    Attributes
    ----------
    model : ScoreModel
        The network behind the trajectories.
    trace : Trace or None
        How A^FLIPD is taken; None leaves it out.
    draw : callable
        (step number, probe number) -> float32 (n, d), the probes of each row.
    values : dict
        Metric to one float64 (n,) per step, NaN where it was not taken.
    """

    model: ScoreModel
    trace: Trace | None
    draw: Callable[[int, int], NDArray[np.float32]]
    values: dict[str, list[Array]] = field(default_factory=lambda: {name: [] for name in METRICS})

    def wants_graph(self, t: float) -> bool:
        """Differentiate the steps of A^FLIPD alone: a graph takes memory."""
        return self.trace is not None and t <= self.trace.until

    def see(self, step: Step) -> None:
        """Take the metrics of one step, summed in float64."""
        difference = _squared_norm(step.caption - step.empty)
        norm = _squared_norm(step.guided)
        flipd = np.full(len(norm), np.nan)
        if self.wants_graph(step.t):
            flipd = self.model.dim - step.sigma * self._trace(step) + norm
        for name, value in zip(METRICS, (difference, np.sqrt(difference), norm, flipd), strict=True):
            self.values[name].append(value)

    def _trace(self, step: Step) -> Array:
        assert self.trace is not None
        operator, probes = _Products(self.model, step), self.trace.probes
        with torch.inference_mode(False), torch.enable_grad():
            if probes is None:
                return exact_draws(operator, self.model.dim).sum(0).cpu().numpy()
            draws = [
                operator.quadratic(
                    torch.from_numpy(self.draw(step.number, j)).to(step.z.device).double(),
                    last=j == probes - 1,
                )
                for j in range(probes)
            ]
        return torch.stack(draws).mean(0).cpu().numpy()


def _squared_norm(eps: torch.Tensor) -> Array:
    return eps.detach().double().flatten(1).square().sum(1).cpu().numpy()


def prompt_scores(
    model: ScoreModel,
    c: torch.Tensor,
    null: torch.Tensor,
    *,
    grid: Grid,
    prompt_set: str,
    prompts: Sequence[int] | NDArray[np.int64],
    generations: int = 4,
    guidance: float = 7.5,
    trace: Trace | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    progress: Callable[..., None] | None = None,
) -> PromptScores:
    """Sample generations of prompts and take every metric on the way.

    The network is called with two rows per latent and step, as sampling alone would; a probe of the trace
    adds one backward pass over the rows of its step. A generation and its scores depend on (seed, prompt_set,
    prompt, generation) alone, given the batch size, the device and the number of threads.

    Parameters
    ----------
    model : ScoreModel
        Over latents, without bound conditions.
    c : torch.Tensor
        (n, L, D), embedded prompts.
    null : torch.Tensor
        (1, L, D), the embedded empty caption.
    grid : Grid
        Levels of the sampler.
    prompt_set : str
        Name of the set.
    prompts : sequence of int
        Their numbers within the set, (n,).
    generations : int
        Generations of each prompt.
    guidance : float
        lambda of the trajectories and of eps^CFG.
    trace : Trace, optional
        How A^FLIPD is taken; by default not at all.
    seed : int
        Root seed of initial noise and probes.
    batch_size : int or None
        Latents at a time; None: 8 on a CPU, elsewhere what free memory holds.
    progress : callable, optional
        Called with the number of finished generations.

    Returns
    -------
    PromptScores
        Latents and values in the order of `prompts`.

    Raises
    ------
    InputError
        If an argument does not fit, or a value is not finite (the message names the prompts).
    """
    numbers = np.asarray(prompts, dtype=np.int64)
    if len(c) != len(numbers) or generations < 1:
        raise InputError(f"needs one embedding per prompt: {len(c)} for {len(numbers)}, {generations} each")
    owner = np.repeat(np.arange(len(numbers)), generations)
    which = np.tile(np.arange(generations), len(numbers))
    done = 0

    def batch(
        score: ScoreModel, items: NDArray[np.int64], levels: Grid = grid
    ) -> tuple[NDArray[np.float32], dict[str, Array]]:
        owners, drawn = numbers[owner[items]], which[items]

        def draw(step: int, probe: int) -> NDArray[np.float32]:
            law = "gaussian" if trace is None else trace.law
            keys = zip(owners.tolist(), drawn.tolist(), strict=True)
            return _probes(seed, prompt_set, list(keys), step, probe, law, model.dim)

        recorder = Recorder(score, trace, draw)
        noise = initial_noise(seed, prompt_set, owners.tolist(), drawn.tolist(), model.shape)
        rows = torch.from_numpy(owner[items]).to(c.device)
        options: dict[str, Any] = {"grid": levels, "guidance": guidance, "observer": recorder}
        end = guided_ddim(score, noise, c[rows], null, **options)
        return end.float().cpu().numpy(), {k: np.stack(v, axis=1) for k, v in recorder.values.items()}

    def all_batches(size: int, score: ScoreModel, chosen: NDArray[np.int64]) -> Any:
        nonlocal done
        done = 0
        latents = np.empty((len(chosen), *model.shape), dtype=np.float32)
        values = {name: np.empty((len(chosen), len(grid))) for name in METRICS}
        # Of all items, so that the ones that are done again sit in the same rows as before.
        for rows, places in generation_batches(numbers, generations, size):
            wanted = np.isin(rows[places], chosen)
            if not wanted.any():
                continue
            end, found = batch(score, rows)
            into = np.searchsorted(chosen, rows[places][wanted])
            latents[into] = end[places[wanted]]
            for name, value in found.items():
                values[name][into] = value[places[wanted]]
            done += int(wanted.sum())
            if progress is not None:
                progress(done)
        return latents, values

    everything = np.arange(len(owner))
    with repeatable(model.device), full_float32():
        trial = lambda rows: batch(model, np.arange(rows) % len(owner), grid[-1:])  # noqa: E731
        size = fitting_batch(trial, model.device, batch_size, len(owner)) if len(owner) else 1
        fixed = batch_size is not None
        (latents, values), size = halving(lambda s: all_batches(s, model, everything), size, fixed=fixed)
        bad = everything[~_finite(latents, values, trace, grid)]
        if len(bad) and model.dtype.itemsize < 4:
            score = variant(model, dtype=torch.float32)
            latents[bad], again = all_batches(size, score, bad)
            for name, value in again.items():
                values[name][bad] = value
    finite = _finite(latents, values, trace, grid)
    check_finite(finite, numbers[owner], f"a score of prompt set {prompt_set} is not finite")
    retried = len(bad) if model.dtype.itemsize < 4 else 0
    return PromptScores(latents, values, grid, size, retried)


def _probes(
    seed: int,
    prompt_set: str,
    keys: Sequence[tuple[int, int]],
    step: int,
    probe: int,
    law: str,
    dim: int,
) -> NDArray[np.float32]:
    """Draw probe vectors (n, d), keyed by (seed, set, prompt, generation, step, probe)."""
    purpose = f"prompt-{law}:{prompt_set}"
    streams = [rng.generator(seed, purpose, prompt, g, step, probe) for prompt, g in keys]
    if law == "gaussian":
        return np.stack([stream.standard_normal(dim, dtype=np.float32) for stream in streams])
    signs = np.stack([stream.integers(0, 2, dim, dtype=np.int8) for stream in streams])
    return 2 * signs.astype(np.float32) - 1


def _finite(
    latents: NDArray[np.float32], values: dict[str, Array], trace: Trace | None, grid: Grid
) -> NDArray[np.bool_]:
    """Items (n,) whose latents and scores are finite; FLIPD is only where it was asked for."""
    taken = np.zeros(len(grid), dtype=bool) if trace is None else grid.t <= trace.until
    parts: list[NDArray[Any]] = [latents.reshape(len(latents), -1)]
    parts += [value[:, taken] if name == "flipd" else value for name, value in values.items()]
    return np.logical_and.reduce([np.isfinite(part).all(axis=1) for part in parts])


def score_table(
    scores: PromptScores,
    *,
    prompt_set: str,
    prompts: Sequence[int] | NDArray[np.int64],
    generations: int,
    images: Mapping[str, NDArray[np.float64]] | None = None,
) -> pd.DataFrame:
    """List scores one per row.

    Parameters
    ----------
    scores : PromptScores
        Of n prompts.
    prompt_set, prompts, generations
        As for `prompt_scores`.
    images : mapping, optional
        What was measured on the generations themselves, by name: (items,), listed at the last step.

    Returns
    -------
    pandas.DataFrame
        Columns ``prompt_set, prompt, generation, step, t, index, sigma, metric, value``; rows by prompt,
        generation, metric, step.
    """
    import pandas as pd

    numbers, grid, steps = np.asarray(prompts, dtype=np.int64), scores.grid, np.arange(len(scores.grid))
    value = np.stack([scores.values[name] for name in METRICS], axis=1)  # (items, metrics, steps)
    shape = (len(numbers), generations, len(METRICS), len(steps))

    def column(values: Any, axis: int) -> Any:
        sizes = [1, 1, 1, 1]
        sizes[axis] = -1
        return np.broadcast_to(np.asarray(values).reshape(sizes), shape).ravel()

    table = pd.DataFrame(
        {
            "prompt_set": prompt_set,
            "prompt": column(numbers, 0),
            "generation": column(np.arange(generations), 1),
            "step": column(steps, 3),
            "t": column(grid.t, 3),
            "index": column(grid.index, 3),
            "sigma": column(np.sqrt(1.0 - grid.abar), 3),
            "metric": column(np.array(METRICS, dtype=object), 2),
            "value": value.ravel(),
        }
    )
    last = table[(table["metric"] == METRICS[0]) & (table["step"] == steps[-1])]
    parts = [last.assign(metric=name, value=values) for name, values in (images or {}).items()]
    return pd.concat([table[table["value"].notna()], *parts], ignore_index=True)
