"""Jacobian spectra of generators whose singular values are known."""

import numpy as np
import pytest
import torch

from mmh.errors import InputError
from mmh.evaluation.percentiles import log_volume
from mmh.lid import count_above
from mmh.lid.jacobian import jacobian_spectrum
from mmh.scores.base import SCORES


def _linear(d, latent, rank, seed=0):
    random = np.random.default_rng(seed)
    left = np.linalg.qr(random.standard_normal((d, rank)))[0]
    right = np.linalg.qr(random.standard_normal((latent, rank)))[0]
    values = np.linspace(3, 1, rank)
    return torch.from_numpy((left * values) @ right.T), values


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
@pytest.mark.parametrize(("d", "latent", "rank"), [(12, 5, 3), (4, 30, 4), (8, 8, 1)])
def test_a_linear_generator_has_its_own_singular_values(mode, d, latent, rank):
    A, values = _linear(d, latent, rank)
    z = np.random.default_rng(1).standard_normal((3, latent))
    spectra = jacobian_spectrum(lambda u: u @ A.T, z, mode=mode, chunk=4)
    assert spectra.shape == (3, min(d, latent))
    assert spectra.dtype == np.float64
    np.testing.assert_allclose(spectra[:, :rank], np.tile(values, (3, 1)), rtol=1e-10)
    np.testing.assert_allclose(spectra[:, rank:], 0, atol=1e-12)


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
def test_smooth_invertible_maps_keep_the_rank(mode):
    A, _ = _linear(15, 9, 4)

    def generator(z):
        x = torch.sinh(z) @ A.T  # images of shape (1, 3, 5)
        return (x + 0.3 * torch.sin(x)).reshape(-1, 3, 5)

    z = np.random.default_rng(2).standard_normal((5, 3, 3))
    spectra = jacobian_spectrum(lambda u: generator(u.flatten(1)), z, mode=mode)
    np.testing.assert_array_equal(count_above(spectra, 1e-9), 4)
    # The chain rule, written out.
    flat = torch.from_numpy(z[1].reshape(1, 9))
    x = torch.sinh(flat) @ A.T
    jacobian = (1 + 0.3 * torch.cos(x)).T * A * torch.cosh(flat)
    np.testing.assert_allclose(spectra[1], np.linalg.svd(jacobian, compute_uv=False), rtol=1e-9, atol=1e-12)


def test_a_normalised_latent_has_one_zero():
    A, _ = _linear(20, 6, 6)

    def generator(z):
        return (z / z.square().mean(1, keepdim=True).sqrt()) @ A.T

    spectra = jacobian_spectrum(generator, np.random.default_rng(0).standard_normal((4, 6)))
    np.testing.assert_allclose(spectra[:, 5], 0, atol=1e-12)
    assert (spectra[:, 4] > 0.1).all()


def test_conditions_belong_to_their_rows():
    A, values = _linear(7, 3, 3)
    z, c = np.zeros((3, 3)), np.array([[1.0], [2.0], [5.0]])
    spectra = jacobian_spectrum(lambda u, scale: scale * (u @ A.T), z, c)
    np.testing.assert_allclose(spectra, c * values)


class _Generator(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.project = torch.nn.Linear(4, 8 * 4)
        self.norm = torch.nn.GroupNorm(2, 8)
        self.attend = torch.nn.MultiheadAttention(8, 2, batch_first=True)
        self.drop = torch.nn.Dropout(0.5)

    def forward(self, z):
        x = self.norm(self.project(z).reshape(-1, 8, 4)).transpose(1, 2)
        return self.drop(x + self.attend(x, x, x, need_weights=False)[0]).transpose(1, 2)


def test_a_network_with_attention_in_both_modes():
    net = _Generator().double()
    z = torch.randn(2, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    spectra = [jacobian_spectrum(net, z, mode=mode) for mode in ("forward", "reverse")]
    assert net.training
    np.testing.assert_allclose(spectra[0], spectra[1], rtol=1e-9)
    net.eval()
    full = torch.autograd.functional.jacobian(lambda u: net(u[None]).flatten(), z[1])
    np.testing.assert_allclose(spectra[0][1], torch.linalg.svdvals(full), rtol=1e-9)
    with torch.inference_mode():
        np.testing.assert_array_equal(jacobian_spectrum(net, z, mode="forward"), spectra[0])


@pytest.mark.parametrize(("d", "latent", "forward"), [(300, 5, True), (2, 300, False)])
def test_the_cheaper_mode_is_taken(d, latent, forward):
    rows = []

    class Spy(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(z):
            return z.clone()

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def backward(ctx, gradient):
            rows.append("reverse")
            return gradient

        @staticmethod
        def jvp(ctx, tangent):
            rows.append("forward")
            return tangent.clone()

    A, _ = _linear(d, latent, 2)
    jacobian_spectrum(lambda u: Spy.apply(u) @ A.T, np.zeros((1, latent)))
    assert set(rows) == {"forward" if forward else "reverse"}


def test_bad_input():
    z = np.zeros((2, 3))
    with pytest.raises(InputError, match="floating-point"):
        jacobian_spectrum(lambda u: u, np.zeros((2, 3), int))
    with pytest.raises(InputError, match="one row of c"):
        jacobian_spectrum(lambda u, c: u, z, np.zeros((3, 1)))
    with pytest.raises(InputError, match="mode"):
        jacobian_spectrum(lambda u: u, z, mode="both")
    with pytest.raises(InputError, match="chunk"):
        jacobian_spectrum(lambda u: u, z, chunk=0)
    with pytest.raises(InputError, match="returned shape"):
        jacobian_spectrum(lambda u: u.sum(), z)
    with pytest.raises(InputError, match="not finite"):
        jacobian_spectrum(lambda u: u.sqrt(), z)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        jacobian_spectrum(lambda u: u @ torch.zeros(5, 2, dtype=torch.float64), z)


def test_the_volume_leaves_out_the_direction_that_is_normalised_away():
    """G(z) = A z / |z|, A^T A = 9: five singular values 3 / |z|, and along z none."""
    basis = torch.linalg.qr(torch.from_numpy(np.random.default_rng(0).standard_normal((11, 6))))[0]
    z = torch.from_numpy(np.random.default_rng(1).standard_normal((4, 6)))
    spectra = jacobian_spectrum(lambda v: 3 * (v / v.norm(dim=1, keepdim=True)) @ basis.T, z)
    expected = 5 * np.log(3 / np.linalg.norm(z.numpy(), axis=1))
    np.testing.assert_allclose(log_volume(spectra, SCORES["jacobian"].zeros), expected)


class Noisy(torch.nn.Module):
    """A linear map, with noise of its own whose strength is given, and dropout that evaluation turns off."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(6, 9).double()
        self.dropout, self.norm = torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(9).double()
        self.strength = strength

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        x = self.linear(z)
        return self.norm(self.dropout(x)) + self.strength * torch.randn_like(x)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_a_generator_that_draws_noise_is_refused_and_one_without_effect_is_right(mode):
    torch.manual_seed(0)
    z = np.random.default_rng(0).standard_normal((2, 6))
    with pytest.raises(InputError, match=r"the generator is random: two calls on one z differ by"):
        jacobian_spectrum(Noisy(0.1), z, mode=mode)
    silent = Noisy(0.0)
    scale = (silent.norm.weight / (silent.norm.running_var + silent.norm.eps).sqrt()).detach()
    exact = torch.linalg.svdvals(scale[:, None] * silent.linear.weight.detach()).numpy()
    np.testing.assert_allclose(jacobian_spectrum(silent, z, mode=mode), [exact] * 2, rtol=1e-10)


def test_every_part_of_a_generator_is_left_in_the_mode_that_it_was_in():
    generator = Noisy(0.0)
    generator.norm.eval()  # frozen, while the rest is trained
    modes = [part.training for part in generator.modules()]
    assert modes == [True, True, True, False]
    jacobian_spectrum(generator, np.zeros((1, 6)))
    assert [part.training for part in generator.modules()] == modes
    generator.eval().dropout.train()
    first, second = (jacobian_spectrum(generator, np.ones((1, 6))) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert generator.dropout.training
