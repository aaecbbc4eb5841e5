"""Optimisation of the embedded prompt for A^FLIPD (MMH paper, Appendix D.3 and Fig. 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from mmh.mitigations.embedding import Descent, EmbeddingDescent
from mmh.mitigations.wen import late_step
from mmh.options.base import Field

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from mmh.mitigations.embedding import Objective
    from mmh.options.entries import Entry
    from mmh.sampling.held_states import Vectors
    from mmh.sampling.start import Mask, Start

LOW = 0.2  # largest t of the last steps, paper Eq. 28
_STEPS, _DIM = 50, 256  # what the most rows are stated for


class FlipdEmbedding(EmbeddingDescent):
    """Raises A^FLIPD = mean over steps of d - sigma tr(d eps^CFG / d z) + ||eps^CFG||^2 over c.

    The latents are those of the trajectory of the prompt as it is, and stay while c moves: after some
    iterations what is raised is no longer what the optimised prompt samples. It has no bound above.
    """

    name, printed = "flipd-embedding", r"optimised embedding ($\mathcal{A}^{FLIPD}$)"
    sign = -1.0

    class Options(Descent):
        """Optimisation of the embedding for FLIPD."""

        iterations: int = Field(default=20, ge=1)
        """steps of Adam; its authors' program takes 20"""
        steps: Literal["low"] | Annotated[int, Field(ge=1)] = "low"
        """low (t up to 0.2, as A^FLIPD is defined), or the number of one step, from 1; its authors' program
        takes 41 of 50"""
        trace: Literal["exact"] | Annotated[int, Field(ge=1)] = 1
        """exact, or the number of probes of each step"""
        probe: Literal["gaussian", "rademacher"] = "rademacher"
        """law of the probes"""
        fresh_probes: bool = True
        """whether each iteration draws probes of its own; its authors' program takes the same ones"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """A step that is not taken."""
        if options.steps != "low":
            yield from late_step(options.steps, experiment, f"{where}.steps")

    def objective(self, start: Start) -> Objective:
        """Minus the mean over the steps; see `rows_at_a_step`."""
        import torch

        from mmh.sampling.held_states import guided_flipd, held_states, low_numbers

        own, exact, noise = self.options, self.options.trace == "exact", start.noise()
        numbers = (
            low_numbers(start.grid, LOW) if own.steps == "low" else [min(own.steps, len(start.grid)) - 1]
        )
        each, iteration = rows_at_a_step(own.trace, start.model.dim), 0
        how: dict[str, Any] = {"grid": start.grid, "guidance": start.guidance, "numbers": numbers}
        how |= {"vectors": lambda number: self._vectors(start, noise, number, 0), "exact": exact}
        states = held_states(start.model, noise, start.c, start.null, **how)
        start.count(2.0 * numbers[-1] + each * len(states))

        def minus(c: torch.Tensor, active: Mask, gradient: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
            nonlocal iteration
            start.count(each * len(states) * (1.0 + gradient), active)
            value, slope = torch.zeros(len(c), dtype=c.dtype, device=c.device), torch.zeros_like(c)
            for held in states:
                along = self._vectors(start, noise, held.number, iteration if own.fresh_probes else 0)
                at: dict[str, Any] = {"guidance": start.guidance, "exact": exact, "gradient": gradient}
                one, of_one = guided_flipd(start.model, held, c, along, **at)
                value = value - one / len(states)
                slope = slope if of_one is None else slope - of_one / len(states)
            iteration += 1
            return value, slope if gradient else None

        return minus

    def _vectors(self, start: Start, like: torch.Tensor, number: int, iteration: int) -> Vectors:
        from mmh.sampling.held_states import unit_vectors

        if self.options.trace == "exact":
            return unit_vectors(like)
        drawn = [start.probes(self.options.probe, number, iteration, j) for j in range(self.options.trace)]
        return [v.to(like) for v in drawn]

    @classmethod
    def most_rows(cls, options: Any) -> float:
        """Steps before, the empty branch, and all iterations; of 50 steps, and of 256 values."""
        low = options.steps == "low"
        last, states = (_STEPS - 1, round(LOW * _STEPS)) if low else (options.steps - 1, 1)
        each = rows_at_a_step(options.trace, _DIM)
        return 2.0 * last + each * states * (2.0 + 2.0 * options.iterations)


def rows_at_a_step(trace: int | str, dim: int) -> float:
    """Network rows of FLIPD at one step, a call and a backward pass for each probe; as many for its slope."""
    return 1.0 + (dim if trace == "exact" else int(trace))
