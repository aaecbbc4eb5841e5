"""The norm of the CFG vector, and its square: how far a caption moves the noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.metrics.base import Metric

if TYPE_CHECKING:
    from mmh.metrics.base import Array
    from mmh.metrics.seen import Seen


class CfgNormSquared(Metric):
    """||eps_c - eps_0||^2, whose mean over the steps is A^CFG."""

    name, printed = "cfg_norm_squared", "CFG norm²"

    def see(self, step: Seen) -> Array:
        """Its square."""
        return step.squared_difference


class CfgNorm(Metric):
    """||eps_c - eps_0||, the metric of Wen et al."""

    name, printed = "cfg_norm", "CFG norm"

    def see(self, step: Seen) -> Array:
        """The norm."""
        import numpy as np

        return np.sqrt(step.squared_difference)
