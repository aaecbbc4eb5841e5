"""Lowest eigenvalue of the Hessian of the log-density, read off a Krylov pass."""

from __future__ import annotations

from mmh.scores.krylov_reading import KrylovReading


class LambdaMin(KrylovReading):
    """Lowest Ritz value over all probes: how sharp the density is in its sharpest direction."""

    name, part = "lambda-min", "lambda_min"
    label, unit = "lowest eigenvalue", "1 / unit²"
