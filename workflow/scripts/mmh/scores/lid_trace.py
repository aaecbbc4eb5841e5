"""LID by the trace of the Jacobian alone, read off a Krylov pass."""

from __future__ import annotations

from mmh.scores.krylov_reading import KrylovReading


class LidTrace(KrylovReading):
    """LID^tr = d - sigma tr J: FLIPD without ||eps||^2, for noised points, where that swamps it.

    Formula: LID^tr = d - sigma tr J, the trace from the first product of each probe.

    Source: FLIPD's trace term (arXiv:2406.03537).

    Cost: none beyond its `krylov` pass.

    Fails: its probes err as FLIPD's do; of a network's inexact score it may leave [0, d].
    """

    name, part = "lid-trace", "lid_trace"
    label, unit = "LID by the trace", "dimensions"
