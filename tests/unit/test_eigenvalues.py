"""Eigenvalues of the log-density's Hessian: oracles, ids and batches, and the estimator that they make."""

import numpy as np
import pytest
import torch

from mmh.compute import rng
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.hessian.estimate import NOISE, hessian_geometry
from mmh.hessian.geometry import beyond
from mmh.lid.flipd import flipd_estimate
from mmh.oracles.exact import gaussian, random_mixture

VP = Schedule.linear_vp(0.1, 20.0)


def hessian_eigenvalues(model, x, t, *, noised=True, **options):
    """All a of each item, falling, as the estimator `eigenvalues` takes them."""
    return hessian_geometry(model, x, t, steps=None, noised=noised, **options).nodes[:, 0, ::-1]


@pytest.mark.parametrize("t", [0.05, 0.9])
def test_of_a_gaussian_they_are_those_of_its_covariance(t):
    """H = -(psi^2 C + sigma^2)^-1 wherever it is asked, and a = sigma^2 / (psi^2 c + sigma^2)."""
    spread = np.array([0.0, 0.0, 0.3, 1.0, 2.0])
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    oracle = gaussian(np.zeros(5), turned @ np.diag(spread) @ turned.T, VP)
    found = hessian_eigenvalues(oracle.model, np.random.default_rng(1).normal(size=(3, 5)), t, batch_size=2)
    psi, sigma = VP.psi(t), VP.sigma(t)
    np.testing.assert_allclose(found, np.tile(sigma**2 / (psi**2 * spread + sigma**2), (3, 1)), rtol=1e-7)


def test_no_exact_score_passes_the_line_and_their_sum_is_the_trace():
    oracle = random_mixture([0, 2, 5], 9, VP, seed=0, separation=1.5)
    x, _ = oracle.sample(20, seed=0)
    for t in (0.03, 0.3, 0.95):
        found = hessian_eigenvalues(oracle.model, x, t, noised=False, batch_size=7)
        assert (np.diff(found, axis=1) <= 0).all()
        assert not beyond(found).any()
        trace = flipd_estimate(oracle.model, x, t, probes=None, batch_size=7).trace
        np.testing.assert_allclose(found.sum(axis=1), trace, rtol=1e-9)


def skewed(dim=6):
    """A noise with a Jacobian that is not symmetric and differs from place to place."""
    torch.manual_seed(0)
    matrix = torch.randn(dim, dim, dtype=torch.float64)
    model = ScoreModel.from_function(lambda z, t: torch.sin(z @ matrix.T), (dim,), VP, dtype=torch.float64)
    return model, matrix


def test_a_skewed_jacobian_is_symmetrised_at_the_noised_item():
    model, matrix = skewed()
    x = np.random.default_rng(3).normal(size=(4, 6))
    found = hessian_eigenvalues(model, x, 0.2, seed=7, ids=[5, 2, 9, 4], batch_size=3)
    noise = rng.normal(7, NOISE, [5, 2, 9, 4], (6,)).double()
    z = VP.psi(0.2) * torch.from_numpy(x) + VP.sigma(0.2) * noise
    for row in range(4):
        jacobian = torch.cos(z[row] @ matrix.T)[:, None] * matrix
        expected = np.linalg.eigvalsh(VP.sigma(0.2) * (jacobian + jacobian.T).numpy() / 2)[::-1]
        np.testing.assert_allclose(found[row], expected, atol=1e-10)
    # Each follows from its id alone.
    again = hessian_eigenvalues(model, x[[2, 0]], 0.2, seed=7, ids=[9, 5], batch_size=3)
    assert again.tobytes() == found[[2, 0]].tobytes()


def test_large_items_and_broken_values_are_refused():
    large = ScoreModel.from_function(lambda z, t: z, (257,), VP)
    with pytest.raises(InputError, match=r"the dense Jacobian is for d <= 256, here d=257"):
        hessian_eigenvalues(large, np.zeros((1, 257)), 0.1, batch_size=1)
    broken = ScoreModel.from_function(lambda z, t: torch.sqrt(z - 9), (2,), VP, dtype=torch.float64)
    with pytest.raises(InputError, match=r"the spectrum of the Jacobian at t=0.1 is not finite: id 3"):
        hessian_eigenvalues(broken, np.ones((1, 2)), 0.1, ids=[3], batch_size=1)
