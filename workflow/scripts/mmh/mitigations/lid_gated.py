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

ROWS = 4  # a backward pass through both branches, for each of them


class LidGated(Mitigation):
    """lambda_t = 1 + (lambda - 1) clip((r - low) / width, 0, 1), r = LID_c / max(LID_0, 1).

    LID = d - sigma tr(d eps / d z), at the noised latents; for an exact score it is (psi / sigma)^2 times the
    trace of Cov(x_0 | z), so that unlike FLIPD it means something where the latents are noised. One probe a
    step, the same for both branches.
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

    def guide(self, start: Start) -> Guide:
        """The gate, which draws its probes by prompt, generation and step."""
        return Gate(start, self.options)

    @classmethod
    def most_rows(cls, options: Any) -> float:
        """A product with each Jacobian at each step; here for 50 of them."""
        return 50.0 * ROWS


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
        self._scale: tuple[int, torch.Tensor] | None = None

    def wants_graph(self, t: float) -> bool:
        """At every step."""
        return True

    def combine(self, step: Branches) -> torch.Tensor:
        """Guide each row by its own lambda; at psi = 0 the branches are equal and any lambda does."""
        if not step.caption.requires_grad or step.caption is step.empty:
            scale = self.start.guidance if self._scale is None else self._scale[1]
            return step.empty + scale * (step.caption - step.empty)
        scale = self.scale(step)
        self._scale = step.number, scale
        return step.empty + scale * (step.caption - step.empty)

    def scale(self, step: Branches) -> torch.Tensor:
        """Give lambda of each row, (n, 1, ...)."""
        import torch

        v = self.start.probes(self.options.probe, step.number).to(step.z)
        dims = []
        for noise in (step.caption, step.empty):
            (product,) = torch.autograd.grad(noise, step.z, v, retain_graph=True)
            trace = (product.double() * v.double()).flatten(1).sum(1)
            dims.append(step.z[0].numel() - step.sigma * trace)
        self.start.count(ROWS)
        ratio = dims[0] / dims[1].clamp(min=1)
        open_ = ((ratio - self.options.low) / self.options.width).clamp(0, 1)
        scale = 1 + (self.start.guidance - 1) * open_
        return scale.to(step.z).reshape(-1, *[1] * (step.z.ndim - 1))
