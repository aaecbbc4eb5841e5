"""How far the noise of a network is from a gradient, read off a Krylov pass."""

from __future__ import annotations

from mmh.scores.krylov_reading import KrylovReading


class Asymmetry(KrylovReading):
    """||(J - J^T) v|| / ||(J + J^T) v|| of the probes."""

    name, part = "asymmetry", "asymmetry"
    label, unit, large = "asymmetry of the Jacobian", "1", True
