"""Dimension by a smooth count of small eigenvalues (LHSD), along guided trajectories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.metrics.spectrum import WithKappa

if TYPE_CHECKING:
    from mmh.hessian.geometry import Geometry
    from mmh.metrics.base import Array


class Lhsd(WithKappa):
    """LHSD of the noise with the caption."""

    name, printed, large = "lhsd", "LHSD", False

    def read(self, found: Geometry) -> Array:
        """Count them."""
        return found.lhsd(self.options.c).value


class LhsdEmpty(Lhsd):
    """LHSD of the noise without caption."""

    name, printed, large = "lhsd_empty", "LHSD, no caption", False
    branch = "empty"


class LhsdGap(Lhsd):
    """LHSD with the caption less that without."""

    name, printed, large = "lhsd_gap", "LHSD gap", False
    branch = "gap"
