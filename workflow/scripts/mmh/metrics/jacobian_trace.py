"""Trace of the Jacobian of the noise, -sigma^2 tr H, along guided trajectories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.metrics.spectrum import Spectrum

if TYPE_CHECKING:
    from mmh.hessian.geometry import Geometry
    from mmh.metrics.base import Array


class JacobianTrace(Spectrum):
    """Sigma tr J with the caption."""

    name, printed, large = "jacobian_trace", "trace", True

    def read(self, found: Geometry) -> Array:
        """Hutchinson estimate of sigma tr J."""
        return found.trace().value


class JacobianTraceEmpty(JacobianTrace):
    """The same without caption."""

    name, printed, large = "jacobian_trace_empty", "trace, no caption", True
    branch = "empty"


class JacobianTraceGap(JacobianTrace):
    """That with the caption less that without."""

    name, printed, large = "jacobian_trace_gap", "gap of traces", True
    branch = "gap"
