"""Difference of the gradients of the norms of the two scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mmh.metrics.at_steps import AtSteps

if TYPE_CHECKING:
    from mmh.metrics.base import Array
    from mmh.metrics.seen import Seen


class GradientDifference(AtSteps):
    """||J_c^T eps_c - J_0^T eps_0||^2, of grad ||eps||^2 / 2 with the caption and without.

    One backward pass over the rows of sampling's own call: two products.
    """

    name, printed = "gradient_difference", "gradient difference"
    needs = "graph"

    def see(self, step: Seen) -> Array:
        """The squared norm."""
        return step.squared(step.pulled_back())

    @classmethod
    def cost(cls, options: Any, dim: int, trace_calls: Callable[[int | str], float]) -> float:
        """One product."""
        return trace_calls(1) - 1

    @classmethod
    def network_rows(cls, options: Any, dim: int) -> tuple[int, int]:
        """Both branches."""
        return 0, 2
