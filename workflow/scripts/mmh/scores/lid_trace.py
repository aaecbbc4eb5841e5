"""LID by the trace of the Jacobian alone, read off a Krylov pass."""

from __future__ import annotations

from mmh.scores.krylov_reading import KrylovReading


class LidTrace(KrylovReading):
    """LID^tr = d - sigma tr J: FLIPD without ||eps||^2, for noised points, where that swamps it."""

    name, part = "lid-trace", "lid_trace"
    label, unit = "LID by the trace", "dimensions"
