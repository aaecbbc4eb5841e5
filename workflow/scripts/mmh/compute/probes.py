"""Random probe vectors for traces, keyed by (seed, sample id, probe index)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmh.compute import rng
from mmh.errors import InputError

Array = NDArray[np.float64]
Probe = Literal[
    "gaussian",
    "rademacher",
    "orthogonal",
    "hutch++",
    "hutch++-complement",
    "hutch++-diagonal",
    "xtrace-complement",
]
PROBES = (
    "gaussian",
    "rademacher",
    "orthogonal",
    "hutch++",
    "hutch++-complement",
    "hutch++-diagonal",
    "xtrace-complement",
)
SKETCHES = PROBES[3:]
"""Laws whose probes serve a sketch of J, or of I - sigma J, first."""


def check_probes(probes: int | None, probe: str, dim: int) -> None:
    """Raise `InputError` unless this many probes of this law exist in `dim` dimensions."""
    if probe not in PROBES:
        raise InputError(f"probe must be one of {', '.join(PROBES)}, got {probe!r}")
    if probes is None:
        return
    if probes < 1:
        raise InputError(f"probes must be at least 1, or None for the exact trace, got {probes}")
    if probe == "orthogonal" and probes > dim:
        raise InputError(f"at most d={dim} orthogonal probes exist, got {probes}; use probes=None")
    if probe == "xtrace-complement" and not (4 <= probes <= dim and probes % 2 == 0):
        raise InputError(
            f"{probe} needs an even number of probes in 4..d={dim}, got {probes}; use probes=None for the "
            "exact trace"
        )
    if probe in SKETCHES and not 3 <= probes <= dim:
        raise InputError(
            f"{probe} needs 3..d={dim} probes, got {probes}; use probes=None for the exact trace"
        )


def has_spread(probes: int | None, probe: str) -> bool:
    """Whether a trace has a standard error over its probes: two of them that are no part of a sketch."""
    if probes is None or probes == 1:
        return False
    return probe not in SKETCHES or probes >= 4


class Probes:
    """Probe vectors of one batch: the j-th call of `next` gives probe j of each id.

    Parameters
    ----------
    probes : int
        How many will be taken (orthogonal probes are drawn together).
    probe : str
        Their law; Hutch++ draws Rademacher vectors, XTrace Gaussian ones.
    seed : int
        Root seed.
    ids : numpy.ndarray
        int64 (rows,), sample ids.
    dim : int
        Length of a vector.
    """

    def __init__(self, probes: int, probe: str, seed: int, ids: NDArray[np.int64], dim: int) -> None:
        self._probe, self._dim, self._j = probe, dim, 0
        # One stream per id, read one probe after another: probe j is the same however many follow it.
        self._streams = [rng.generator(seed, f"flipd-{probe}", int(i)) for i in ids]
        self._frames: list[Array] = []
        if probe == "orthogonal":
            self._frames = [_orthogonal(stream, dim, probes) for stream in self._streams]

    def next(self) -> NDArray[np.float32] | Array:
        """Next probe of each id, (rows, d)."""
        self._j += 1
        if self._probe == "orthogonal":
            return np.stack([frame[self._j - 1] for frame in self._frames])
        if self._probe == "rademacher" or self._probe.startswith("hutch++"):
            signs = [stream.integers(0, 2, self._dim, dtype=np.int8) for stream in self._streams]
            return 2.0 * np.stack(signs).astype(np.float32) - 1.0
        return np.stack([stream.standard_normal(self._dim, dtype=np.float32) for stream in self._streams])


def _orthogonal(stream: np.random.Generator, dim: int, probes: int) -> Array:
    """Uniformly distributed (probes, d) with orthogonal rows of norm sqrt(d)."""
    q, r = np.linalg.qr(stream.standard_normal((probes, dim)).T)
    # LAPACK fixes the signs of R by its own convention; undoing that makes the frame uniform.
    return np.sqrt(dim) * (q * np.sign(np.diag(r))).T
