"""Dense Hessians of a log-density, row by row, from the score of a model: for small dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from mmh.compute.attention import full_float32
from mmh.compute.rows import check_finite, fast_layout, fixed_batches
from mmh.hessian.operators import dense_jacobian, transpose_product

if TYPE_CHECKING:
    from mmh.diffusion.score_model import ScoreModel

Array = NDArray[np.float64]


def score_and_hessian(
    model: ScoreModel, z: NDArray[np.floating], t: float, *, ids: NDArray[np.int64], batch_size: int
) -> tuple[Array, Array]:
    """Score s(z) and its Jacobian H = ∂s/∂z at noised points, by d vector products on one graph.

    A row's last bits follow from its place ``id % batch_size`` in a batch alone.

    Parameters
    ----------
    model : ScoreModel
        With conditioning rows for the rows of `z`, if any.
    z : numpy.ndarray
        (n, *shape), at the noise level of `t`.
    t : float
        Time in (0, 1].
    ids : numpy.ndarray
        int64 (n,), not negative.
    batch_size : int
        Rows of a batch.

    Returns
    -------
    score : numpy.ndarray
        float64 (n, d).
    hessian : numpy.ndarray
        float64 (n, d, d), [i, j, k] = ∂s_j/∂z_k of row i; of a network it is not symmetric.

    Raises
    ------
    InputError
        If a value is not finite; it names the id.
    """
    n, d = len(z), model.dim
    sigma = model.schedule.sigma(float(t))
    score, hessian = np.empty((n, d)), np.empty((n, d, d))
    for rows, places in fixed_batches(ids, batch_size):
        with torch.inference_mode(False), torch.enable_grad(), full_float32():
            batch = torch.from_numpy(np.ascontiguousarray(z[rows])).to(device=model.device, dtype=model.dtype)
            leaf = fast_layout(batch, model.module).requires_grad_(True)
            noise = model.select(rows).eps(leaf, float(t))
            jacobian = (
                dense_jacobian(transpose_product(noise, leaf), len(rows), d, model.device).cpu().numpy()
            )
            eps = noise.detach().double().flatten(1).cpu().numpy()
        taken = rows[places]
        score[taken] = -eps[places] / sigma
        hessian[taken] = -jacobian[places] / sigma
    whole = np.concatenate([score, hessian.reshape(n, -1)], axis=1)
    finite = np.asarray(np.isfinite(whole).all(axis=1), dtype=np.bool_)
    check_finite(finite, ids, f"score or Hessian is not finite at t = {t:g}")
    return score, hessian


def eigenvalues(hessian: Array) -> Array:
    """Eigenvalues of the symmetric part of each Hessian (n, d, d): float64 (n, d), ascending."""
    return np.asarray(np.linalg.eigvalsh((hessian + np.swapaxes(hessian, 1, 2)) / 2), dtype=np.float64)
