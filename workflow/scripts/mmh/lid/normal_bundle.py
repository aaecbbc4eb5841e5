"""Normal-bundle estimator: scores at fresh noised copies of x span the normal space of the manifold at x.

LID(x) = #{singular values of [s(z_1, t), ..., s(z_k, t)] <= threshold}, z_j = psi(t) x + sigma(t) n_j.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmh.compute import rng
from mmh.compute.rows import check_finite, check_items, fast_layout, repeatable
from mmh.errors import InputError

if TYPE_CHECKING:
    import torch

    from mmh.diffusion.score_model import ScoreModel

Array = NDArray[np.float64]
BATCH_SIZE = 256
TORCH_EIGENVALUES = 2560


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

    The matrix is neither centred nor stored: its d x d Gram matrix is accumulated in float64 on the model's
    device, and the singular values are the roots of its eigenvalues. Memory is that of one such matrix (two
    from d = 2560 on, or on a GPU) and of one batch. The values agree with those of an SVD to 1e-6 of their
    size where they are above 1e-5 of the largest; below, they are rounding noise. Each sample is computed in
    batches of its own copies, so its result depends on (seed, id) and `batch_size` only. TF32 is off
    meanwhile. What a half-precision network cannot hold is computed again by a float32 copy of it.

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
    samples, numbers = check_items(model, x, ids)
    count = _check_counts(copies, batch_size, model.dim)

    def decompose(score: ScoreModel, row: int) -> dict[str, Array]:
        stream = rng.generator(seed, "normal-bundle", int(numbers[row]))
        chunks = _noise_predictions(score.select([row]), samples[row], t, stream, count, batch_size)
        return {"spectrum": _roots(_gram(chunks, score.dim, score.device), count)}

    return _each(model, decompose, numbers, t, {"spectrum": (model.dim,)})["spectrum"]


def normal_bundle_groups(
    model: ScoreModel,
    x: ArrayLike | torch.Tensor,
    t: float,
    *,
    groups: int = 4,
    copies: int | None = None,
    seed: int = 0,
    ids: ArrayLike | None = None,
    batch_size: int = BATCH_SIZE,
) -> tuple[Array, Array]:
    """Spectra with each group of copies left out in turn, for the standard error of a count.

    The copies are those of `normal_bundle_spectrum`; copy j belongs to group ``j // ceil(copies / groups)``.
    No more network calls are made; groups + 1 Gram matrices are held, (groups + 1) d^2 doubles, and `groups`
    more eigenvalue problems solved. `count_stderr` turns the second result into standard errors.

    Parameters
    ----------
    model, x, t, copies, seed, ids, batch_size
        As for `normal_bundle_spectrum`; a group's last batch may be smaller.
    groups : int
        Number of groups, 2..copies.

    Returns
    -------
    spectra : numpy.ndarray
        float64 (n, d), descending: all copies, equal to `normal_bundle_spectrum` up to rounding.
    left_out : numpy.ndarray
        float64 (n, groups, d), descending, without one group, multiplied by sqrt(copies / copies left) so
        that one threshold fits both.

    Raises
    ------
    InputError
        As `normal_bundle_spectrum` does, or if `groups` is out of range.
    """
    import torch

    samples, numbers = check_items(model, x, ids)
    count = _check_counts(copies, batch_size, model.dim)
    size = -(-count // max(groups, 1))
    if not 2 <= groups <= count or (groups - 1) * size >= count:
        raise InputError(f"{count} copies cannot be cut into groups={groups} of equal size (2 at least)")

    def decompose(score: ScoreModel, row: int) -> dict[str, Array]:
        stream = rng.generator(seed, "normal-bundle", int(numbers[row]))
        one, grams = score.select([row]), []
        for start in range(0, count, size):
            rows = min(size, count - start)
            chunks = _noise_predictions(one, samples[row], t, stream, rows, batch_size)
            grams.append(_gram(chunks, score.dim, score.device))
        total, left_out = torch.empty_like(grams[0]), []
        for g in range(groups):
            rows = count - min(size, count - g * size)
            # Summed anew: whole - gram would cancel where one group holds most of a direction.
            rest = _sum([other for h, other in enumerate(grams) if h != g], total)
            left_out.append(_roots(rest, rows) * np.sqrt(count / rows))
        return {"spectrum": _roots(_sum(grams, total), count), "left_out": np.stack(left_out)}

    shapes = {"spectrum": (model.dim,), "left_out": (groups, model.dim)}
    found = _each(model, decompose, numbers, t, shapes)
    return found["spectrum"], found["left_out"]


def count_stderr(left_out: ArrayLike, threshold: float) -> Array:
    """Jackknife standard error of #{singular values <= threshold} over groups of copies.

    se^2 = (G - 1) / G sum_g (c_g - mean c)^2, c_g the count without group g, interpolated between
    neighbouring singular values: the jackknife would multiply the rounding of an integer count by G - 1. It
    measures what the finite number of copies leaves, at a given threshold; it is near 0 where the gap at the
    threshold is clear, and up to twice too large where the spectrum is dense (more so with more groups).

    Parameters
    ----------
    left_out : array_like
        (n, groups, d), descending, from `normal_bundle_groups`.
    threshold : float
        From `mmh.lid.spectra.pooled_threshold` of the whole spectra.

    Returns
    -------
    numpy.ndarray
        float64 (n,), in dimensions.

    Raises
    ------
    InputError
        If the shape is not (n, groups, d) with two groups at least, or a value is NaN.
    """
    values = np.asarray(left_out, dtype=np.float64)
    if values.ndim != 3 or values.shape[1] < 2 or np.isnan(values).any():
        raise InputError(f"needs spectra (n, groups >= 2, d) without NaN, got shape {values.shape}")
    n, groups, dim = values.shape
    ranks = np.arange(dim) + 0.5
    rows = values.reshape(n * groups, dim)[:, ::-1]
    counts = np.array([np.interp(threshold, row, ranks, left=0.0, right=dim) for row in rows])
    return np.sqrt((groups - 1) * counts.reshape(n, groups).var(axis=1))


def _each(
    model: ScoreModel,
    decompose: Callable[[ScoreModel, int], dict[str, Array]],
    ids: NDArray[np.int64],
    t: float,
    shapes: dict[str, tuple[int, ...]],
) -> dict[str, Array]:
    """Decompose the scores around each sample, those anew in float32 that half precision cannot hold."""
    import torch

    from mmh.compute.attention import full_float32
    from mmh.compute.memory import all_finite, float32_retry

    def some(score: ScoreModel, rows: NDArray[np.int64]) -> dict[str, Array]:
        arrays = {name: np.zeros((len(rows), *shape)) for name, shape in shapes.items()}
        for place, row in enumerate(rows.tolist()):
            found = decompose(score, row)
            for name, values in found.items():
                arrays[name][place] = values
            if np.isnan(found["spectrum"]).any() and score.dtype.itemsize >= 4:
                break  # nothing will mend it
        return arrays

    with torch.no_grad(), full_float32(), repeatable(model.device):
        found, _ = float32_retry(model, some, np.arange(len(ids)))
    check_finite(all_finite(found), ids, f"a score at t={t} is not finite")
    # Here, in float64: 1 / sigma could overflow a half-precision eps.
    return {name: values / model.schedule.sigma(float(t)) for name, values in found.items()}


def _check_counts(copies: int | None, batch_size: int, dim: int) -> int:
    count = 4 * dim if copies is None else int(copies)
    if count < 1:
        raise InputError(f"copies must be positive, got {copies}")
    if batch_size < 1:
        raise InputError(f"batch_size must be positive, got {batch_size}")
    return count


def _noise_predictions(
    model: ScoreModel, x: torch.Tensor, t: float, stream: np.random.Generator, copies: int, size: int
) -> Iterator[torch.Tensor]:
    """Yield eps (rows, d), float64, at `copies` noised copies of one clean sample x (*shape).

    What is yielded lies in a buffer that the next chunk overwrites: chunks allocated anew, thousands of them,
    would leave more gaps in memory than the Gram matrix takes.
    """
    import torch

    signal, sigma = model.schedule.psi(float(t)) * x.to(model.device), model.schedule.sigma(float(t))
    noise = np.empty((min(size, copies), *model.shape), dtype=np.float32)
    buffer = torch.empty(noise.shape, dtype=torch.float64, device=model.device)
    for start in range(0, copies, size):
        rows = min(size, copies - start)
        stream.standard_normal(dtype=np.float32, out=noise[:rows])
        wide = buffer[:rows].copy_(torch.from_numpy(noise[:rows]).to(model.device))
        z = wide.mul_(sigma).add_(signal).to(model.dtype, copy=True)
        yield wide.copy_(model.eps(fast_layout(z, model.module), t)).flatten(1)


def _gram(chunks: Iterator[torch.Tensor], dim: int, device: torch.device) -> torch.Tensor:
    """Sum of chunk^T chunk, (d, d) float64 on the device; only the upper triangle counts."""
    import torch
    from scipy.linalg.blas import dsyrk

    gram = torch.zeros((dim, dim), dtype=torch.float64, device=device)
    for chunk in chunks:
        if device.type == "cpu":
            # One triangle, added in place: half the work of a product and no second d x d array. To BLAS,
            # which counts columns first, the transposed view is the matrix and its lower triangle ours.
            dsyrk(1.0, chunk.numpy().T, beta=1.0, c=gram.numpy().T, lower=1, overwrite_c=1)
        else:
            gram.addmm_(chunk.T, chunk)
    return gram


def _sum(grams: list[torch.Tensor], total: torch.Tensor) -> torch.Tensor:
    """Add up in order, into `total`."""
    total.copy_(grams[0])
    for gram in grams[1:]:
        total += gram
    return total


def _roots(gram: torch.Tensor, rows: int) -> Array:
    """Singular values (d,), descending, of a matrix of that many rows; its Gram matrix is overwritten.

    NaN if anything that was summed is not finite: the trace then is not either.
    """
    if not np.isfinite(float(gram.trace())):
        return np.full(len(gram), np.nan)
    values = np.sqrt(np.maximum(_eigenvalues(gram)[::-1], 0.0))
    values[rows:] = 0.0
    return values


def _eigenvalues(gram: torch.Tensor) -> Array:
    """Eigenvalues (d,), ascending, of a symmetric matrix given by its upper triangle, which is overwritten.

    On a CPU the fastest of the drivers at hand (LAPACK's ev, evr and evd through SciPy, torch) as measured on
    one thread: they differ by a few per cent, except that torch is faster by 1.2 on large matrices.
    """
    import torch
    from scipy.linalg import eigh

    if gram.device.type != "cpu" or len(gram) >= TORCH_EIGENVALUES:
        return torch.linalg.eigvalsh(gram, UPLO="U").cpu().numpy()
    options = {"eigvals_only": True, "overwrite_a": True, "check_finite": False, "driver": "ev"}
    return eigh(gram.numpy().T, lower=True, **options)
