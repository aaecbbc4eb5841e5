"""Where in a picture a caption moves the score: the largest place of the map, and how far it is spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.metrics.at_steps import AtSteps

if TYPE_CHECKING:
    import torch

    from mmh.metrics.base import Array
    from mmh.metrics.seen import Seen


def squared_map(step: Seen) -> torch.Tensor:
    """||(s_c - s_0) at a place||^2 over the channels, float64 (n, places): no call of the network."""
    import torch

    delta = (step.caption - step.empty).detach().double() / step.sigma
    channels = delta if delta.ndim > 2 else delta.unsqueeze(1)
    return torch.flatten(channels.square().sum(1), 1)


class DifferencePeak(AtSteps):
    """max over places p of ||(s_c - s_0)_p||, the largest value of the map of arXiv 2605.26756."""

    name, printed = "difference_peak", "peak of the difference map"

    def see(self, step: Seen) -> Array:
        """The norm at the place where it is largest."""
        peak: Array = squared_map(step).max(1).values.sqrt().cpu().numpy()
        return peak


class DifferenceSpread(AtSteps):
    """(sum_p m_p)^2 / (P sum_p m_p^2) with m_p = ||(s_c - s_0)_p||^2: the share of the P places that hold it.

    1 where the caption moves all places alike, 1/P where one alone: a template that leaves the rest of the
    picture free stands between. 0 where it moves nothing.
    """

    name, printed = "difference_spread", "spread of the difference map"

    def see(self, step: Seen) -> Array:
        """The share."""
        import numpy as np

        m = squared_map(step)
        above = m.sum(1).square().cpu().numpy()
        below = (m.shape[1] * m.square().sum(1)).cpu().numpy()
        return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
