"""Highest eigenvalue of the Hessian of the log-density, read off a Krylov pass."""

from __future__ import annotations

from mmh.scores.krylov_reading import KrylovReading


class LambdaMax(KrylovReading):
    """Highest Ritz value over all probes: how sharp the density is in its flattest direction."""

    name, part = "lambda-max", "lambda_max"
    label, unit = "highest eigenvalue", "1 / unit²"
