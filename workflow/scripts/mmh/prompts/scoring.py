"""Scores of prompts at every step of their guided trajectories, from one pass of sampling.

Which metrics are taken, and how, is theirs to say: `mmh.metrics`. Here prompts are sampled, and each metric
sees the steps that it wants; what several of them need is computed once. `mmh.metrics.averages` averages the
values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmh.compute import rng
from mmh.compute.attention import CrossAttention
from mmh.compute.memory import all_finite, in_batches
from mmh.compute.rows import check_finite
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.metrics.base import DEFAULT, METRICS, Metric
from mmh.metrics.seen import Before, Seen
from mmh.sampling.guided import Grid, Step, generation_rows, guided_ddim, initial_noise

if TYPE_CHECKING:
    pass

Array = NDArray[np.float64]
Places = NDArray[np.int64]
Streams = Callable[[int, str, int], list[np.random.Generator]]
_LATENTS = "latents"


@dataclass(frozen=True)
class PromptScores:
    """What one pass of sampling gives; item ``i * generations + g`` is generation g of the i-th prompt.

    Attributes
    ----------
    latents : numpy.ndarray
        float32 (items, c, h, w), the end of each trajectory.
    values : dict
        Metric to float64 (items, steps), NaN at the steps that it does not see.
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


class Recorder:
    """Observer that lets metrics see one batch of trajectories.

    Parameters
    ----------
    model : ScoreModel
        The network behind the trajectories.
    metrics : sequence of Metric
        None of finished images.
    streams : callable
        (step number, purpose, number) -> a generator for each row.
    attention : CrossAttention, optional
        What records the maps, where a metric needs them.

    Attributes
    ----------
    values : dict
        Metric to one float64 (n,) per step, NaN where it did not see.
    """

    def __init__(
        self,
        model: ScoreModel,
        metrics: Sequence[Metric],
        streams: Streams,
        attention: CrossAttention | None = None,
    ) -> None:
        self.model, self.metrics, self.streams, self.attention = model, metrics, streams, attention
        self.values: dict[str, list[Array]] = {metric.name: [] for metric in metrics}
        self._keeps = any(metric.looks_back for metric in metrics)
        self._before: Before | None = None

    def wants_graph(self, t: float, number: int) -> bool:
        """Differentiate the steps that a metric wants so alone: a graph takes memory.

        It is asked before the network is called, so attention is recorded from here.
        """
        if self.attention is not None:
            self.attention.start(any(m.needs == "attention" and m.sees(t, number) for m in self.metrics))
        return any(m.needs == "graph" and m.sees(t, number) for m in self.metrics)

    def see(self, step: Step) -> None:
        """Let each metric see one step."""
        n = len(step.z)
        maps = self.attention.take() if self.attention is not None else []
        streams = lambda purpose, number: self.streams(step.number, purpose, number)  # noqa: E731
        captions = [each[n:] for each in maps]  # rows are [empty, caption]
        seen = Seen(step, self.model, streams, captions, self._before)
        alone = self._before is None  # the first step, or a trial of one
        sees = {m.name: m.sees(step.t, step.number) and not (alone and m.looks_back) for m in self.metrics}
        differentiating = [m.name for m in self.metrics if m.needs == "graph" and sees[m.name]]
        for metric in self.metrics:
            value = np.full(n, np.nan)
            if sees[metric.name]:
                seen.graph_is_wanted_again = metric.name in differentiating[:-1]
                value = np.asarray(metric.see(seen), dtype=np.float64)
            if value.shape != (n,):
                raise InputError(
                    f"metric '{metric.name}' gave values of shape {value.shape} for {n} trajectories; it "
                    f"must give ({n},)"
                )
            self.values[metric.name].append(value)
        if self._keeps:
            self._before = Before(step.z.detach(), step.caption.detach())


def default_metrics() -> list[Metric]:
    """The metrics that sampling alone gives."""
    return [METRICS[name]() for name in DEFAULT if METRICS[name].needs == "calls"]


def prompt_scores(
    model: ScoreModel,
    c: torch.Tensor,
    null: torch.Tensor,
    *,
    grid: Grid,
    prompt_set: str,
    prompts: Sequence[int] | Places,
    generations: int = 4,
    guidance: float = 7.5,
    metrics: Sequence[Metric] | None = None,
    shared_noise: bool = False,
    seed: int = 0,
    batch_size: int | None = None,
    progress: Callable[..., None] | None = None,
) -> PromptScores:
    """Sample generations of prompts and take metrics on the way.

    The network is called with two rows per latent and step, as sampling alone would, and nothing is
    differentiated unless a metric needs it. A generation and its scores depend on (seed, prompt_set, prompt,
    generation) alone, given the batch size, the device and the number of threads.

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
    metrics : sequence of Metric, optional
        What is taken; by default `default_metrics`. Those of finished images are left out: latents are not.
    shared_noise : bool
        As `shared` of `initial_noise`.
    seed : int
        Root seed of initial noise and of what metrics draw.
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
    chosen = [m for m in (default_metrics() if metrics is None else metrics) if m.needs != "image"]
    owner = np.repeat(np.arange(len(numbers)), generations)
    which = np.tile(np.arange(generations), len(numbers))
    if not len(owner):
        empty = {metric.name: np.empty((0, len(grid))) for metric in chosen}
        return PromptScores(np.empty((0, *model.shape), dtype=np.float32), empty, grid, batch_size or 1)

    def batch(score: ScoreModel, items: Places, levels: Grid = grid) -> dict[str, NDArray[Any]]:
        keys = list(zip(numbers[owner[items]].tolist(), which[items].tolist(), strict=True))

        def streams(step: int, purpose: str, number: int) -> list[np.random.Generator]:
            name = f"prompt-{purpose}:{prompt_set}"
            return [rng.generator(seed, name, prompt, g, step, number) for prompt, g in keys]

        with CrossAttention(score.module) if _attentive(chosen) else nullcontext() as maps:
            recorder = Recorder(score, chosen, streams, maps)
            start = prompt_set, [p for p, _ in keys], [g for _, g in keys], model.shape
            noise = initial_noise(seed, *start, shared=shared_noise)
            rows = torch.from_numpy(owner[items]).to(c.device)
            options: dict[str, Any] = {"grid": levels, "guidance": guidance, "observer": recorder}
            end = guided_ddim(score, noise, c[rows], null, **options)
        values = {name: np.stack(taken, axis=1) for name, taken in recorder.values.items()}
        return {_LATENTS: end.float().cpu().numpy(), **values}

    sees = {
        m.name: [m.sees(t, k) for t, k in zip(grid.t.tolist(), grid.numbers, strict=True)] for m in chosen
    }

    def finite(arrays: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
        seen = {name: arrays[name][:, steps] for name, steps in sees.items()}
        return all_finite({_LATENTS: arrays[_LATENTS], **seen})

    found = in_batches(
        model,
        batch,
        generation_rows(numbers, generations),
        batch_size=batch_size,
        trial=lambda rows: batch(model, np.arange(rows) % len(owner), busiest(grid, chosen)),
        finite=finite,
        progress=progress,
    )
    for name, steps in sees.items():
        for step in np.flatnonzero(steps):
            what = (
                f"{name} of prompt set {prompt_set} is not finite at step {grid.numbers[step] + 1}, prompts"
            )
            check_finite(np.isfinite(found.arrays[name][:, step]), numbers[owner], what)
    check_finite(finite(found.arrays), numbers[owner], f"latents of prompt set {prompt_set} are not finite")
    latents = found.arrays.pop(_LATENTS)
    return PromptScores(latents, found.arrays, grid, found.size, found.retried)


def busiest(grid: Grid, metrics: Sequence[Metric]) -> Grid:
    """Give the one step, the latest of equals, that most metrics differentiate, or else see."""
    asked = [
        (
            sum(m.needs == "graph" and m.sees(t, number) for m in metrics),
            sum(m.sees(t, number) for m in metrics),
            place,
        )
        for place, (t, number) in enumerate(zip(grid.t.tolist(), grid.numbers, strict=True))
    ]
    place = max(asked)[2]
    return grid[place : place + 1]


def _attentive(metrics: Sequence[Metric]) -> bool:
    return any(metric.needs == "attention" for metric in metrics)
