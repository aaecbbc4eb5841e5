"""The exact score of a sphere against quadrature, dense point sets and full Jacobians."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate

from mmh.diffusion.schedule import Schedule
from mmh.errors import InputError
from mmh.oracles.exact import EmpiricalMeasure
from mmh.oracles.spheres import Sphere, mean_resultant

VP = Schedule.linear_vp(0.1, 20.0)


def _by_quadrature(kappa, dimension):
    """Mean cosine under the density exp(kappa cos a) sin^(k-1) a of the angle a in [0, pi]."""

    def exponent(a):
        return kappa * (math.cos(a) - 1.0) + (dimension - 1) * math.log(math.sin(a))

    # Where the mass is: a few widths around the peak, which lies near sqrt(k / kappa).
    end = min(math.pi, 12.0 * math.sqrt((dimension + 1) / kappa))
    top = max(exponent(a) for a in np.linspace(0.0, end, 2002)[1:-1])
    precision = {"epsabs": 0, "epsrel": 1e-12, "limit": 400}
    mass = integrate.quad(lambda a: math.exp(exponent(a) - top), 0.0, end, **precision)[0]
    lost = integrate.quad(lambda a: (1.0 - math.cos(a)) * math.exp(exponent(a) - top), 0.0, end, **precision)[
        0
    ]
    return 1.0 - lost / mass


@pytest.mark.parametrize("dimension", [1, 2, 3, 20, 150])
@pytest.mark.parametrize("kappa", [1e-3, 0.5, 7.0, 300.0, 2e4, 3e6])
def test_mean_resultant_is_the_mean_cosine(kappa, dimension):
    expected = _by_quadrature(kappa, dimension)
    assert mean_resultant(kappa, dimension) == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_mean_resultant_on_the_two_sphere_is_langevins_function():
    kappa = np.array([0.01, 1.0, 30.0, 1e4, 1e8, 1e14])
    expected = 1.0 / np.tanh(kappa) - 1.0 / kappa
    np.testing.assert_allclose(mean_resultant(kappa, 2), expected, rtol=1e-11)


@pytest.mark.parametrize("dimension", [1, 4, 30])
def test_the_expansion_takes_over_without_a_step(dimension):
    """Its first use, far out, still obeys A' = 1 - A^2 - k A / kappa across the seam."""
    seam = 1e5 * dimension**2
    below, above = mean_resultant(np.array([0.999, 1.001]) * seam, dimension)
    slope = dimension / (2.0 * seam**2)  # A = 1 - k / (2 kappa) + ...
    assert above - below == pytest.approx(slope * 0.002 * seam, rel=1e-3, abs=4e-16)


@pytest.mark.parametrize("dimension", [60, 400])
def test_tiny_concentration_in_many_dimensions_does_not_underflow(dimension):
    kappa = np.array([0.0, 1e-12, 1e-3])
    np.testing.assert_allclose(mean_resultant(kappa, dimension), kappa / (dimension + 1), rtol=1e-6)


def test_circle_score_is_the_gradient_of_its_quadrature_density():
    """The density of a noised circle by the trapezoidal rule, which is exact for periodic functions."""
    law, t = Sphere(1, 3, VP, radius=1.5, seed=3), 0.3
    psi, sigma = VP.psi(t), VP.sigma(t)
    angle = torch.linspace(0, 2 * math.pi, 2001, dtype=torch.float64)[:-1]
    circle = 1.5 * torch.stack([angle.cos(), angle.sin()], 1) @ law.basis.T
    z = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    squared = (z[:, None] - psi * circle).square().sum(2)
    (score,) = torch.autograd.grad(torch.logsumexp(-squared / (2 * sigma**2), 1).sum(), z)
    torch.testing.assert_close(law.model.score(z, t), score, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("t", [0.1, 0.3, 0.6])
def test_two_sphere_is_the_limit_of_many_points(t):
    law = Sphere(2, 4, VP, radius=2.0, seed=1)
    n = 40_000  # a Fibonacci lattice
    height = 1.0 - (2.0 * np.arange(n) + 1.0) / n
    angle = np.arange(n) * math.pi * (3.0 - math.sqrt(5.0))
    ring = np.sqrt(1.0 - height**2)
    points = 2.0 * np.stack([ring * np.cos(angle), ring * np.sin(angle), height], 1) @ law.basis.numpy().T
    twin = EmpiricalMeasure(points, VP)
    x = np.random.default_rng(0).standard_normal((5, 4))
    z = torch.as_tensor(VP.psi(t) * x)
    torch.testing.assert_close(law.model.eps(z, t), twin.model.eps(z, t), rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(law.flipd(x, t), twin.flipd(x, t), rtol=1e-4)


@pytest.mark.parametrize(("dimension", "ambient"), [(1, 2), (2, 8), (20, 30)])
@pytest.mark.parametrize("t", [0.001, 0.03, 0.5])
def test_flipd_agrees_with_a_full_jacobian(dimension, ambient, t):
    law = Sphere(dimension, ambient, VP, radius=3.0, seed=2)
    x = law.sample(3, seed=0)[0] + 0.05 * np.random.default_rng(1).standard_normal((3, ambient))
    for point, expected in zip(torch.as_tensor(x), law.flipd(x, t), strict=True):
        z = (VP.psi(t) * point)[None]
        jacobian = torch.autograd.functional.jacobian(lambda u: law.model.eps(u, t).flatten(), z)
        trace = jacobian.reshape(ambient, ambient).trace()
        found = ambient - VP.sigma(t) * trace + law.model.eps(z, t).square().sum()
        assert float(found) == pytest.approx(expected, rel=1e-7, abs=1e-7)


def test_the_score_is_smooth_at_the_centre():
    law, t = Sphere(3, 5, VP, radius=1.0, seed=0), 0.5
    z = torch.zeros(1, 5, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda u: law.model.eps(u, t)[0], z)[:, 0]
    step = 1e-5
    numeric = torch.stack(
        [
            (law.model.eps(z + step * e, t)[0] - law.model.eps(z - step * e, t)[0]) / (2 * step)
            for e in torch.eye(5)
        ],
        dim=1,
    )
    torch.testing.assert_close(jacobian, numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dimension", [1, 2, 9, 50])
def test_the_dimension_is_read_as_the_noise_vanishes(dimension):
    law = Sphere(dimension, 60, Schedule.edm(1e-4, 1.0), radius=2.0, seed=4)
    x, _ = law.sample(5, seed=0)
    np.testing.assert_allclose(law.flipd(x, 1e-9), dimension, atol=1e-5)
    np.testing.assert_array_equal(law.lid(x), dimension)


def test_samples_lie_on_the_sphere_and_everywhere_on_it():
    law = Sphere(2, 6, VP, radius=2.5, seed=5)
    x, component = law.sample(20_000, seed=0)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 2.5, rtol=1e-12)
    inside = x @ law.basis.numpy()
    np.testing.assert_allclose(inside @ law.basis.numpy().T, x, atol=1e-12)
    np.testing.assert_allclose(inside.mean(0), 0, atol=0.06)
    np.testing.assert_allclose(np.cov(inside.T), np.eye(3) * 2.5**2 / 3, atol=0.1)
    assert set(component) == {0}


def test_bad_input():
    with pytest.raises(InputError, match="does not fit"):
        Sphere(3, 3, VP)
    with pytest.raises(InputError, match="does not fit"):
        Sphere(0, 3, VP)
    with pytest.raises(InputError, match="positive radius"):
        Sphere(1, 3, VP, radius=0.0)
