"""Lowest eigenvalue of the Hessian of the log-density, read off a Krylov pass."""

from __future__ import annotations

from mmh.scores.krylov_reading import KrylovReading


class LambdaMin(KrylovReading):
    """Lowest Ritz value over all probes: how sharp the density is in its sharpest direction.

    Formula: the smallest eigenvalue of H = -(J + J^T) / (2 sigma), as the smallest Ritz value over the
    probes.

    Source: Jeon, Kim and No (2025).

    Cost: none beyond its `krylov` pass.

    Fails: below -1 / sigma^2 it is the network's error. At small noise all points have a normal direction,
    and then it tells nothing.
    """

    name, part = "lambda-min", "lambda_min"
    label, unit = "lowest eigenvalue", "1 / unit²"
