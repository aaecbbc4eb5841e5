"""Model-free estimators of LID_* from scikit-dimension, an optional dependency, on our own neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmh.errors import InputError
from mmh.lid.neighbours import knn

Array = NDArray[np.float64]
Index = NDArray[np.int64]
# Names of the classes in skdim.id: those that take neighbours, and those that are fitted to a point cloud.
LOCAL = {"mle": "MLE", "mom": "MOM", "tle": "TLE", "ess": "ESS", "mada": "MADA"}
CLOUD = {"lpca": "lPCA", "mind_ml": "MiND_ML"}
METHODS = (*LOCAL, "twonn", *CLOUD)


def model_free(
    points: ArrayLike,
    method: str = "mle",
    *,
    k: int = 100,
    neighbours: tuple[Array, Index] | None = None,
    **options: Any,
) -> Array:
    """Estimate the local intrinsic dimension at every point from its k nearest neighbours.

    Parameters
    ----------
    points : array_like
        (n, ...), flattened.
    method : str
        "mle" (Levina and Bickel), "mom", "tle", "ess" (slow), "mada": from each point's neighbours. "twonn"
        (Facco et al.): a line fitted to the ratios of second to first neighbour distance of the k neighbours.
        "lpca", "mind_ml": a global estimator fitted to each neighbourhood by itself, one call per point.
    k : int
        Number of neighbours, 2 <= k < n.
    neighbours : (distances, indices), optional
        ``knn(points, points, k, exclude_self=True)``, if at hand.
    **options
        Arguments of the scikit-dimension class, for example ``alphaFO=0.05`` of "lpca".

    Returns
    -------
    numpy.ndarray
        float64 (n,), in dimensions: 0 where all k neighbours coincide with the point, NaN where the method
        has no answer (a neighbourhood with too many coinciding points).

    Raises
    ------
    InputError
        If scikit-dimension is not installed, or the method, `k` or a shape is out of range.
    """
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    try:
        import skdim.id
    except ImportError as error:
        raise InputError(
            f"method {method!r} needs scikit-dimension, which is not installed: pip install scikit-dimension"
        ) from error
    flat = np.asarray(points, dtype=np.float64)
    flat = flat.reshape(len(flat), -1)
    if not 2 <= k < len(flat):
        raise InputError(f"k must be at least 2 and below the {len(flat)} points, got {k}")
    distances, indices = knn(flat, flat, k, exclude_self=True) if neighbours is None else neighbours
    if distances.shape != (len(flat), k) or indices.shape != (len(flat), k):
        raise InputError(f"neighbours must be two ({len(flat)}, {k}) arrays, got {distances.shape}")
    with np.errstate(all="ignore"):  # coinciding points: logarithms and ratios of 0
        if method in LOCAL:
            estimator = getattr(skdim.id, LOCAL[method])(**options)
            estimator.fit(flat, precomputed_knn_arrays=(distances, indices), n_neighbors=k)
            values = np.array(estimator.dimension_pw_, dtype=np.float64)
        elif method == "twonn":
            values = _each(
                lambda near: skdim.id.TwoNN(dist=True, **options).fit(distances[near, :2]).dimension_, indices
            )
        else:
            kind = getattr(skdim.id, CLOUD[method])
            values = _each(lambda near: kind(**options).fit(flat[near]).dimension_, indices)
    values[~np.isfinite(values)] = np.nan
    values[distances[:, -1] == 0] = 0.0
    return values


def _each(estimate: Callable[[Index], float], indices: Index) -> Array:
    values = np.full(len(indices), np.nan)
    for row, near in enumerate(indices):
        try:
            values[row] = estimate(near)
        except ValueError:  # too few distinct points for this method
            continue
    return values
