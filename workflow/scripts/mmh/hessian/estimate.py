"""Geometry of the log-density at items, batch by batch: Krylov recurrences, or the dense Jacobian."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from mmh.compute import rng
from mmh.compute.attention import full_float32
from mmh.compute.memory import all_finite, in_batches
from mmh.compute.network_cost import LARGEST_JACOBIAN
from mmh.compute.probes import SKETCHES, Probes, check_probes
from mmh.compute.rows import check_finite, check_items, fast_layout
from mmh.errors import InputError
from mmh.hessian.geometry import Array, Geometry
from mmh.hessian.operators import (
    STEP,
    Product,
    check_differentiable,
    dense_jacobian,
    difference_product,
    dual_product,
    transpose_product,
)
from mmh.hessian.recurrence import arnoldi, plain_ritz, symmetric_ritz

if TYPE_CHECKING:
    from mmh.diffusion.score_model import ScoreModel

Method = Literal["symmetrised-arnoldi", "lanczos-jvp", "lanczos-difference", "arnoldi"]
METHODS = ("symmetrised-arnoldi", "lanczos-jvp", "lanczos-difference", "arnoldi")
BATCH_SIZE = 64
NOISE = "hessian-noise"


def hessian_geometry(
    model: ScoreModel,
    x: ArrayLike | torch.Tensor,
    t: float,
    *,
    steps: int | None = 5,
    probes: int = 2,
    probe: Literal["gaussian", "rademacher", "orthogonal"] = "rademacher",
    method: Method = "symmetrised-arnoldi",
    noised: bool = False,
    asymmetry: bool = False,
    difference: float = STEP,
    seed: int = 0,
    ids: ArrayLike | None = None,
    batch_size: int | None = BATCH_SIZE,
    places: ArrayLike | None = None,
) -> Geometry:
    """Take the spectrum of sigma sym(d eps / d z) at z = psi x, or psi x + sigma n, by a Krylov pass.

    A value depends on (seed, id) alone, as those of `mmh.lid.flipd.flipd_estimate` do, and takes the same
    probes. Recurrences are in float64; products in the network's dtype.

    Parameters
    ----------
    model : ScoreModel
        With conditioning rows, if any, in the order of `x`.
    x : array_like or torch.Tensor
        Clean samples (n, *shape), floating point.
    t : float
        Noise time in (0, 1].
    steps : int or None
        m, products of each probe, 1..d; None: the dense Jacobian by d products (d at most 256), exact.
    probes : int
        Starting vectors of each row.
    probe : {"gaussian", "rademacher", "orthogonal"}
        Their law, as for FLIPD.
    method : str
        ``symmetrised-arnoldi``: Arnoldi on J^T by backward passes alone, its projection symmetrised.
        ``lanczos-jvp``, ``lanczos-difference``: on (J + J^T)/2, with J v by a dual-number pass or a central
        difference. ``arnoldi``: eigenvalues of the projection itself, the paper's.
    noised : bool
        Add sigma n, one standard normal n for each id, instead of asking at the scaled clean sample.
    asymmetry : bool
        Take ||(J - J^T) v|| / ||(J + J^T) v|| too: a central difference for each probe, but with the
        ``lanczos`` methods, which have it.
    difference : float
        Displacement of central differences.
    seed, ids, batch_size
        As for `mmh.lid.flipd.flipd_estimate`.
    places : array_like of int, optional
        (n,), numbers that say the rows of batches, as ids do by default: of ids with gaps, their places in
        the set, which fill the batches.

    Returns
    -------
    Geometry

    Raises
    ------
    InputError
        If an argument is out of range, the network has no derivative, or a result is not finite.
    """
    samples, numbers = check_items(model, x, ids)
    check_arguments(model.dim, steps, probes, probe, method)
    check_differentiable(model.module)
    psi, sigma = float(model.schedule.psi(float(t))), float(model.schedule.sigma(float(t)))

    def batch(score: ScoreModel, rows: NDArray[np.int64]) -> dict[str, Array]:
        bound, keys = score.select(rows), numbers[rows]
        with torch.inference_mode(False), torch.enable_grad(), full_float32():
            points = psi * samples[rows]
            if noised:
                points = points + sigma * rng.normal(seed, NOISE, keys.tolist(), model.shape).double()
            z = fast_layout(points.to(device=score.device, dtype=score.dtype), score.module).requires_grad_(
                True
            )
            eps = bound.eps(z, t)
            transpose = transpose_product(eps, z)
            if steps is None:
                found = dense_parts(transpose, len(rows), model.dim, sigma, z.device)
            else:
                how: dict[str, Any] = {"asymmetry": asymmetry, "method": method, "dtype": score.dtype}
                forward = None
                if method == "lanczos-jvp":
                    forward = dual_product(lambda y: bound.eps(y, t), z, score.module)
                elif method == "lanczos-difference" or asymmetry:
                    forward = difference_product(lambda y: bound.eps(y, t), z, step=difference)
                vectors = Probes(probes, probe, seed, keys, model.dim)
                starts = [torch.from_numpy(vectors.next()).to(z.device) for _ in range(probes)]
                found = krylov_parts(transpose, forward, starts, steps, sigma, **how)
            norms = eps.detach().double().flatten(1).square().sum(1)
        return {**found, "squared_norm": norms.cpu().numpy()}

    lines = numbers if places is None else np.asarray(places, dtype=np.int64)
    found = in_batches(model, batch, lines, batch_size=batch_size, on_cpu=BATCH_SIZE).arrays
    if not found:
        found = {name: np.zeros((0, 1, 1)) for name in ("nodes", "weights")}
        found |= {"traces": np.zeros((0, 1)), "squared_norm": np.zeros(0)}
    finite = all_finite({name: found[name] for name in ("nodes", "traces")})
    check_finite(finite, numbers, f"the spectrum of the Jacobian at t={t} is not finite")
    return Geometry(
        dim=model.dim,
        sigma=sigma,
        traces=found["traces"],
        nodes=found["nodes"],
        weights=found["weights"],
        squared_norm=found["squared_norm"],
        asymmetries=found.get("asymmetries"),
        dense=steps is None,
        # Drawn without replacement: with d of them the trace is exact.
        correction=1.0 - probes / model.dim if probe == "orthogonal" and steps is not None else 1.0,
    )


def check_arguments(dim: int, steps: int | None, probes: int, probe: str, method: str = METHODS[0]) -> None:
    """Raise `InputError` unless so many products and probes exist in `dim` dimensions."""
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if probe in SKETCHES or probes is None:
        raise InputError("a Krylov pass starts from gaussian, rademacher or orthogonal probes")
    check_probes(probes, probe, dim)
    if steps is None and dim > LARGEST_JACOBIAN:
        raise InputError(
            f"the dense Jacobian is for d <= {LARGEST_JACOBIAN}, here d={dim}; name a number of products"
        )
    if steps is not None and not 1 <= steps <= dim:
        raise InputError(f"m must be 1..d={dim}, got {steps}: a Krylov space has at most d dimensions")


def krylov_parts(
    transpose: Product,
    forward: Product | None,
    starts: list[torch.Tensor],
    steps: int,
    sigma: float,
    *,
    method: str = "symmetrised-arnoldi",
    asymmetry: bool = False,
    dtype: torch.dtype = torch.float32,
) -> dict[str, Array]:
    """Arrays of `Geometry` by one recurrence from each probe.

    Parameters
    ----------
    transpose, forward : callable
        v to J^T v and to J v, float64 (n, d); the latter where the method or the asymmetry needs it.
    starts : list of torch.Tensor
        (n, d) of each probe.
    steps : int
        m.
    sigma : float
        Noise level.
    method, asymmetry
        As for `hessian_geometry`.
    dtype : torch.dtype
        Of the network: probes are rounded to it, and it says what a breakdown is.

    Returns
    -------
    dict of str to ndarray
        `traces` (n, p), `nodes` and `weights` (n, p, m), `asymmetries` (n, p) where asked for.
    """
    columns: dict[str, list[Array]] = {"traces": [], "nodes": [], "weights": []}
    lanczos = method.startswith("lanczos")
    rounding = torch.finfo(dtype).eps

    def symmetric(v: torch.Tensor) -> torch.Tensor:
        assert forward is not None
        return (forward(v) + transpose(v)) / 2

    for vector in starts:
        start = vector.to(dtype).double()  # both sides of the quadratic form are the vector that is asked
        found = arnoldi(symmetric if lanczos else transpose, start, steps, rounding=rounding)
        ritz = (plain_ritz if method == "arnoldi" else symmetric_ritz)(found)
        columns["traces"].append(sigma * (start * found.first).sum(1).cpu().numpy())
        columns["nodes"].append(sigma * ritz.nodes)
        columns["weights"].append(ritz.weights)
        if asymmetry:
            assert forward is not None
            # Of Lanczos' first product only the sum is kept: J v is taken anew, beside the other.
            one, other = forward(start), found.first if not lanczos else transpose(start)
            skew = (one - other).norm(dim=1) / (one + other).norm(dim=1)
            columns.setdefault("asymmetries", []).append(skew.cpu().numpy())
    return {name: np.stack(values, axis=1) for name, values in columns.items()}


def dense_parts(transpose: Product, n: int, dim: int, sigma: float, device: torch.device) -> dict[str, Array]:
    """Arrays of `Geometry` from the whole Jacobian: its eigenvalues with weights 1 / d."""
    matrices = dense_jacobian(transpose, n, dim, device).cpu().numpy()
    nodes = np.full((n, 1, dim), np.nan)
    finite = np.isfinite(matrices).all(axis=(1, 2))
    turned = matrices.transpose(0, 2, 1)
    nodes[finite, 0] = sigma * np.linalg.eigvalsh((matrices + turned)[finite] / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        skew = np.linalg.norm(matrices - turned, axis=(1, 2)) / np.linalg.norm(matrices + turned, axis=(1, 2))
    return {
        "traces": sigma * np.trace(matrices, axis1=1, axis2=2)[:, None],
        "nodes": nodes,
        "weights": np.full((n, 1, dim), 1.0 / dim),
        "asymmetries": skew[:, None],
    }
