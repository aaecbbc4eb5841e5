"""Identities between a score and its Hessian, that an exact score fulfils on average (Jeon et al. 2025, 4).

With H = ∂s/∂x and averages over x ~ p:

- (a) E‖s‖² = -E tr H, of any p whose density falls off, by partial integration;
- (c) E‖H s‖² = -tr H³, of a Gaussian, whose H is -Σ⁻¹ everywhere;
- (b) E‖s^Δ‖² = ‖H (μ - μ_c)‖² - tr[(H^Δ)² H_c⁻¹], and
- (d) E‖H^Δ s^Δ‖² = ‖H^Δ H (μ - μ_c)‖² - tr[(H^Δ)⁴ H_c⁻¹], of two Gaussians, for x ~ N(μ_c, Σ_c), with
  s^Δ = s_c - s and H^Δ = H_c - H.

For equal means and matrices that commute, (b) and (d) are sums of (λ_i - λ_{c,i})² / |λ_{c,i}| and of fourth
powers: the paper prints both without the sign that makes them positive, and H = -Σ for -Σ⁻¹.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmh.stats.clusters import cluster_df, jackknife_variance, members, t_quantile

Array = NDArray[np.float64]

IDENTITIES = ("a", "c")
"""Those that need no second density; the first holds of any law, the second of Gaussians."""


def sides(score: Array, hessian: Array) -> dict[str, tuple[Array, Array]]:
    """Both sides of (a) and (c) at each point.

    Parameters
    ----------
    score : numpy.ndarray
        (n, d).
    hessian : numpy.ndarray
        (n, d, d).

    Returns
    -------
    dict of str to (ndarray, ndarray)
        By identity, float64 (n,): ‖s‖² and -tr H; ‖H s‖² and -tr H³.
    """
    applied = np.einsum("nij,nj->ni", hessian, score)
    squared = hessian @ hessian
    return {
        "a": ((score**2).sum(axis=1), -np.trace(hessian, axis1=1, axis2=2)),
        "c": ((applied**2).sum(axis=1), -np.einsum("nij,nji->n", squared, hessian)),
    }


def of_two_gaussians(hessian: Array, hessian_c: Array, shift: Array) -> tuple[float, float]:
    """Right sides of (b) and (d): E‖s^Δ‖² and E‖H^Δ s^Δ‖² for x ~ N(μ_c, Σ_c).

    Parameters
    ----------
    hessian, hessian_c : numpy.ndarray
        (d, d), -Σ⁻¹ and -Σ_c⁻¹; they need not commute.
    shift : numpy.ndarray
        (d,), μ - μ_c.

    Returns
    -------
    tuple of float
    """
    difference, moved = hessian_c - hessian, hessian @ shift
    square = difference @ difference
    inverse = np.linalg.inv(hessian_c)
    b = moved @ moved - np.trace(square @ inverse)
    d = (difference @ moved) @ (difference @ moved) - np.trace(square @ square @ inverse)
    return float(b), float(d)


def ratio(left: Array, right: Array, clusters: NDArray[np.int64] | None = None) -> dict[str, float]:
    """Ratio of two means, with its interval by the jackknife over clusters, symmetric in its logarithm.

    Parameters
    ----------
    left, right : numpy.ndarray
        (n,), the two sides of an identity at the same points.
    clusters : numpy.ndarray, optional
        (n,), which points belong together; each its own by default.

    Returns
    -------
    dict of str to float
        `left`, `right` (means), `ratio`, `low`, `high`, `n`, `clusters`. The bounds are NaN where there are
        fewer than two clusters, or the ratio is not positive with and without each of them.
    """
    number = members(clusters, len(left))
    sums = np.stack([np.bincount(number, weights=values) for values in (left, right)])
    whole, count = sums.sum(axis=1), sums.shape[1]
    estimate = whole[0] / whole[1]
    low = high = np.nan
    if count > 1:
        one, other = whole[:, None] - sums
        without = one / other
        if estimate > 0 and (without > 0).all():
            half = t_quantile(cluster_df(number)) * float(np.sqrt(jackknife_variance(np.log(without))))
            low, high = estimate * np.exp(-half), estimate * np.exp(half)
    means = whole / len(left)
    found = {"left": means[0], "right": means[1], "ratio": estimate, "low": low, "high": high}
    return {**{name: float(value) for name, value in found.items()}, "n": len(left), "clusters": count}


def identity_table(
    values: dict[str, tuple[Array, Array]], clusters: NDArray[np.int64] | None
) -> pd.DataFrame:
    """Ratios of the sides of each identity: a row for each, with `identity` before the columns of `ratio`."""
    rows = [{"identity": name, **ratio(*values[name], clusters)} for name in IDENTITIES]
    return pd.DataFrame(rows)
