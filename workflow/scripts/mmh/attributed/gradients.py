"""Gradients of metrics in the text conditioning, along guided trajectories.

The latents of a trajectory are constants: at each step the metric is differentiated in c alone, through one
call of the network. Of each generation the mean gradient over the steps is kept, and the mean of its norms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmh.attributions.base import GradientAttribution, Look
from mmh.compute import rng
from mmh.compute.attention import math_attention
from mmh.compute.memory import in_batches
from mmh.compute.rows import check_finite
from mmh.diffusion.score_model import ScoreModel
from mmh.sampling.guided import Grid, Step, generation_rows, guided_ddim, initial_noise

Pull = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(rows of prompts (n,), gradients (n, L, D)) -> the same at the input of the text encoder, (n, L, E)."""
Probes = Callable[[int, str, int], torch.Tensor]
LEVELS = ("output", "input")


class GradientObserver:
    """Observer of one batch of trajectories: adds up gradients in the leaf `c`, step by step.

    Parameters
    ----------
    model : ScoreModel
        The network behind the trajectories.
    c : torch.Tensor
        (n, L, D), a leaf that wants a gradient; what the trajectories are guided by, or away from.
    asked : mapping of str to GradientAttribution
        By name.
    guidance : float
        lambda.
    exchanged : bool
        Whether the trajectories take `c` for the empty caption.
    probes : callable
        (step number, law, number) -> (n, d).
    pull : callable, optional
        (n, L, D) -> (n, L, E); without it the input level is left out.

    Attributes
    ----------
    means : dict of (str, str) to torch.Tensor
        Name and level to the mean gradient, float64 (n, L, D or E).
    norms : dict of (str, str) to torch.Tensor
        The same to the mean of norms, float64 (n, L).
    """

    def __init__(
        self,
        model: ScoreModel,
        c: torch.Tensor,
        asked: Mapping[str, GradientAttribution],
        *,
        guidance: float,
        exchanged: bool,
        probes: Probes,
        pull: Callable[[torch.Tensor], torch.Tensor] | None,
    ) -> None:
        self.model, self.c, self.asked, self.guidance = model, c, dict(asked), guidance
        self.exchanged, self.probes, self.pull = exchanged, probes, pull
        self._sums: dict[tuple[str, str], torch.Tensor] = {}
        self._norms: dict[tuple[str, str], torch.Tensor] = {}
        self._steps = dict.fromkeys(self.asked, 0)

    def wants_graph(self, t: float, number: int) -> bool:
        """Differentiate the steps alone that an attribution sees."""
        return any(one.sees(t, number) for one in self.asked.values())

    def see(self, step: Step) -> None:
        """Differentiate each metric that sees this step."""
        sees = [name for name, one in self.asked.items() if one.sees(step.t, step.number)]
        empty, caption = (step.caption, step.empty) if self.exchanged else (step.empty, step.caption)
        look = Look(
            step.t,
            step.sigma,
            step.z,
            empty,
            caption,
            step.guided,
            self.guidance,
            self.model.dim,
            lambda law, j: self.probes(step.number, law, j).to(self.model.device),
        )
        with torch.inference_mode(False), torch.enable_grad():
            for place, name in enumerate(sees):
                value = self.asked[name].measure(look)
                (gradient,) = torch.autograd.grad(value.sum(), self.c, retain_graph=place < len(sees) - 1)
                self._add(name, gradient.detach())

    def _add(self, name: str, gradient: torch.Tensor) -> None:
        self._steps[name] += 1
        norms = self.asked[name].options.combine == "norms"
        if not norms:
            self._sum(self._sums, (name, "output"), gradient.double())
            return
        at = {"output": gradient}
        if self.pull is not None:
            at["input"] = self.pull(gradient)
        for level, of in at.items():
            self._sum(self._norms, (name, level), of.double().norm(dim=-1))

    @staticmethod
    def _sum(into: dict[tuple[str, str], torch.Tensor], key: tuple[str, str], value: torch.Tensor) -> None:
        into[key] = into[key] + value if key in into else value

    @property
    def means(self) -> dict[tuple[str, str], torch.Tensor]:
        """Mean gradients; the encoder is linear in them, so the input takes one product for all."""
        found = {key: value / self._steps[key[0]] for key, value in self._sums.items()}
        if self.pull is not None:
            for name, level in list(found):
                if level == "output":
                    found[name, "input"] = self.pull(found[name, "output"].to(self.c)).double()
        return found

    @property
    def norms(self) -> dict[tuple[str, str], torch.Tensor]:
        """Means of norms."""
        return {key: value / self._steps[key[0]] for key, value in self._norms.items()}


def token_attributions(
    model: ScoreModel,
    c: torch.Tensor,
    null: torch.Tensor,
    asked: Mapping[str, GradientAttribution],
    *,
    grid: Grid,
    prompt_set: str,
    prompts: Sequence[int] | NDArray[np.int64],
    generations: int,
    guidance: float,
    seed: int,
    pull: Pull | None = None,
    batch_size: int | None = None,
    progress: Callable[..., None] | None = None,
) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Attribute metrics of guided trajectories to tokens.

    With A = mean over generations n and steps t of l(z_nt, c), joint means give a_i = ||dA / dc_i||, means of
    norms a_i = mean over n, t of ||dl(z_nt, c) / dc_i|| (paper, Section 4.2 and Appendix D). Values depend on
    (seed, prompt_set, prompt, generations) alone, given the batch size and the device.

    Parameters
    ----------
    model : ScoreModel
        Over latents, without bound conditions.
    c : torch.Tensor
        (n, L, D), embedded prompts.
    null : torch.Tensor
        (1, L, D), the embedded empty prompt.
    asked : mapping of str to GradientAttribution
        By name.
    grid : Grid
        Levels of the sampler.
    prompt_set, prompts, generations
        Name of the set, numbers of the prompts in it (n,), generations of each.
    guidance : float
        lambda.
    seed : int
        Root seed: trajectories are those of the generations.
    pull : callable, optional
        Pulls gradients back to the input of the text encoder; without it that level is left out.
    batch_size : int or None
        Trajectories at a time.
    progress : callable, optional
        Called with the number of finished trajectories.

    Returns
    -------
    dict of (str, str) to numpy.ndarray
        Name and level (`output`, `input`) to float64 (n, L).

    Raises
    ------
    InputError
        If a gradient is not finite (prompts are named).
    """
    numbers = np.asarray(prompts, dtype=np.int64)
    owner = np.repeat(np.arange(len(numbers)), generations)
    which = np.tile(np.arange(generations), len(numbers))
    second = any(one.needs_state for one in asked.values())

    def batch(score: ScoreModel, items: NDArray[np.int64], levels: Grid = grid) -> dict[str, NDArray[Any]]:
        keys = list(zip(numbers[owner[items]].tolist(), which[items].tolist(), strict=True))

        def probes(step: int, law: str, j: int) -> torch.Tensor:
            rows = [rng.generator(seed, f"attribution-{law}:{prompt_set}", p, g, step, j) for p, g in keys]
            if law == "gaussian":
                return torch.from_numpy(np.stack([row.standard_normal(score.dim) for row in rows]))
            return torch.from_numpy(np.stack([2.0 * row.integers(0, 2, score.dim) - 1 for row in rows]))

        noise = initial_noise(seed, prompt_set, [p for p, _ in keys], [g for _, g in keys], score.shape)
        rows = torch.from_numpy(owner[items])
        found: dict[str, NDArray[Any]] = {}
        for exchanged in (False, True):
            chosen = {name: one for name, one in asked.items() if one.exchanged == exchanged}
            if not chosen:
                continue
            with torch.inference_mode(False), math_attention() if second else nullcontext():
                leaf = c[rows.to(c.device)].detach().clone().to(score.dtype).requires_grad_()
                back = None if pull is None else (lambda g: pull(rows, g))
                observer = GradientObserver(
                    score, leaf, chosen, guidance=guidance, exchanged=exchanged, probes=probes, pull=back
                )
                other = null.expand(len(leaf), *null.shape[1:]).to(leaf)
                pair = (other, leaf) if exchanged else (leaf, other)
                guided_ddim(score, noise, *pair, grid=levels, guidance=guidance, observer=observer)
                kept = {("mean", *k): v for k, v in observer.means.items()}
                kept |= {("norm", *k): v for k, v in observer.norms.items()}
            found |= {"|".join(key): value.cpu().numpy() for key, value in kept.items()}
        return found

    found = in_batches(
        model,
        batch,
        generation_rows(numbers, generations),
        batch_size=batch_size,
        trial=lambda rows: batch(model, np.arange(rows) % len(owner), grid[-1:]),
        progress=progress,
    )
    out = {}
    for key, values in found.arrays.items():
        kind, name, level = key.split("|")
        check: NDArray[np.bool_] = np.asarray(np.isfinite(values).reshape(len(values), -1).all(axis=1))
        check_finite(check, numbers[owner], f"attribution '{name}' of prompt set {prompt_set} is not finite")
        mean = values.reshape(len(numbers), generations, *values.shape[1:]).mean(axis=1)
        out[name, level] = np.linalg.norm(mean, axis=-1) if kind == "mean" else mean
    return out
