"""How far the noise of a network is from a gradient, read off a Krylov pass."""

from __future__ import annotations

from mmh.scores.krylov_reading import KrylovReading


class Asymmetry(KrylovReading):
    """||(J - J^T) v|| / ||(J + J^T) v|| of the probes.

    Formula: mean over the probes v of ||(J - J^T) v|| / ||(J + J^T) v||, J = d eps / d z.

    Source: this project; a score that is a gradient has 0 (docs/sharpness.md).

    Cost: one product J v for each probe of its `krylov` pass, which must have asymmetry: true.

    Fails: it measures the network's error and no dimension; a large one says to distrust eigenvalues of J
    itself.
    """

    name, part = "asymmetry", "asymmetry"
    label, unit, large = "asymmetry of the Jacobian", "1", True
