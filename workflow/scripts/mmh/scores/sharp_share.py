"""Share of directions in which the log-density is sharp, read off a Krylov pass."""

from __future__ import annotations

from mmh.scores.krylov_reading import KrylovReading


class SharpShare(KrylovReading):
    """Share of the spectrum of the Hessian below -kappa, with the kappa of the pass."""

    name, part = "sharp-share", "share"
    label, unit, large = "share of sharp directions", "1", True
