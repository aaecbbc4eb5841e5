"""Gradient of A^FLIPD: how strongly a token moves the LID of the guided noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from mmh.attributions.base import Along, GradientAttribution, Look
from mmh.options.base import Field

if TYPE_CHECKING:
    import torch


class Flipd(GradientAttribution):
    """A^FLIPD = mean over t <= 0.2 of d - sigma tr(d eps^CFG / d z) + ||eps^CFG||^2 (paper Eq. 28).

    The trace is differentiated in c through a backward pass in z. In the official variant the empty branch of
    the trace is taken for a constant in z and is missing from it.
    """

    name, printed = "flipd", r"$\mathcal{A}^{FLIPD}$"
    needs_state = True

    class Options(Along):
        """Gradient of FLIPD."""

        steps: Literal["all", "low"] | Annotated[int, Field(ge=1)] = "low"
        """all, low (t up to 0.2, the paper's) or the number of one step, from 1: where the metric is taken"""
        trace: Literal["exact"] | Annotated[int, Field(ge=1)] = 1
        """exact, or the number of probes of each step"""
        probe: Literal["gaussian", "rademacher"] = "rademacher"
        """law of the probes; gaussian is the paper's"""

    def measure(self, look: Look) -> torch.Tensor:
        """FLIPD of the guided noise at the latents."""
        field = look.guided
        if self.options.variant == "official-code":
            # lambda (eps_0 - eps_c): the branch that guidance starts from, eps_c, counts as a constant in z.
            field = look.guidance * (look.empty - look.caption)
        trace = self._trace(field, look)
        squared = look.guided.flatten(1).square().sum(1)
        return look.dim - look.sigma * trace + squared

    def _trace(self, field: torch.Tensor, look: Look) -> torch.Tensor:
        import torch

        exact = self.options.trace == "exact"
        total = torch.zeros(len(field), dtype=field.dtype, device=field.device)
        for j in range(look.dim if exact else self.options.trace):
            if exact:
                v = torch.zeros(len(field), look.dim, dtype=field.dtype, device=field.device)
                v[:, j] = 1
            else:
                v = look.probe(self.options.probe, j).to(field)
            (product,) = torch.autograd.grad(field, look.z, v.view_as(field), create_graph=True)
            total = total + (product.flatten(1) * v).sum(1)
        return total if exact else total / self.options.trace
