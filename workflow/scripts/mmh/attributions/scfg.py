"""Gradient of A^sCFG: how strongly a token moves the norm of the guided noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.attributions.base import GradientAttribution, Look

if TYPE_CHECKING:
    import torch


class ScoreCfg(GradientAttribution):
    """A^sCFG = mean ||eps^CFG||^2 (paper Eq. 25); its authors' code takes the norm without the square."""

    name, printed = "scfg", r"$\mathcal{A}^{s^{CFG}}$"

    def measure(self, look: Look) -> torch.Tensor:
        """Squared norm of the guided noise; the norm in the official variant."""
        squared = look.guided.flatten(1).square().sum(1)
        return squared.sqrt() if self.options.variant == "official-code" else squared
