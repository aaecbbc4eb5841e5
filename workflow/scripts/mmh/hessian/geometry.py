"""What one Krylov pass says of the log-density about a point: trace, dimension, extremes, shares, asymmetry.

With J = d eps / d z and s = -eps / sigma the Hessian of the log-density is H = -J / sigma. Its spectrum is
kept in units that do not grow as the noise vanishes: a is an eigenvalue of sigma sym(J), so that
lambda = -a / sigma^2 is one of sym(H). An exact score has sigma^2 H = -1 + (psi^2 / sigma^2) Cov(x_0 | z),
hence a <= 1: normal directions have a = 1, tangent ones a near 0, and a > 1 is an error of the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmh.compute.shown import shown

Array = NDArray[np.float64]
ROUNDING = 1e-4
"""By how much a must exceed 1 to count as an error: a float32 network rounds below that."""


def beyond(a: Array) -> NDArray[np.bool_]:
    """Say which a no exact score can have, of any shape: their lambda lies below -1 / sigma^2."""
    return np.asarray(a > 1.0 + ROUNDING)


class Reading(NamedTuple):
    """A statistic of n rows, float64 (n,), and its standard error over probes, NaN for one probe or none."""

    value: Array
    stderr: Array


@dataclass(frozen=True)
class Geometry:
    """Quadrature of the spectrum of sigma sym(J), for n rows and p probes.

    Attributes
    ----------
    dim : int
        Values of a row, d.
    sigma : float
        Noise level.
    traces : numpy.ndarray
        float64 (n, p), estimates of sigma tr J: the quadratic forms of FLIPD with the same probes.
    nodes, weights : numpy.ndarray
        float64 (n, p, m), Ritz values of sigma sym(J) and their weights, which sum to 1; all d eigenvalues
        with weights 1 / d for a dense one.
    squared_norm : numpy.ndarray
        float64 (n,), ||eps||^2.
    asymmetries : numpy.ndarray or None
        float64 (n, p), ||(J - J^T) v|| / ||(J + J^T) v||, of whole matrices for a dense one.
    dense : bool
        Whether the Jacobian was formed: nothing is random.
    correction : float
        Factor on variances over probes: 1 - p / d for probes drawn without replacement.
    """

    dim: int
    sigma: float
    traces: Array
    nodes: Array
    weights: Array
    squared_norm: Array
    asymmetries: Array | None = None
    dense: bool = False
    correction: float = 1.0

    def __repr__(self) -> str:
        return shown(type(self).__name__, **vars(self))

    def trace(self) -> Reading:
        """Give sigma tr J, in dimensions: FLIPD is d less it, plus ||eps||^2."""
        return self._mean(self.traces)

    def lid_trace(self) -> Reading:
        """LID^tr = d - sigma tr J, in dimensions: FLIPD without ||eps||^2, for noised points."""
        mean = self.trace()
        return Reading(self.dim - mean.value, mean.stderr)

    def flipd(self) -> Reading:
        """FLIPD at the same points, in dimensions."""
        found = self.lid_trace()
        return Reading(found.value + self.squared_norm, found.stderr)

    def lhsd(self, c: float = 0.25, *, power: float = 4.0, corrected: bool = False) -> Reading:
        """Dimension by a smooth count of small eigenvalues, tr f(H), by stochastic Lanczos quadrature.

        f(lambda) = 1 / (1 + (|lambda| / kappa)^power) with kappa = c / sigma^2, so |lambda| / kappa = |a| /
        c. A normal direction (a = 1) counts f(1) = 1 / (1 + c^-power) and not 0, which is a bias of f(1) for
        each; `corrected` takes (f - f(1)) / (1 - f(1)).
        """
        f = 1.0 / (1.0 + (np.abs(self.nodes) / c) ** power)
        if corrected:
            normal = 1.0 / (1.0 + c**-power)
            f = (f - normal) / (1.0 - normal)
        return self._mean(self.dim * (self.weights * f).sum(2))

    def share(self, c: float = 0.25) -> Reading:
        """Share of eigenvalues of sym(H) below -kappa, a > c."""
        return self._mean((self.weights * (self.nodes > c)).sum(2))

    def error_share(self) -> Reading:
        """Share of eigenvalues of sym(H) below -1 / sigma^2, which no exact score has."""
        return self._mean((self.weights * beyond(self.nodes)).sum(2))

    def lambda_min(self) -> Reading:
        """Lowest Ritz value of sym(H) over all probes, in 1 / unit of z^2.

        No Ritz value exceeds the spectrum, so the lowest of several probes is the nearest. The standard error
        is that of the mean of the probes' own lowest values, a scale of what they leave open.
        """
        return self._extreme(self.nodes.max(2), highest=True)

    def lambda_max(self) -> Reading:
        """Highest Ritz value of sym(H) over all probes; as `lambda_min`."""
        return self._extreme(self.nodes.min(2), highest=False)

    def asymmetry(self) -> Reading:
        """||(J - J^T) v|| / ||(J + J^T) v||, 0 for the gradient of a density."""
        if self.asymmetries is None:
            raise ValueError("no forward product was taken")
        return self._mean(self.asymmetries)

    def part(self, rows: slice) -> Geometry:
        """The same of some rows."""
        skew = None if self.asymmetries is None else self.asymmetries[rows]
        parts = self.traces[rows], self.nodes[rows], self.weights[rows], self.squared_norm[rows], skew
        return Geometry(self.dim, self.sigma, *parts, self.dense, self.correction)

    def _extreme(self, values: Array, *, highest: bool) -> Reading:
        ends = values.max(1) if highest else values.min(1)
        return Reading(-ends / self.sigma**2, self._stderr(values) / self.sigma**2)

    def _mean(self, draws: Array) -> Reading:
        return Reading(draws.mean(1), self._stderr(draws))

    def _stderr(self, draws: Array) -> Array:
        count = draws.shape[1]
        if count < 2:
            return np.full(len(draws), np.nan)
        return np.sqrt(draws.var(axis=1, ddof=1) / count * self.correction)
