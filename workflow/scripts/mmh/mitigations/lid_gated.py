"""Guidance that falls where the caption lowers the local dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from mmh.mitigations.base import Mitigation
from mmh.options import base as options
from mmh.options.base import Field
from mmh.sampling.guides import Branches, Guide

if TYPE_CHECKING:
    import torch

    from mmh.sampling.start import Start

ROWS = {"vjp": 2.0, "difference": 2.0, "central-difference": 4.0}
"""Network rows of one look at the gate, for both branches: a backward pass; one call besides; two calls."""


class LidGated(Mitigation):
    """lambda_t = 1 + (lambda - 1) clip((r - low) / width, 0, 1), r = LID_c / max(LID_0, 1).

    LID = d - sigma tr(d eps / d z), at the noised latents; for an exact score it is (psi / sigma)^2 times the
    trace of Cov(x_0 | z), so that unlike FLIPD it means something where the latents are noised. One probe for
    each look, the same for both branches. Between two looks lambda stays as it is.
    """

    name, printed = "lid-gated", "LID-gated guidance"

    class Options(options.Options):
        """A gate of the guidance."""

        low: float = Field(default=0.7, ge=0)
        """ratio of dimensions up to which lambda is 1"""
        width: float = Field(default=0.3, gt=0)
        """rise of the ratio over which lambda comes to its full value"""
        probe: Literal["gaussian", "rademacher"] = "rademacher"
        """law of the probes"""
        product: Literal["vjp", "difference", "central-difference"] = "vjp"
        """product with the Jacobian: vjp, exact, by a backward pass; difference, from one more call of the
        network and without a graph in memory; central-difference, from two"""
        h: float = Field(default=0.02, gt=0)
        """step of the differences, in units of a probe's values"""
        every: int = Field(default=1, ge=1)
        """steps from one look to the next"""
        from_t: float = Field(default=1.0, ge=0, le=1)
        """largest t of a look; before it lambda is whole"""
        until_t: float = Field(default=0.0, ge=0, le=1)
        """smallest t of a look; after it lambda stays"""
        one_sided: bool = False
        """whether the gate only closes: where it is shut there are no more looks"""

    def guide(self, start: Start) -> Guide:
        """The gate, which draws its probes by prompt, generation and step."""
        return Gate(start, self.options)

    @classmethod
    def most_rows(cls, options: Any) -> float:
        """All looks at 50 steps, evenly from t = 1 to 0."""
        steps = max(round(50 * (options.from_t - options.until_t)), 0)
        return ROWS[options.product] * -(-steps // options.every)


class Gate(Guide):
    """Combines the noises of a step by the ratio of their dimensions.

    Parameters
    ----------
    start : Start
        The generations.
    options : LidGated.Options
    """

    def __init__(self, start: Start, options: LidGated.Options) -> None:
        self.start, self.options = start, options
        times = start.grid.t.tolist()
        seen = [t for t in times if options.until_t <= t <= options.from_t]
        self.looks = frozenset(seen[:: options.every])
        self._open: torch.Tensor | None = None

    def wants_graph(self, t: float) -> bool:
        """At each look, where it takes a backward pass."""
        return self.options.product == "vjp" and t in self.looks

    def combine(self, step: Branches) -> torch.Tensor:
        """Guide each row by its own lambda; at psi = 0 the branches are equal and any lambda does."""
        if step.pair is not None and step.t in self.looks:
            self._open = self._look(step)
        if self._open is None:
            return step.empty + self.start.guidance * (step.caption - step.empty)
        scale = 1 + (self.start.guidance - 1) * self._open
        return step.empty + scale.to(step.z).reshape(-1, *[1] * (step.z.ndim - 1)) * (
            step.caption - step.empty
        )

    def _look(self, step: Branches) -> torch.Tensor:
        """Give how far the gate of each row is open, float64 (n,)."""
        import torch

        before = self._open if self.options.one_sided else None
        active = None if before is None else before > 0
        if active is not None and not bool(active.any()):
            return before  # type: ignore[return-value]
        v = self.start.probes(self.options.probe, step.number).to(step.z)
        product = self._product(step, torch.cat([v, v]))
        self.start.count(ROWS[self.options.product], None if active is None else active.cpu().numpy())
        traces = (product.double() * torch.cat([v, v]).double()).flatten(1).sum(1)
        empty, caption = (step.z[0].numel() - step.sigma * traces).chunk(2)
        ratio = caption / empty.clamp(min=1)
        found = ((ratio - self.options.low) / self.options.width).clamp(0, 1)
        return found if before is None else torch.minimum(found, before)

    def _product(self, step: Branches, v: torch.Tensor) -> torch.Tensor:
        """J v of both branches, or J^T v: either has the same product with v, (2 n, *shape)."""
        import torch

        assert step.pair is not None
        assert step.noises is not None
        assert step.both is not None
        if self.options.product == "vjp":
            return torch.autograd.grad(step.noises, step.pair, v, retain_graph=True)[0]
        h, kind = self.options.h, step.noises.dtype
        with torch.no_grad():
            ahead = step.both.eps(step.pair + h * v, step.t).to(kind)
            if self.options.product == "difference":
                return (ahead - step.noises) / h
            return (ahead - step.both.eps(step.pair - h * v, step.t).to(kind)) / (2 * h)
