"""How far the latents move from one step to the next, after the abstract of arXiv 2605.22050."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.metrics.at_steps import AtSteps, StepNumbers

if TYPE_CHECKING:
    from mmh.metrics.base import Array
    from mmh.metrics.seen import Seen


class LatentUpdateStyle(AtSteps):
    """||z_i - z_{i-1}||, taken at step i: no call of the network.

    The paper asks whether the update leaves a region that ordinary prompts keep to. The region is fitted
    where prompts are evaluated, to ordinary prompts of other families: the fit `region` of `combination`.
    """

    name, printed, looks_back = "latent_update_style", "latent update", True

    class Options(AtSteps.Options):
        """At which steps."""

        steps: StepNumbers = [2, 3, 4, 5]
        """numbers of the steps that an update led to: 2 is the first one's"""

    def see(self, step: Seen) -> Array:
        """The norm."""
        import numpy as np

        return np.sqrt(step.squared(step.z.detach() - step.before.z))
