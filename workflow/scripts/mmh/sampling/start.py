"""A batch of generations before they are sampled, as mitigations see it, and the count of what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from mmh.compute import rng
from mmh.sampling.guided import Grid, initial_noise

if TYPE_CHECKING:
    from mmh.diffusion.score_model import ScoreModel


Mask = NDArray[np.bool_]


class Start:
    """n generations, a row each. What is drawn here depends on seed, prompt and generation alone.

    A mitigation calls the network through `noises`, which counts its rows, and counts what it does besides by
    `count`. A row is one latent that goes through the network once, forward or backward: a gradient costs as
    much as the call that it goes back through.

    Parameters
    ----------
    model : ScoreModel
        Without bound conditions.
    c : torch.Tensor
        (n, L, D), the embedded prompt of each row.
    null : torch.Tensor
        (1, L, D), the embedded empty prompt.
    grid : Grid
        Levels of the sampler.
    guidance : float
        lambda.
    keys : sequence of (int, int)
        Prompt and generation of each row.
    prompt_set : str
        Name of the set.
    generations : int
        Generations of each prompt.
    seed : int
        Root seed.

    Attributes
    ----------
    rows : numpy.ndarray
        float64 (n,), counted so far.
    accepted : numpy.ndarray
        bool (n,), false where a search for a noise or an embedding ended without one that it would take.
    """

    def __init__(
        self,
        model: ScoreModel,
        c: torch.Tensor,
        null: torch.Tensor,
        *,
        grid: Grid,
        guidance: float,
        keys: Sequence[tuple[int, int]],
        prompt_set: str,
        generations: int,
        seed: int,
    ) -> None:
        self.model, self.c, self.null = model, c, null
        self.grid, self.guidance = grid, guidance
        self.keys, self.prompt_set, self.generations, self.seed = list(keys), prompt_set, generations, seed
        self.rows = np.zeros(len(self.keys))
        self.accepted = np.ones(len(self.keys), dtype=np.bool_)
        self.take(c)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def sigma(self) -> float:
        """Noise level of the first step."""
        return float(np.sqrt(1.0 - self.grid.abar[0]))

    def noise(self, number: int = 0, *, of_prompt: bool = False) -> torch.Tensor:
        """Draw noises, (n, *shape), on the model's device, in float32 or the model's wider type.

        Parameters
        ----------
        number : int
            0 is the noise that a generation starts from without mitigation; others are fresh ones.
        of_prompt : bool
            The same for all generations of a prompt, and none of the former.
        """
        prompts = [prompt for prompt, _ in self.keys]
        if of_prompt:
            drawn = rng.normal(
                self.seed, f"prompt-noise:{self.prompt_set}", prompts, self.model.shape, number
            )
        elif number == 0:
            which = [generation for _, generation in self.keys]
            drawn = initial_noise(self.seed, self.prompt_set, prompts, which, self.model.shape)
        else:
            purpose = f"fresh-noise:{self.prompt_set}"
            rows = [rng.normal(self.seed, purpose, [p], self.model.shape, g, number) for p, g in self.keys]
            drawn = torch.cat(rows)
        kind = torch.promote_types(self.model.dtype, torch.float32)
        return drawn.to(device=self.model.device, dtype=kind)

    def take(self, c: torch.Tensor) -> None:
        """Go on with other embedded prompts (n, L, D)."""
        self.c = c.to(self.c)
        null = self.null.expand(len(c), *self.null.shape[1:]).to(c)
        self._both = self.model.conditioned(torch.cat([null, self.c]))

    def condition_noise(self) -> torch.Tensor:
        """Draw standard normal numbers as large as the embedded prompts, (n, L, D), on their device."""
        purpose, shape = f"condition-noise:{self.prompt_set}", self.c.shape[1:]
        return torch.cat([rng.normal(self.seed, purpose, [p], shape, g) for p, g in self.keys]).to(self.c)

    def probes(self, law: str, step: int, *which: int) -> torch.Tensor:
        """Draw probes of a step, (n, *shape), by a law: gaussian, or rademacher (signs); one of several."""
        purpose = f"mitigation-probe:{self.prompt_set}"
        rows = [rng.normal(self.seed, purpose, [p], self.model.shape, g, step, *which) for p, g in self.keys]
        drawn = torch.cat(rows).to(self.model.device)
        return torch.where(drawn < 0, -1.0, 1.0) if law == "rademacher" else drawn

    def all_rows(self) -> torch.Tensor:
        """All rows, as a mask, bool (n,)."""
        return torch.ones(len(self), dtype=torch.bool, device=self.model.device)

    def count(self, rows: float, active: Mask | None = None) -> None:
        """Count so many rows of the network for each generation, or for those of a mask (n,)."""
        self.rows += rows * (1.0 if active is None else active.astype(np.float64))

    def noises(
        self, z: torch.Tensor, t: float, active: Mask | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """eps_0 and eps_c at z, (n, *shape) each and differentiable; two rows for each generation.

        Parameters
        ----------
        z : torch.Tensor
            (n, *shape).
        t : float
            A level of the grid.
        active : numpy.ndarray, optional
            bool (n,), generations that want the answer; of the others nothing is counted.
        """
        self.count(2, active)
        empty, caption = self._both.eps(torch.cat([z, z]), t).to(z.dtype).chunk(2)
        return empty, caption

    def score_difference(self, z: torch.Tensor, active: Mask | None = None) -> torch.Tensor:
        """s_c - s_0 at the first step, (n, *shape)."""
        empty, caption = self.noises(z, float(self.grid.t[0]), active)
        return (empty - caption) / self.sigma
