"""LID by the trace of the Jacobian alone, d - sigma tr J, along guided trajectories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.metrics.spectrum import Spectrum

if TYPE_CHECKING:
    from mmh.hessian.geometry import Geometry
    from mmh.metrics.base import Array


class LidTrace(Spectrum):
    """LID^tr with the caption."""

    name, printed, large = "lid_trace", "LID by the trace", False

    def read(self, found: Geometry) -> Array:
        """FLIPD without ||eps||^2, which says nothing at noised latents."""
        return found.lid_trace().value


class LidTraceEmpty(LidTrace):
    """The same without caption."""

    name, printed, large = "lid_trace_empty", "LID by the trace, no caption", False
    branch = "empty"


class LidTraceGap(LidTrace):
    """That with the caption less that without."""

    name, printed, large = "lid_trace_gap", "gap of LID by the trace", False
    branch = "gap"
