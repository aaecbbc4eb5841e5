"""The angle between what a caption adds to the score and the score without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.metrics.at_steps import AtSteps

if TYPE_CHECKING:
    from mmh.metrics.base import Array
    from mmh.metrics.seen import Seen


class GuidanceCosine(AtSteps):
    """cos(s_c - s_0, s_0), 0 where one of the two vanishes: no call of the network.

    One half of the anisotropy of arXiv 2601.20642, gamma_1 ||s_c - s_0|| at large noise + gamma_2 this cosine
    at small noise. There both are taken at pure noise, by four rows, and gamma is set for each model; here at
    the latents of the trajectory, and gamma is fitted to other families of prompts: a fit of `combination`.
    """

    name, printed = "guidance_cosine", "cos(s^Δ, s_∅)"

    def see(self, step: Seen) -> Array:
        """The cosine."""
        import numpy as np

        empty = step.empty.detach().double().flatten(1)
        delta = step.caption.detach().double().flatten(1) - empty
        product: Array = (delta * empty).sum(1).cpu().numpy()
        length = np.sqrt(step.squared_difference * step.squared(step.empty))
        return np.divide(product, length, out=np.zeros_like(product), where=length > 0)
