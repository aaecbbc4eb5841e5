"""How far the noise with the caption moves from one step to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.metrics.at_steps import AtSteps, StepNumbers

if TYPE_CHECKING:
    from mmh.metrics.base import Array
    from mmh.metrics.seen import Seen


class StepDifference(AtSteps):
    """||eps_c(z_i) - eps_c(z_{i-1})||^2, taken at step i: no call of the network.

    A memorized prompt's noise leads straight to its image from the first step on, and turns as soon as the
    guidance has moved the latents there.
    """

    name, printed, looks_back = "step_difference", "step difference", True

    class Options(AtSteps.Options):
        """At which steps."""

        steps: StepNumbers = [2]
        """numbers of the steps, each compared with the one before it: 2 is the first difference"""

    def see(self, step: Seen) -> Array:
        """The squared norm."""
        return step.squared(step.caption.detach() - step.before.caption)
