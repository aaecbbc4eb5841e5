"""Spectra of the log-density's Hessian against closed forms, dense eigenvalues and finite differences."""

import numpy as np
import pytest
import torch

from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.hessian import hessian_geometry
from mmh.hessian.operators import (
    check_differentiable,
    difference_product,
    dual_product,
    transpose_product,
)
from mmh.hessian.recurrence import arnoldi, symmetric_ritz
from mmh.lid import flipd_estimate
from mmh.oracles.exact import EmpiricalMeasure, gaussian, random_mixture
from mmh.oracles.spheres import Sphere

VP = Schedule.linear_vp(0.1, 20.0)
D = 12


def _network(dim=D, dtype=torch.float64, width=48, rough=0.5):
    """Normal and tangent directions, and a small network with LayerNorm and attention on top.

    Its Jacobian is not symmetric, the less so the less `rough` it is.
    """
    torch.manual_seed(0)

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.into, self.out = torch.nn.Linear(dim, width), torch.nn.Linear(width, dim)
            self.norm = torch.nn.LayerNorm(width // 4)
            self.attention = torch.nn.Linear(width // 4, 3 * width // 4)
            basis = torch.linalg.qr(torch.randn(dim, dim))[0]
            self.linear = torch.nn.Parameter(basis @ torch.diag(torch.linspace(0, 1, dim).sqrt()) @ basis.T)

        def forward(self, z, t):
            h = self.norm(torch.nn.functional.silu(self.into(z)).unflatten(1, (4, width // 4)))
            q, k, v = self.attention(h).unsqueeze(1).chunk(3, dim=-1)
            h = h + torch.nn.functional.scaled_dot_product_attention(q, k, v)[:, 0]
            return z @ self.linear / VP.sigma(t) + rough * self.out(h.flatten(1))

    return ScoreModel.from_function(Network().to(dtype), (dim,), VP)


def _jacobians(model, x, t):
    z = VP.psi(t) * torch.as_tensor(x)
    whole = torch.autograd.functional.jacobian(lambda y: model.eps(y, t), z.to(model.dtype))
    return torch.stack([whole[i, :, i] for i in range(len(x))]).double()


def _points(n, dim=D, seed=1):
    return np.random.default_rng(seed).standard_normal((n, dim))


def test_the_spectrum_of_a_gaussian_is_its_closed_form():
    """H = -(psi^2 S + sigma^2)^-1, so a = sigma^2 / (psi^2 s + sigma^2); and all that follows from it."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((D, D)))[0]
    spread = np.r_[np.zeros(5), np.geomspace(0.01, 4.0, D - 5)]
    oracle, t = gaussian(np.zeros(D), basis @ np.diag(spread) @ basis.T, VP), 0.2
    psi, sigma = VP.psi(t), VP.sigma(t)
    a = sigma**2 / (psi**2 * spread + sigma**2)
    x = oracle.sample(3, 0)[0]
    dense = hessian_geometry(oracle.model, x, t, steps=None)
    np.testing.assert_allclose(dense.nodes[:, 0], np.broadcast_to(np.sort(a), (3, D)), atol=1e-9)
    np.testing.assert_allclose(dense.trace().value, a.sum())
    np.testing.assert_allclose(dense.lid_trace().value, D - a.sum())
    np.testing.assert_allclose(dense.lambda_min().value, -1 / sigma**2)
    np.testing.assert_allclose(dense.lambda_max().value, -a.min() / sigma**2)
    for c in (0.25, 0.5):
        f = 1 / (1 + (a / c) ** 4)
        np.testing.assert_allclose(dense.lhsd(c).value, f.sum())
        np.testing.assert_allclose(
            dense.lhsd(c, corrected=True).value, ((f - 1 / (1 + c**-4)) / (1 - 1 / (1 + c**-4))).sum()
        )
        np.testing.assert_allclose(dense.share(c).value, (a > c).mean())
    assert (dense.error_share().value == 0).all()
    assert np.isnan(dense.trace().stderr).all()
    assert dense.asymmetry().value.max() < 1e-12
    # A Krylov space of all d dimensions holds what the dense matrix does; each probe breaks down on its own.
    for method in ("symmetrised-arnoldi", "lanczos-jvp", "lanczos-difference", "arnoldi"):
        found = hessian_geometry(oracle.model, x, t, steps=D, probes=3, method=method)
        np.testing.assert_allclose(found.lambda_min().value, dense.lambda_min().value, rtol=1e-5)
        np.testing.assert_allclose(found.lambda_max().value, dense.lambda_max().value, rtol=1e-4)


@pytest.mark.parametrize("probe", ["gaussian", "rademacher", "orthogonal"])
@pytest.mark.parametrize("probes", [1, 3])
def test_its_trace_is_flipds_with_the_same_probes(probe, probes):
    model, x, ids = _network(dtype=torch.float32), _points(5), [7, 3, 11, 4, 900]
    how = {"probes": probes, "probe": probe, "seed": 5, "ids": ids, "batch_size": 4}
    expected = flipd_estimate(model, x, 0.05, **how)
    for method in ("symmetrised-arnoldi", "arnoldi"):
        found = hessian_geometry(model, x, 0.05, steps=3, method=method, **how)
        np.testing.assert_allclose(found.trace().value, expected.trace, rtol=1e-12)
        np.testing.assert_allclose(found.flipd().value, expected.value, rtol=1e-12)
        if probes > 1:
            np.testing.assert_allclose(found.trace().stderr, expected.stderr, rtol=1e-9)
        else:
            assert np.isnan(found.trace().stderr).all()
    lanczos = hessian_geometry(model, x, 0.05, steps=3, method="lanczos-jvp", **how)
    np.testing.assert_allclose(lanczos.trace().value, expected.trace, rtol=1e-4)


def test_ritz_values_lie_within_the_symmetric_spectrum_and_reach_it():
    """At d = 64 against eigh: m = 64 is exact, m = 20 near the ends, and no Ritz value is outside."""
    model, x, t = _network(64, width=96, rough=0.2), _points(6, 64), 0.1
    J = VP.sigma(t) * _jacobians(model, x, t).numpy()
    a = np.linalg.eigvalsh((J + J.transpose(0, 2, 1)) / 2)
    dense = hessian_geometry(model, x, t, steps=None)
    np.testing.assert_allclose(dense.nodes[:, 0], a, atol=1e-10)
    skew = np.linalg.norm(J - J.transpose(0, 2, 1), axis=(1, 2)) / np.linalg.norm(
        J + J.transpose(0, 2, 1), axis=(1, 2)
    )
    np.testing.assert_allclose(dense.asymmetry().value, skew)
    assert skew.min() > 0.02
    for method, bar in (("symmetrised-arnoldi", 0.02), ("lanczos-jvp", 5e-3), ("lanczos-difference", 5e-3)):
        found = hessian_geometry(model, x, t, steps=20, probes=1, method=method)
        assert found.nodes.max() <= a.max() + 1e-4
        assert np.median(np.abs(found.nodes.max((1, 2)) - a[:, -1])) <= bar
        assert np.median(np.abs(found.nodes.min((1, 2)) - a[:, 0])) <= bar
    for method in ("symmetrised-arnoldi", "lanczos-jvp"):
        found = hessian_geometry(model, x, t, steps=64, probes=1, method=method)
        np.testing.assert_allclose(found.nodes[:, 0], a, atol=1e-8)


def test_plain_arnoldi_gives_the_eigenvalues_of_the_jacobian_itself():
    model, x, t = _network(), _points(3), 0.1
    J = VP.sigma(t) * _jacobians(model, x, t).numpy()
    found = hessian_geometry(model, x, t, steps=D, probes=1, method="arnoldi")
    np.testing.assert_allclose(found.nodes[:, 0], np.sort(np.linalg.eigvals(J).real, axis=1), atol=1e-6)


def test_quadrature_is_unbiased_and_its_standard_error_is_right():
    """Over many ids at one point: mean of LHSD, trace and share, and their spread against what is said."""
    model, t, n = _network(), 0.1, 400
    x = np.repeat(_points(1), n, axis=0)
    dense = hessian_geometry(model, x[:1], t, steps=None)
    found = hessian_geometry(model, x, t, steps=D, probes=4, probe="gaussian", batch_size=200)
    for name in ("trace", "lhsd", "share"):
        reading, truth = getattr(found, name)(), getattr(dense, name)().value[0]
        spread = reading.value.std(ddof=1)
        assert abs(reading.value.mean() - truth) < 4 * spread / n**0.5
        assert np.sqrt((reading.stderr**2).mean()) == pytest.approx(spread, rel=0.2)


def test_a_recurrence_breaks_down_by_itself():
    """Three distinct eigenvalues end it after three steps; the rows beside it go on."""
    torch.manual_seed(0)
    basis = torch.linalg.qr(torch.randn(D, D, dtype=torch.float64))[0]
    few = basis @ torch.diag(torch.tensor([1.0] * 4 + [2.0] * 4 + [5.0] * 4, dtype=torch.float64)) @ basis.T
    many = basis @ torch.diag(torch.arange(1.0, D + 1, dtype=torch.float64)) @ basis.T
    zero = torch.zeros(D, D, dtype=torch.float64)
    whole = torch.stack([few, many, zero])
    found = arnoldi(
        lambda v: torch.einsum("nij,nj->ni", whole, v),
        torch.randn(3, D, dtype=torch.float64),
        6,
        rounding=1e-15,
    )
    assert found.sizes.tolist() == [3, 6, 1]
    ritz = symmetric_ritz(found)
    np.testing.assert_allclose(np.unique(ritz.nodes[0].round(9)), [1, 2, 5])
    np.testing.assert_allclose(ritz.weights.sum(1), 1)
    np.testing.assert_array_equal(ritz.weights[0, 3:], 0)
    np.testing.assert_array_equal(ritz.nodes[2], 0)


LAWS = {
    "lollipop": (random_mixture([0, 1, 2], 8, VP, seed=0, separation=6.0), 0.03),
    "sphere": (Sphere(20, 100, VP, radius=4.5, seed=0), 0.1),
    "subspaces": (random_mixture([10, 25, 50], 100, VP, seed=0, separation=0.0), 0.03),
    "memorizer": (EmpiricalMeasure(np.random.default_rng(0).standard_normal((100, 20)), VP), 0.03),
}


def _drawn(oracle, n):
    """Points of a law, and the dimension of the part that each was drawn from."""
    if isinstance(oracle, EmpiricalMeasure):
        return oracle.points.numpy()[:n], np.zeros(n)
    x, component = oracle.sample(n, 0)
    if isinstance(oracle, Sphere):
        return x, np.full(n, 20.0)
    return x, np.array([part.rank for part in oracle.parts], dtype=float)[component]


@pytest.mark.parametrize("law", LAWS)
def test_lhsd_counts_dimensions_of_exact_scores(law):
    """At c = .25 within half a dimension by all eigenvalues; three products and 64 probes give the same."""
    oracle, t = LAWS[law]
    x, lid = _drawn(oracle, 12)
    dense = hessian_geometry(oracle.model, x, t, steps=None)
    assert np.abs(dense.lhsd(0.25).value - lid).mean() < 0.5
    assert np.abs(dense.lhsd(0.25, corrected=True).value - lid).mean() < 0.1
    found = hessian_geometry(oracle.model, x, t, steps=3, probes=64, probe="gaussian").lhsd(0.25)
    assert np.abs(found.value - dense.lhsd(0.25).value).max() < 4 * found.stderr.max() + 0.1


def test_a_value_depends_on_seed_and_id_alone():
    model, x = _network(dtype=torch.float32), _points(9)
    how = {"steps": 4, "noised": True, "batch_size": 4, "asymmetry": True}
    whole = hessian_geometry(model, x, 0.1, **how)
    order = np.array([8, 2, 5])
    part = hessian_geometry(model, x[order], 0.1, ids=order, **how)
    for name in ("traces", "nodes", "weights", "asymmetries", "squared_norm"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[order])
    clean = hessian_geometry(model, x, 0.1, **(how | {"noised": False}))
    assert not np.isclose(clean.traces, whole.traces).any()
    assert not np.isclose(hessian_geometry(model, x, 0.1, seed=1, **how).traces, whole.traces).any()


def test_products_agree_with_finite_differences_in_float64():
    """J^T v, J v by dual numbers and by a central difference, each to 1e-5; LayerNorm and attention inside."""
    model, t = _network(), 0.3
    z = torch.as_tensor(_points(4)).requires_grad_(True)
    eps = model.eps(z, t)
    u, v = torch.as_tensor(_points(4, seed=2)), torch.as_tensor(_points(4, seed=3))
    h = 1e-5
    with torch.no_grad():
        Jv = (model.eps(z + h * v, t) - model.eps(z - h * v, t)) / (2 * h)
    back = transpose_product(eps, z)(u)
    torch.testing.assert_close((back * v).sum(1), (u * Jv).sum(1), rtol=1e-7, atol=1e-8)
    dual = dual_product(lambda y: model.eps(y, t), z, model.module)(v)
    torch.testing.assert_close(dual, Jv, rtol=1e-6, atol=1e-7)
    moved = difference_product(lambda y: model.eps(y, t), z)(v)
    assert (moved - Jv).norm() / Jv.norm() < 1e-3


def test_asymmetry_of_a_probe_is_that_of_the_matrix():
    model, x, t = _network(), _points(3), 0.2
    J = _jacobians(model, x, t)
    found = hessian_geometry(model, x, t, steps=1, probes=1, asymmetry=True, seed=3)
    from mmh.compute.probes import Probes

    v = torch.from_numpy(Probes(1, "rademacher", 3, np.arange(3), D).next()).double()
    one, other = torch.einsum("nij,nj->ni", J, v), torch.einsum("nji,nj->ni", J, v)
    expected = (one - other).norm(dim=1) / (one + other).norm(dim=1)
    np.testing.assert_allclose(found.asymmetry().value, expected, rtol=1e-3)


def test_what_does_not_fit_is_said_in_one_line():
    model, x = _network(), _points(2)
    for wrong, message in (
        ({"steps": 13}, "m must be 1..d=12"),
        ({"steps": 0}, "m must be 1..d=12"),
        ({"method": "power"}, "method must be one of symmetrised-arnoldi"),
        ({"probe": "hutch++"}, "gaussian, rademacher or orthogonal"),
        ({"probe": "orthogonal", "probes": 13}, "at most d=12 orthogonal probes"),
    ):
        with pytest.raises(InputError, match=message):
            hessian_geometry(model, x, 0.1, **wrong)
    with pytest.raises(InputError, match="dense Jacobian is for d <= 256"):
        hessian_geometry(gaussian(np.zeros(300), np.eye(300), VP).model, np.zeros((1, 300)), 0.1, steps=None)
    detached = ScoreModel.from_function(lambda z, t: z.detach() * 1.0, (D,), VP, dtype=torch.float64)
    with pytest.raises(InputError, match="has no derivative with respect to its input"):
        hessian_geometry(detached, x, 0.1)
    undefined = ScoreModel.from_function(lambda z, t: z / (z - z), (D,), VP, dtype=torch.float64)
    with pytest.raises(InputError, match=r"spectrum of the Jacobian at t=0\.1 is not finite: id 0, 1"):
        hessian_geometry(undefined, x, 0.1)
    with pytest.raises(InputError, match="bfloat16 noises is rounding"):
        hessian_geometry(_network(dtype=torch.bfloat16), x, 0.1, method="lanczos-difference")
    quantized = torch.nn.Linear(2, 2)
    quantized.weight = torch.nn.Parameter(torch.zeros(2, 2, dtype=torch.int8), requires_grad=False)
    with pytest.raises(InputError, match=r"quantized \(int8\)"):
        check_differentiable(quantized)
    with pytest.raises(InputError, match="compiled"):
        check_differentiable(torch.compile(torch.nn.Linear(2, 2)))


def test_half_precision_that_overflows_is_computed_again_in_float32():
    class Steep(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = torch.nn.Parameter(torch.tensor(900.0))

        def forward(self, z, t):
            return torch.sinh(z) * self.factor

    half = ScoreModel.from_function(Steep().half(), (D,), VP)
    x = np.stack([np.full(D, 0.1), np.full(D, 8.0)])
    found = hessian_geometry(half, x, 0.001, steps=3)
    assert np.isfinite(found.nodes).all()
