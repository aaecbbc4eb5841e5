"""FLIPD: local intrinsic dimension from the divergence of a diffusion model's score.

FLIPD(x, t) = d + sigma^2 (tr grad s(psi x, t) + ||s(psi x, t)||^2)
            = d - sigma tr(d eps / d z) + ||eps||^2   at z = psi(t) x,

with no noise added to x and no division by sigma.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmh.compute.probes import Probe, check_probes, has_spread
from mmh.compute.rows import check_finite, check_items
from mmh.compute.shown import shown
from mmh.errors import InputError

if TYPE_CHECKING:
    import torch

    from mmh.diffusion.score_model import ScoreModel

Array = NDArray[np.float64]
Mode = Literal["reverse", "forward"]
MODES = ("reverse", "forward")
BATCH_SIZE = 64


@dataclass(frozen=True)
class FlipdEstimate:
    """FLIPD and its parts, in units of dimensions.

    Attributes
    ----------
    value : numpy.ndarray
        float64 (n,), d - trace + squared_norm; never clipped: it may be negative or above d.
    stderr : numpy.ndarray or None
        float64 (n,), standard error of `trace` over the probes; None for one probe or an exact trace.
    trace : numpy.ndarray
        float64 (n,), sigma tr(d eps / d z).
    squared_norm : numpy.ndarray
        float64 (n,), ||eps||^2.
    probes : int or None
        Number of probes, None for an exact trace.
    retried : int
        Samples whose half-precision result was not finite and which were computed again in float32.
    """

    value: Array
    stderr: Array | None
    trace: Array
    squared_norm: Array
    probes: int | None
    retried: int = 0

    def __repr__(self) -> str:
        return shown(type(self).__name__, **vars(self))


def flipd(
    model: ScoreModel,
    x: ArrayLike | torch.Tensor,
    t: float,
    *,
    probes: int | None = 1,
    probe: Probe = "rademacher",
    seed: int = 0,
    ids: ArrayLike | None = None,
    batch_size: int | None = BATCH_SIZE,
    mode: Mode = "reverse",
    compile: bool = False,
) -> Array:
    """Estimate LID at clean samples by FLIPD: d - sigma tr(d eps / d z) + ||eps||^2 at z = psi(t) x.

    The values of `flipd_estimate`, which gives standard errors too and says how the trace is taken.

    Parameters
    ----------
    model : ScoreModel
        With conditioning rows, if any, in the order of `x`.
    x : array_like or torch.Tensor
        Clean samples (n, *shape) on the model's scale, floating point; no noise is added to them.
    t : float
        Noise time t0 in (0, 1]; docs/estimators.md says how to choose it.
    probes : int or None
        Number of Hutchinson probes, one backward pass each; None for the exact trace, d of them.
    probe : {"gaussian", "rademacher", "orthogonal", "hutch++", ...}
        Law of the probes; see `flipd_estimate` for all.
    seed : int
        Root seed of the probes.
    ids : array_like of int, optional
        Ids of the samples, (n,), that probes are keyed by; 0..n-1 by default.
    batch_size : int or None
        Rows of a batch, part of what the last bits depend on; None for what memory holds.
    mode : {"reverse", "forward"}
        Vector-Jacobian or Jacobian-vector products.
    compile : bool
        Pass the network to ``torch.compile`` (reverse mode only).

    Returns
    -------
    numpy.ndarray
        float64 (n,), in dimensions; small means memorized. Never clipped: it may be negative or above d.

    Raises
    ------
    InputError
        If an argument is out of range, or a result is not finite (the message names the ids).

    References
    ----------
    Kamkari et al. 2024, "A Geometric View of Data Complexity: Efficient Local Intrinsic Dimension Estimation
    with Diffusion Models" (arXiv:2406.03537).

    Examples
    --------
    >>> schedule = Schedule.cosine(1000)
    >>> point = lambda z, t: z / schedule.sigma(t)  # the exact noise of a law that is one point
    >>> model = ScoreModel.from_function(point, (4,), schedule)
    >>> abs(flipd(model, np.zeros((1, 4)), 0.05, probes=None)) < 1e-5
    array([ True])
    """
    return flipd_estimate(
        model,
        x,
        t,
        probes=probes,
        probe=probe,
        seed=seed,
        ids=ids,
        batch_size=batch_size,
        mode=mode,
        compile=compile,
    ).value


def flipd_estimate(
    model: ScoreModel,
    x: ArrayLike | torch.Tensor,
    t: float,
    *,
    probes: int | None = 1,
    probe: Probe = "rademacher",
    seed: int = 0,
    ids: ArrayLike | None = None,
    batch_size: int | None = BATCH_SIZE,
    mode: Mode = "reverse",
    compile: bool = False,
) -> FlipdEstimate:
    """Estimate FLIPD(x, t) = d - sigma tr(d eps / d z) + ||eps||^2 at z = psi(t) x.

    The trace is taken in reverse mode: one forward pass, then one vector-Jacobian product per probe on its
    graph; or in forward mode. A value depends on (seed, id) and not on the other samples: probes are keyed by
    (seed, id, probe index), every batch has `batch_size` rows, and id i is computed in row
    ``i % batch_size``. With the same batch size, device and number of threads it repeats bit by bit however
    the samples are cut or ordered; contiguous ids cut at multiples of `batch_size` waste no row.

    Sums are taken in float64. Where a half-precision network gives something that is not finite, the sample
    is computed again by a float32 copy of the network. TF32 is off meanwhile.

    Parameters
    ----------
    model : ScoreModel
        With conditioning rows, if any, in the order of `x`.
    x : array_like or torch.Tensor
        Clean samples (n, *shape) on the model's scale, floating point.
    t : float
        Noise time t0 in (0, 1].
    probes : int or None
        Number of Hutchinson probes; None for the exact trace by d unit probes.
    probe : {"gaussian", "rademacher", "orthogonal", "hutch++", ...}
        Law of the probes; orthogonal ones are sqrt(d) times orthonormal, at most d of them. "hutch++" takes
        2 (probes // 3) products for an exact trace over a subspace that J fills most, and the rest as
        Rademacher probes of what is left; its standard error is the spread of those, given the subspace, and
        needs two of them (probes >= 4). "hutch++-complement" does so with I - sigma J, whose rank is LID,
        "hutch++-diagonal" with that less an estimate of its diagonal, and "xtrace-complement" is XTrace of
        it: an even number of products, half of them probes that take turns.
    seed : int
        Root seed of the probes.
    ids : array_like of int, optional
        Ids of the samples, (n,); 0..n-1 by default.
    batch_size : int or None
        Rows of a batch; part of what the last bits depend on. None: 64 on a CPU; elsewhere what free memory
        holds, halved when memory runs out, so that last bits may differ between runs.
    mode : {"reverse", "forward"}
        Vector-Jacobian products, or Jacobian-vector products by dual numbers: less memory, but a whole
        forward pass per probe, and attention by its formula.
    compile : bool
        Pass the network to ``torch.compile`` (reverse mode only). It pays from some hundred batches on.

    Returns
    -------
    FlipdEstimate
        Values, standard errors and parts.

    Raises
    ------
    InputError
        If an argument is out of range, or a result is not finite (the message names the ids).
    """
    from mmh.compute.memory import in_batches
    from mmh.compute.trace import noise_traces
    from mmh.diffusion.variants import variant

    samples, numbers = check_items(model, x, ids)
    check_probes(probes, probe, model.dim)
    if mode not in MODES:
        raise InputError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
    if compile and mode == "forward":
        raise InputError("compile=True needs mode='reverse': compiled code has no forward-mode derivative")
    if batch_size is not None and batch_size < 1:
        raise InputError(f"batch_size must be positive, got {batch_size}")
    options: dict[str, Any] = {"probes": probes, "probe": probe, "seed": seed, "mode": mode}

    def plain(score: ScoreModel, rows: NDArray[np.int64]) -> dict[str, Array]:
        return noise_traces(score.select(rows), samples[rows], numbers[rows], t, **options)

    def compiled(score: ScoreModel, rows: NDArray[np.int64]) -> dict[str, Array]:
        return plain(variant(score, compiled=True), rows)

    def trial(rows: int) -> object:  # not compiled, which would take minutes for each number of rows
        return plain(model, np.arange(rows) % len(samples))

    found = in_batches(
        model,
        compiled if compile else plain,
        numbers,
        batch_size=batch_size,
        on_cpu=BATCH_SIZE,
        trial=trial,
    )
    parts = found.arrays or dict.fromkeys(("trace", "squared_norm", "variance"), np.zeros(0))
    trace, norms, variance = (parts[name] for name in ("trace", "squared_norm", "variance"))
    value = model.dim - trace + norms
    check_finite(np.isfinite(value), numbers, f"FLIPD at t={t} is not finite")
    stderr = np.sqrt(variance) if has_spread(probes, probe) else None
    return FlipdEstimate(value, stderr, trace, norms, probes, found.retried)
