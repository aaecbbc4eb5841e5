"""A control that costs nothing: the noise of each step is pushed in a random direction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.mitigations.base import Mitigation
from mmh.options import base as options
from mmh.options.base import Field
from mmh.sampling.guides import Branches, Constant, Guide

if TYPE_CHECKING:
    import torch

    from mmh.sampling.start import Start


class RandomPush(Mitigation):
    """eps^CFG + kappa u at t >= `from_t`, u a random unit vector: what a push by LID must beat."""

    name, printed = "random-push", "random push"

    class Options(options.Options):
        """A push without a reason."""

        kappa: float = Field(gt=0)
        """length of the push; a noise has about the square root of the dimension"""
        from_t: float = Field(default=0.3, ge=0, le=1)
        """smallest t at which it is pushed"""

    def guide(self, start: Start) -> Guide:
        """Plain guidance, pushed."""
        return Push(start, self.options)


class Push(Constant):
    """eps_0 + lambda (eps_c - eps_0) + kappa u.

    Parameters
    ----------
    start : Start
        The generations.
    options : RandomPush.Options
    """

    def __init__(self, start: Start, options: RandomPush.Options) -> None:
        super().__init__(start.guidance)
        self.start, self.options = start, options

    def combine(self, step: Branches) -> torch.Tensor:
        """Guided as ever, and pushed while the noise is large."""
        guided = super().combine(step)
        if step.t < self.options.from_t:
            return guided
        u = self.start.probes("gaussian", step.number).to(guided)
        length = u.flatten(1).norm(dim=1).reshape(-1, *[1] * (u.ndim - 1))
        return guided + self.options.kappa * u / length
