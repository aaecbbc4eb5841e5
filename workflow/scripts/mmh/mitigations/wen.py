"""Optimisation of the embedded prompt (Wen et al., 2024): until the caption changes little at one step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmh.mitigations.embedding import Descent, EmbeddingDescent
from mmh.options.base import Field

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from mmh.mitigations.embedding import Objective
    from mmh.options.entries import Entry
    from mmh.sampling.start import Mask, Start


class Wen(EmbeddingDescent):
    """Minimises ||eps_c - eps_0|| at the first step over c, until it is at most `target`.

    The norm is that of one generation. The authors' program takes one norm over all generations of a prompt,
    so that its target of 3 for four of them is 1.5 for each; it takes AdamW, whose decay of the weights is
    left out here (.05 % an iteration).
    """

    name, printed = "wen", "optimised embedding (Wen)"

    class Options(Descent):
        """Optimisation of the embedding by the norm of the guidance."""

        target: float | None = Field(default=None, gt=0)
        """norm at which a generation stops, by the size of the latents; left out: after all"""
        step: int = Field(default=1, ge=1)
        """number of the step at whose latents the norm is taken, from 1, the noisiest; published: 1"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """A step that is not taken."""
        yield from late_step(options.step, experiment, f"{where}.step")

    def target(self) -> float | None:
        """The norm at which it stops."""
        own: float | None = self.options.target
        return own

    def objective(self, start: Start) -> Objective:
        """Norm of the difference; one row for a value, and one more for its gradient."""
        from mmh.sampling.held_states import difference_norm, held_states

        number = min(self.options.step, len(start.grid)) - 1
        how: dict[str, Any] = {"grid": start.grid, "guidance": start.guidance, "numbers": [number]}
        (held,) = held_states(start.model, start.noise(), start.c, start.null, **how)
        start.count(2.0 * number + 1)

        def norm(c: torch.Tensor, active: Mask, gradient: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
            start.count(1.0 + gradient, active)
            return difference_norm(start.model, held, c, gradient=gradient)

        return norm

    @classmethod
    def most_rows(cls, options: Any) -> float:
        """Steps before, the empty branch, all iterations, and the norm in the end."""
        return 2.0 * (options.step - 1) + 1 + 2.0 * options.iterations + 1


def late_step(step: int, experiment: Entry, where: str) -> Iterator[str]:
    """Say that a step is not taken, if it isn't."""
    steps = experiment.section("prompts").get("steps")
    if isinstance(steps, int) and step > steps:
        yield f"{where}: {step} is beyond the {steps} steps of prompts.steps"
