"""Highest eigenvalue of the Hessian of the log-density, along guided trajectories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.metrics.spectrum import Spectrum

if TYPE_CHECKING:
    from mmh.hessian.geometry import Geometry
    from mmh.metrics.base import Array


class LambdaMax(Spectrum):
    """Highest Ritz value with the caption."""

    name, printed, large = "lambda_max", "highest eigenvalue", False

    def read(self, found: Geometry) -> Array:
        """Highest Ritz value over the probes."""
        return found.lambda_max().value


class LambdaMaxEmpty(LambdaMax):
    """The same without caption."""

    name, printed, large = "lambda_max_empty", "highest eigenvalue, no caption", False
    branch = "empty"


class LambdaMaxDifference(LambdaMax):
    """The same of H^D, the Hessian with the caption less that without."""

    name, printed, large = "lambda_max_difference", "highest eigenvalue of H^Δ", False
    branch = "difference"
