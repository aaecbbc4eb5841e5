"""Normal-bundle estimator: scores at fresh noised copies of x span the normal space of the manifold at x.

LID(x) = #{singular values of [s(z_1, t), ..., s(z_k, t)] <= threshold}, z_j = psi(t) x + sigma(t) n_j.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

from mmh import rng
from mmh.errors import InputError
from mmh.lid._rows import check_finite, check_items

if TYPE_CHECKING:
    import torch

    from mmh.diffusion import ScoreModel

Array = NDArray[np.float64]
BATCH_SIZE = 256


def normal_bundle_spectrum(
    model: ScoreModel,
    x: ArrayLike | torch.Tensor,
    t: float,
    *,
    copies: int | None = None,
    seed: int = 0,
    ids: ArrayLike | None = None,
    batch_size: int = BATCH_SIZE,
) -> Array:
    """Singular values of the (copies, d) matrix of scores at noised copies of each sample.

    The matrix is neither centred nor stored: its d x d Gram matrix is accumulated in float64, and the
    singular values are the roots of its eigenvalues. They agree with those of an SVD to 1e-6 of their size
    where they are above 1e-5 of the largest; below, they are rounding noise. Each sample is computed in
    batches of its own copies, so its result depends on (seed, id) and `batch_size` only.

    Parameters
    ----------
    model : ScoreModel
        With conditioning rows, if any, in the order of `x`.
    x : array_like or torch.Tensor
        Clean samples (n, *shape) on the model's scale, floating point.
    t : float
        Noise time t0 in (0, 1].
    copies : int or None
        Number of noised copies; None for 4 d.
    seed : int
        Root seed of the noise; copy j of an id is the same however many there are.
    ids : array_like of int, optional
        Ids of the samples, (n,); 0..n-1 by default.
    batch_size : int
        Copies in one forward pass.

    Returns
    -------
    numpy.ndarray
        float64 (n, d), descending, in units of the score; zeros after the first `copies` if there are fewer
        than d.

    Raises
    ------
    InputError
        If an argument is out of range, or a score is not finite (the message names the id).
    """
    import torch

    samples, numbers = check_items(model, x, ids)
    count = 4 * model.dim if copies is None else int(copies)
    if count < 1:
        raise InputError(f"copies must be positive, got {copies}")
    if batch_size < 1:
        raise InputError(f"batch_size must be positive, got {batch_size}")
    spectra = np.zeros((len(samples), model.dim))
    with torch.no_grad():
        for row, item in enumerate(numbers.tolist()):
            stream = rng.generator(seed, "normal-bundle", item)
            scores = _scores(model.select([row]), samples[row], t, stream, count, batch_size)
            values = _singular_values(scores, model.dim, numbers[row : row + 1], t)
            spectra[row, : min(count, model.dim)] = values[: min(count, model.dim)]
    return spectra


def _scores(
    model: ScoreModel, x: torch.Tensor, t: float, stream: np.random.Generator, copies: int, size: int
) -> Iterator[torch.Tensor]:
    """Yield the scores (rows, d), float64, at `copies` noised copies of one clean sample x (*shape)."""
    import torch

    psi, sigma = model.schedule.psi(float(t)), model.schedule.sigma(float(t))
    for start in range(0, copies, size):
        shape = (min(size, copies - start), *model.shape)
        noise = torch.from_numpy(stream.standard_normal(shape, dtype=np.float32)).double()
        z = (psi * x + sigma * noise).to(device=model.device, dtype=model.dtype)
        # Divided in float64: 1 / sigma could overflow a half-precision eps.
        yield model.eps(z, t).double().flatten(1) / -sigma


def _singular_values(chunks: Iterator[torch.Tensor], dim: int, ids: NDArray[np.int64], t: float) -> Array:
    """Singular values (d,), descending, of the matrix made of the chunks; one d x d array in memory."""
    import torch

    gram: Array = np.zeros((dim, dim), order="F")
    gram_device: torch.Tensor | None = None
    for chunk in chunks:
        if chunk.device.type == "cpu":
            # The lower triangle only, added in place: half the work of a product and no second d x d array.
            gram = linalg.blas.dsyrk(1.0, chunk.numpy().T, beta=1.0, c=gram, lower=1, overwrite_c=1)
        else:
            if gram_device is None:
                gram_device = torch.zeros((dim, dim), dtype=torch.float64, device=chunk.device)
            gram_device.addmm_(chunk.T, chunk)
    trace = np.trace(gram) if gram_device is None else float(gram_device.trace())
    check_finite(np.isfinite(np.array([trace])), ids, f"a score at t={t} is not finite")
    if gram_device is None:
        options = {"lower": True, "eigvals_only": True, "overwrite_a": True, "check_finite": False}
        eigenvalues = linalg.eigh(gram, driver="ev", **options)
    else:
        eigenvalues = torch.linalg.eigvalsh(gram_device).cpu().numpy()
    return np.sqrt(np.maximum(eigenvalues[::-1], 0.0))
