"""Closed-form scores against densities, quadrature and limits."""

import math

import numpy as np
import pytest
import torch

from mmh.diffusion.schedule import Schedule
from mmh.errors import InputError
from mmh.oracles.exact import EmpiricalMeasure, GaussianPart, Mixture, gaussian, random_mixture

SCHEDULES = [Schedule.linear_vp(0.1, 20.0), Schedule.cosine(1000), Schedule.edm(0.002, 5.0)]


def _covariance(d, seed=0):
    a = np.random.default_rng(seed).standard_normal((d, d))
    return a @ a.T / d


def _flipd_by_autograd(oracle, x, t):
    """D - sigma tr(d eps / dz) + |eps|^2 from a full Jacobian."""
    schedule, d = oracle.schedule, oracle.model.dim
    values = []
    for point in torch.as_tensor(x):
        z = (schedule.psi(t) * point)[None]
        eps = oracle.model.eps(z, t)
        jacobian = torch.autograd.functional.jacobian(lambda u: oracle.model.eps(u, t).flatten(), z)
        trace = jacobian.reshape(d, d).trace()
        values.append(float(d - schedule.sigma(t) * trace + eps.square().sum()))
    return np.array(values)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_gaussian_score_is_the_gradient_of_its_log_density(schedule):
    S, mu = _covariance(5), np.arange(5.0)
    oracle = gaussian(mu, S, schedule)
    t = 0.2
    psi, sigma = schedule.psi(t), schedule.sigma(t)
    law = torch.distributions.MultivariateNormal(
        torch.tensor(psi * mu), torch.tensor(psi**2 * S + sigma**2 * np.eye(5))
    )
    z = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)
    (score,) = torch.autograd.grad(law.log_prob(z).sum(), z)
    torch.testing.assert_close(oracle.model.score(z, t), score, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_gaussian_flipd_formula(schedule):
    d, t = 6, 0.1
    S, mu = _covariance(d), np.ones(d)
    x = np.random.default_rng(1).standard_normal((5, d))
    tau = (schedule.sigma(t) / schedule.psi(t)) ** 2
    inverse = np.linalg.inv(S + tau * np.eye(d))
    r = x - mu
    expected = d - tau * np.trace(inverse) + tau * np.einsum("ni,ij,nj->n", r, inverse @ inverse, r)
    oracle = gaussian(mu, S, schedule)
    np.testing.assert_allclose(oracle.flipd(x, t), expected, rtol=1e-9)
    np.testing.assert_allclose(_flipd_by_autograd(oracle, x, t), expected, rtol=1e-8)


def test_mixture_score_is_the_gradient_of_its_log_density():
    schedule, t = Schedule.cosine(1000), 0.3
    oracle = random_mixture([0, 1, 3], 4, schedule, seed=0, separation=1.0, weights=[0.2, 0.5, 0.3])
    psi, sigma = schedule.psi(t), schedule.sigma(t)
    laws = [
        torch.distributions.MultivariateNormal(
            psi * part.mean,
            psi**2 * (part.basis * part.variances) @ part.basis.T
            + sigma**2 * torch.eye(4, dtype=torch.float64),
        )
        for part in oracle.parts
    ]
    z = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    log_density = torch.stack(
        [law.log_prob(z) + math.log(w) for law, w in zip(laws, [0.2, 0.5, 0.3], strict=True)]
    ).logsumexp(0)
    (score,) = torch.autograd.grad(log_density.sum(), z)
    torch.testing.assert_close(oracle.model.score(z, t), score, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_mixture_and_empirical_flipd_agree_with_a_full_jacobian(schedule):
    random = np.random.default_rng(2)
    x = random.standard_normal((4, 5))
    for oracle in (
        random_mixture([1, 2, 4], 5, schedule, seed=1, separation=0.5),
        EmpiricalMeasure(random.standard_normal((20, 5)), schedule, weights=random.random(20)),
    ):
        for t in (0.3, 0.7):
            np.testing.assert_allclose(oracle.flipd(x, t), _flipd_by_autograd(oracle, x, t), rtol=1e-7)


def test_empirical_flipd_formula():
    schedule, t = SCHEDULES[0], 0.4
    random = np.random.default_rng(3)
    points, x = random.standard_normal((9, 3)), random.standard_normal((4, 3))
    tau = (schedule.sigma(t) / schedule.psi(t)) ** 2
    squared = ((x[:, None] - points) ** 2).sum(2)
    p = np.exp(-squared / (2 * tau))
    p /= p.sum(1, keepdims=True)
    oracle = EmpiricalMeasure(points, schedule)
    np.testing.assert_allclose(oracle.flipd(x, t), (p * squared).sum(1) / tau, rtol=1e-10)


def test_points_are_a_mixture_of_rank_zero():
    schedule, t = Schedule.edm(0.01, 3.0), 0.5
    points = np.random.default_rng(4).standard_normal((7, 3))
    parts = [GaussianPart.from_covariance(p, np.zeros((3, 3))) for p in points]
    a, b = EmpiricalMeasure(points, schedule), Mixture(parts, schedule)
    z = torch.randn(5, 3, dtype=torch.float64)
    torch.testing.assert_close(a.model.eps(z, t), b.model.eps(z, t), rtol=1e-9, atol=1e-12)
    assert [part.rank for part in parts] == [0] * 7


@pytest.mark.parametrize("rank", [0, 1, 4, 10])
def test_low_rank_reads_its_rank_as_the_noise_vanishes(rank):
    d = 10
    basis = np.linalg.qr(np.random.default_rng(5).standard_normal((d, d)))[0][:, :rank]
    oracle = gaussian(np.full(d, 3.0), basis @ basis.T, Schedule.edm(1e-5, 1.0))
    x, _ = oracle.sample(6, seed=0)
    np.testing.assert_allclose(oracle.flipd(x, 1e-9), rank, atol=1e-6)
    np.testing.assert_array_equal(oracle.lid(x), rank)


def test_each_component_of_a_mixture_reads_its_own_dimension():
    oracle = random_mixture([2, 5, 11], 20, Schedule.edm(1e-4, 1.0), seed=3)
    x, component = oracle.sample(60, seed=1)
    truth = np.array([2, 5, 11])[component]
    assert len(set(truth)) == 3
    np.testing.assert_array_equal(oracle.lid(x), truth)
    np.testing.assert_allclose(oracle.flipd(x, 1e-9), truth, atol=1e-3)


def test_the_perfect_memorizer_reads_zero_at_its_points():
    points = np.random.default_rng(6).standard_normal((12, 4))
    oracle = EmpiricalMeasure(points, SCHEDULES[0])
    np.testing.assert_allclose(oracle.flipd(points, 0.001), 0, atol=1e-9)
    np.testing.assert_array_equal(oracle.lid(points), 0)


def test_tiny_noise_is_finite_and_differentiable():
    schedule = Schedule.edm(1e-7, 1.0)
    random = np.random.default_rng(7)
    for oracle in (
        random_mixture([1, 3], 8, schedule, seed=2, separation=2.0),
        EmpiricalMeasure(random.standard_normal((30, 8)), schedule),
    ):
        z = torch.randn(3, 8, dtype=torch.float64, requires_grad=True)
        eps = oracle.model.eps(z, 1e-9)
        (gradient,) = torch.autograd.grad(eps.sum(), z)
        assert bool(eps.isfinite().all())
        assert bool(gradient.isfinite().all())


def test_samples_follow_the_law():
    oracle = random_mixture([3, 1], 6, SCHEDULES[0], seed=4, separation=1.0, weights=[3, 1])
    x, component = oracle.sample(20_000, seed=0)
    assert np.mean(component == 0) == pytest.approx(0.75, abs=5 * math.sqrt(0.1875 / 20_000))
    part = oracle.parts[0]
    covariance = np.cov(x[component == 0].T)
    np.testing.assert_allclose(covariance, (part.basis * part.variances) @ part.basis.T, atol=0.06)


def test_images():
    oracle = gaussian(np.zeros(16), np.eye(16), SCHEDULES[1], shape=(1, 4, 4))
    x, _ = oracle.sample(3, seed=0)
    assert x.shape == (3, 1, 4, 4)
    assert oracle.flipd(x, 0.1).shape == (3,)
    assert oracle.model.eps(torch.as_tensor(x), 0.1).shape == (3, 1, 4, 4)


def test_bad_input():
    with pytest.raises(InputError, match="symmetric"):
        gaussian(np.zeros(2), np.array([[1, 2], [0, 1.0]]), SCHEDULES[0])
    with pytest.raises(InputError, match="negative"):
        gaussian(np.zeros(2), np.diag([1.0, -1.0]), SCHEDULES[0])
    with pytest.raises(InputError, match="positive weights"):
        random_mixture([1, 1], 3, SCHEDULES[0], seed=0, weights=[1, 0])
    with pytest.raises(InputError, match="does not fit"):
        random_mixture([4], 3, SCHEDULES[0], seed=0)
    with pytest.raises(InputError, match="does not hold"):
        gaussian(np.zeros(2), np.eye(2), SCHEDULES[0], shape=(3,))
