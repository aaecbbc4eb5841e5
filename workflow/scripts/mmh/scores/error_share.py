"""Share of directions sharper than any exact score, read off a Krylov pass."""

from __future__ import annotations

from mmh.scores.krylov_reading import KrylovReading


class ErrorShare(KrylovReading):
    """Share of the spectrum of the Hessian below -1 / sigma^2: an error of the network.

    Formula: share of the eigenvalues a of sigma (J + J^T) / 2 above 1, by the quadrature of the pass.

    Source: this project: sigma^2 H = -1 + (psi^2 / sigma^2) Cov(x0 | z), so an exact score has none.

    Cost: none beyond its `krylov` pass.

    Fails: normal directions lie at a = 1 itself, so rounding and few products move the share from 0.
    """

    name, part = "error-share", "error_share"
    label, unit, large = "share beyond an exact score", "1", True
