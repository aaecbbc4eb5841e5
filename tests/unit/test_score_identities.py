"""Identities of Gaussian scores, with the signs that hold: Monte Carlo of exact scores against closed forms."""

import numpy as np
import pytest
import torch

from mmh.diffusion.schedule import Schedule
from mmh.oracles.exact import gaussian

VP = Schedule.linear_vp(0.1, 20.0)
D, N, T = 6, 100_000, 0.3


def _law(spread, mean, basis):
    """A Gaussian, the Hessian of its noised log-density, and draws of it."""
    covariance = basis @ np.diag(spread) @ basis.T
    noised = VP.psi(T) ** 2 * covariance + VP.sigma(T) ** 2 * np.eye(D)
    draws = np.random.default_rng(1).multivariate_normal(VP.psi(T) * mean, noised, N)
    return gaussian(mean, covariance, VP).model, -np.linalg.inv(noised), draws


def _scores(model, z):
    return model.score(torch.from_numpy(z), T).numpy()


def _agrees(draws, expected):
    assert abs(draws.mean() - expected) < 4 * draws.std() / N**0.5


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    bases = [np.linalg.qr(rng.standard_normal((D, D)))[0] for _ in range(2)]
    wide, narrow = np.geomspace(0.1, 3, D), np.geomspace(0.02, 1, D)
    means = rng.standard_normal((2, D)) * 0.5
    return _law(wide, means[0], bases[0]), _law(narrow, means[1], bases[1]), means


def test_a_score_and_its_hessian(pair):
    """E ||s||^2 = -tr H and E ||H s||^2 = -tr H^3."""
    model, H, z = pair[0]
    s = _scores(model, z)
    _agrees((s**2).sum(1), -np.trace(H))
    _agrees(((s @ H) ** 2).sum(1), -np.trace(H @ H @ H))


def test_a_score_difference_with_any_covariances(pair):
    """E_c ||s_c - s||^2 = ||H (mu - mu_c)||^2 - tr (H - H_c)^2 H_c^-1: the last term is positive."""
    (model, H, _), (given, H_c, z), means = pair
    difference = _scores(given, z) - _scores(model, z)
    gap = H @ (VP.psi(T) * (means[0] - means[1]))
    _agrees((difference**2).sum(1), gap @ gap - np.trace((H - H_c) @ (H - H_c) @ np.linalg.inv(H_c)))


def test_a_score_difference_and_its_hessian_that_commute():
    """Sums over eigenvalues of (l - l_c)^2 / |l_c| and (l - l_c)^4 / |l_c|; the paper prints them without | |."""
    basis = np.linalg.qr(np.random.default_rng(2).standard_normal((D, D)))[0]
    model, H, _ = _law(np.geomspace(0.1, 3, D), np.zeros(D), basis)
    given, H_c, z = _law(np.geomspace(0.02, 1, D), np.zeros(D), basis)
    one, other = np.diag(basis.T @ H @ basis), np.diag(basis.T @ H_c @ basis)
    difference = _scores(given, z) - _scores(model, z)
    _agrees((difference**2).sum(1), ((one - other) ** 2 / np.abs(other)).sum())
    _agrees(((difference @ (H_c - H)) ** 2).sum(1), ((one - other) ** 4 / np.abs(other)).sum())
