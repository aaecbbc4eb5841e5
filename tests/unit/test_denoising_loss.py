"""The denoising loss against closed forms of its mean and spread; its cost; bytes that no cut moves."""

import numpy as np
import pytest
import torch

from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.lid.denoising_loss import denoising_loss
from mmh.oracles.denoising import loss_moments, shrunk_dimension
from mmh.oracles.exact import EmpiricalMeasure, GaussianPart, Mixture, random_mixture

VP = Schedule.linear_vp(0.1, 20.0)


def gaussian(variances, d, seed=0):
    """Gaussian of some variances in a random subspace, off the origin."""
    random = np.random.default_rng(seed)
    basis = np.linalg.qr(random.standard_normal((d, len(variances))))[0]
    mean = random.standard_normal(d)
    return GaussianPart(*(torch.from_numpy(a) for a in (mean, basis, np.array(variances, dtype=float))))


@pytest.mark.parametrize("schedule", [VP, Schedule.edm(0.01, 5.0)], ids=["vp", "edm"])
@pytest.mark.parametrize("t", [0.05, 0.3])
def test_mean_and_spread_are_the_closed_forms(schedule, t):
    """4000 draws at one point of a law with three variances, one of them near the noise."""
    part = gaussian([1.0, 4.0, 0.05], 6)
    law = Mixture([part], schedule)
    point = (part.mean + part.basis @ torch.tensor([1.2, -0.5, 0.2], dtype=torch.float64)).numpy()[None]
    found = denoising_loss(law.model, point, t, draws=4000, batch_size=1)
    mean, variance = loss_moments(part, point, schedule.psi(t), schedule.sigma(t))
    assert found.value[0] == pytest.approx(mean[0], abs=4 * np.sqrt(variance[0] / 4000))
    assert found.stderr[0] * np.sqrt(4000) == pytest.approx(np.sqrt(variance[0]), rel=0.1)


def test_the_spread_of_one_draw_is_that_of_the_dimension_not_of_the_codimension():
    """Sd sqrt(2 LID) at small noise, where a Gaussian probe of FLIPD has sqrt(2 (d - LID))."""
    law, t = random_mixture([9], 200, VP, seed=0), 0.01
    x = np.repeat(law.sample(1, 0)[0], 4000, axis=0)
    values = denoising_loss(law.model, x, t, batch_size=500).value
    variance = loss_moments(law.parts[0], x[:1], VP.psi(t), VP.sigma(t)).variance[0]
    assert values.std() == pytest.approx(np.sqrt(variance), rel=0.1)
    assert values.std() == pytest.approx(np.sqrt(18), rel=0.1)


def test_over_the_law_the_mean_is_the_shrunk_dimension():
    part, t = gaussian([1.0, 0.3, 0.02, 9.0], 8), 0.1
    law = Mixture([part], VP)
    x, _ = law.sample(6000, 1)
    values = denoising_loss(law.model, x, t, batch_size=1000).value
    expected = shrunk_dimension(part, VP.psi(t), VP.sigma(t))
    assert 2 < expected < 4
    assert values.mean() == pytest.approx(expected, abs=4 * values.std() / np.sqrt(6000))
    moments = loss_moments(part, x, VP.psi(t), VP.sigma(t)).mean
    assert moments.mean() == pytest.approx(expected, rel=0.05)


def test_off_the_support_the_offset_is_read_as_dimensions():
    part, t = gaussian([1.0, 1.0], 5), 0.05
    away = torch.linalg.qr(part.basis, mode="complete")[0][:, -1]
    point = (part.mean + 0.3 * away).numpy()[None]
    found = denoising_loss(Mixture([part], VP).model, point, t, draws=3000, batch_size=1)
    mean = loss_moments(part, point, VP.psi(t), VP.sigma(t)).mean[0]
    assert found.value[0] == pytest.approx(mean, abs=5 * found.stderr[0])
    assert mean > 2 + 0.5 * (0.3 * VP.psi(t) / VP.sigma(t)) ** 2


def test_a_memorized_point_reads_zero():
    points = np.random.default_rng(0).standard_normal((5, 7))
    found = denoising_loss(EmpiricalMeasure(points, VP).model, points, 0.01, draws=3)
    np.testing.assert_allclose(found.value, 0.0, atol=1e-12)


def test_a_draw_is_one_row_of_the_network():
    seen = []

    def eps(z, t):
        assert not torch.is_grad_enabled()
        seen.append(len(z))
        return torch.zeros_like(z)

    model = ScoreModel.from_function(eps, (4,), VP, dtype=torch.float64)
    denoising_loss(model, np.zeros((24, 4)), 0.2, draws=5, batch_size=8)
    assert sum(seen) == 24 * 5


def test_values_do_not_depend_on_cut_order_or_the_number_of_draws():
    law = random_mixture([3], 10, VP, seed=0)
    x, _ = law.sample(20, 0)
    whole = denoising_loss(law.model, x, 0.1, draws=2, batch_size=8, ids=np.arange(20))
    order = np.random.default_rng(0).permutation(20)
    again = denoising_loss(law.model, x[order], 0.1, draws=2, batch_size=8, ids=order)
    np.testing.assert_array_equal(again.value, whole.value[order])
    one = denoising_loss(law.model, x, 0.1, draws=1, batch_size=8)
    assert one.stderr is None
    other = 2 * whole.value - one.value  # the second draw
    np.testing.assert_allclose(whole.stderr, np.abs(other - one.value) / 2, atol=1e-9)
    assert np.abs(denoising_loss(law.model, x, 0.1, draws=1, seed=1).value - one.value).max() > 0.1


def test_bad_arguments_are_refused():
    model = random_mixture([1], 3, VP, seed=0).model
    with pytest.raises(InputError, match="draws must be at least 1"):
        denoising_loss(model, np.zeros((1, 3)), 0.1, draws=0)
    with pytest.raises(InputError, match="batch_size must be positive"):
        denoising_loss(model, np.zeros((1, 3)), 0.1, batch_size=0)
