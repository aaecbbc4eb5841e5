"""Gradient of A^CFG: how strongly a token moves the norm of the guidance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.attributions.base import GradientAttribution, Look

if TYPE_CHECKING:
    import torch


class Cfg(GradientAttribution):
    """A^CFG = mean ||eps_c - eps_0||^2 (paper Eq. 15); its authors' code takes the norm."""

    name, printed = "cfg", r"$\mathcal{A}^{CFG}$"

    def measure(self, look: Look) -> torch.Tensor:
        """Squared norm of the CFG vector; the norm in the official variant."""
        squared = (look.caption - look.empty).flatten(1).square().sum(1)
        return squared.sqrt() if self.options.variant == "official-code" else squared
