"""Norm of the difference of the scores with and without caption."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.metrics.at_steps import AtSteps

if TYPE_CHECKING:
    from mmh.metrics.base import Array
    from mmh.metrics.seen import Seen


class ScoreDifference(AtSteps):
    """||s_c - s_0|| = ||eps_c - eps_0|| / sigma: the CFG norm, in whose mean late steps weigh more."""

    name, printed = "score_difference", "score difference"

    def see(self, step: Seen) -> Array:
        """The norm."""
        import numpy as np

        return np.sqrt(step.squared_difference) / step.sigma
