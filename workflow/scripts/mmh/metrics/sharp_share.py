"""Share of directions in which the log-density is sharp, along guided trajectories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.metrics.spectrum import WithKappa

if TYPE_CHECKING:
    from mmh.hessian.geometry import Geometry
    from mmh.metrics.base import Array


class SharpShare(WithKappa):
    """Share of the spectrum of the Hessian below -kappa, with the caption."""

    name, printed, large = "sharp_share", "sharp share", True

    def read(self, found: Geometry) -> Array:
        """Share of the spectrum below -kappa."""
        return found.share(self.options.c).value


class SharpShareEmpty(SharpShare):
    """The same without caption."""

    name, printed, large = "sharp_share_empty", "sharp share, no caption", True
    branch = "empty"


class SharpShareDifference(SharpShare):
    """The same of H^D, the Hessian with the caption less that without."""

    name, printed, large = "sharp_share_difference", "sharp share of H^Δ", True
    branch = "difference"
