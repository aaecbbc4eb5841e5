"""The squared norm of the guided noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.metrics.base import Metric

if TYPE_CHECKING:
    from mmh.metrics.base import Array
    from mmh.metrics.seen import Seen


class ScoreNormSquared(Metric):
    """||eps_0 + lambda (eps_c - eps_0)||^2, whose mean over the steps is A^sCFG."""

    name, printed = "score_norm_squared", "guided norm²"

    def see(self, step: Seen) -> Array:
        """Its square."""
        return step.squared_norm
