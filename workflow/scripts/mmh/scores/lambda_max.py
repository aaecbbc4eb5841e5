"""Highest eigenvalue of the Hessian of the log-density, read off a Krylov pass."""

from __future__ import annotations

from mmh.scores.krylov_reading import KrylovReading


class LambdaMax(KrylovReading):
    """Highest Ritz value over all probes: how sharp the density is in its flattest direction.

    Formula: the largest eigenvalue of H = -(J + J^T) / (2 sigma), as the largest Ritz value over the probes.

    Source: Jeon, Kim and No (2025).

    Cost: none beyond its `krylov` pass.

    Fails: a Ritz value lies within the spectrum: too low with few products. At large noise it says nothing.
    """

    name, part = "lambda-max", "lambda_max"
    label, unit = "highest eigenvalue", "1 / unit²"
