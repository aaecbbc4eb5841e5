"""Lowest eigenvalue of the Hessian of the log-density, along guided trajectories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.metrics.spectrum import Spectrum

if TYPE_CHECKING:
    from mmh.hessian.geometry import Geometry
    from mmh.metrics.base import Array


class LambdaMin(Spectrum):
    """Lowest Ritz value with the caption."""

    name, printed, large = "lambda_min", "lowest eigenvalue", False

    def read(self, found: Geometry) -> Array:
        """Lowest Ritz value over the probes."""
        return found.lambda_min().value


class LambdaMinEmpty(LambdaMin):
    """The same without caption."""

    name, printed, large = "lambda_min_empty", "lowest eigenvalue, no caption", False
    branch = "empty"


class LambdaMinGap(LambdaMin):
    """That with the caption less that without."""

    name, printed, large = "lambda_min_gap", "gap of lowest eigenvalues", False
    branch = "gap"


class LambdaMinDifference(LambdaMin):
    """The same of H^D, the Hessian with the caption less that without."""

    name, printed, large = "lambda_min_difference", "lowest eigenvalue of H^Δ", False
    branch = "difference"
