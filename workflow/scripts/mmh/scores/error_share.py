"""Share of directions sharper than any exact score, read off a Krylov pass."""

from __future__ import annotations

from mmh.scores.krylov_reading import KrylovReading


class ErrorShare(KrylovReading):
    """Share of the spectrum of the Hessian below -1 / sigma^2: an error of the network."""

    name, part = "error-share", "error_share"
    label, unit, large = "share beyond an exact score", "1", True
