"""Share of directions in which the log-density is sharp, read off a Krylov pass."""

from __future__ import annotations

from mmh.scores.krylov_reading import KrylovReading


class SharpShare(KrylovReading):
    """Share of the spectrum of the Hessian below -kappa, with the kappa of the pass.

    Formula: share of the eigenvalues of H below -kappa, kappa = c / sigma^2, by the quadrature of the pass.

    Source: after Jeon, Kim and No (2025), who count negative eigenvalues; here with the scale kappa.

    Cost: none beyond its `krylov` pass.

    Fails: with few products a share is a step function of few nodes, and eigenvalues near -kappa decide it.
    """

    name, part = "sharp-share", "share"
    label, unit, large = "share of sharp directions", "1", True
