"""Gaussian noise on the embedded prompt (Somepalli et al., 2023)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.mitigations.base import Mitigation
from mmh.options import base as options
from mmh.options.base import Field

if TYPE_CHECKING:
    import torch

    from mmh.sampling.start import Start


class EmbeddingNoise(Mitigation):
    """c + s n, n standard normal at every token (GNI); 0.1, as published, is small beside unit embeddings."""

    name, printed = "embedding-noise", "noise on the embedding"

    class Options(options.Options):
        """Noise on the embedding."""

        scale: float = Field(default=0.1, gt=0)
        """s, the published one"""

    def condition(self, start: Start) -> torch.Tensor:
        """Another draw for each generation."""
        return start.c + self.options.scale * start.condition_noise()
