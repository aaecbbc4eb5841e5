"""Training and sampling of the UNet."""

import numpy as np
import pandas as pd
import pytest
import torch

from mmh.errors import InputError
from mmh.models.ddpm import network as ddpm_network
from mmh.models.ddpm import sampling as ddpm_sampling
from mmh.models.ddpm import training as ddpm_training

SMALL = {"block_out_channels": (8, 16), "norm_num_groups": 4}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(-1, 1, size=(6, 1, 8, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def trained(images):
    return ddpm_training.train(images, seed=1, steps=12, batch_size=4, log_every=5, **SMALL)


@pytest.fixture(scope="module")
def network():
    return ddpm_network.build(seed=0, **SMALL).eval(), ddpm_network.noise_schedule()


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_default_network_is_the_documented_one():
    model = ddpm_network.build()
    assert sum(p.numel() for p in model.parameters()) == 701_345
    z = torch.randn(2, 1, 8, 8)
    assert model(z, torch.tensor(10)).sample.shape == z.shape
    scheduler = ddpm_network.noise_schedule()
    assert scheduler.config.num_train_timesteps == 1000
    assert scheduler.config.beta_schedule == "squaredcos_cap_v2"
    assert scheduler.config.prediction_type == "epsilon"
    assert not scheduler.config.clip_sample


def test_build_depends_on_the_seed_and_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    one, same, other = (weights(ddpm_network.build(seed=seed, **SMALL)) for seed in (1, 1, 2))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_training_is_deterministic_and_seeded(images, trained):
    torch.manual_seed(99)  # the global generator must not matter
    again, _, history = ddpm_training.train(images, seed=1, steps=12, batch_size=4, log_every=5, **SMALL)
    other, _, _ = ddpm_training.train(images, seed=2, steps=12, batch_size=4, log_every=5, **SMALL)
    first = weights(trained[0])
    assert all(torch.equal(first[name], value) for name, value in weights(again).items())
    assert not all(torch.equal(first[name], value) for name, value in weights(other).items())
    pd.testing.assert_frame_equal(history, trained[2])


def test_history_has_a_row_per_log_and_a_cosine_rate(trained):
    history = trained[2]
    assert history.step.tolist() == [5, 10, 12]
    expected = 1e-3 * 0.5 * (1 + np.cos(np.pi * (np.array([5, 10, 12]) - 1) / 12))
    np.testing.assert_allclose(history.learning_rate, expected)
    assert np.isfinite(history.loss).all()


def test_progress_hears_the_steps_and_the_loss(images):
    heard = []
    ddpm_training.train(
        images,
        seed=1,
        steps=4,
        batch_size=2,
        log_every=2,
        progress=lambda done, **values: heard.append((done, values["loss"] > 0)),
        **SMALL,
    )
    assert heard == [(2, True), (4, True)]


def test_training_lowers_the_loss():
    image = np.linspace(-1, 1, 64, dtype=np.float32).reshape(1, 1, 8, 8)
    _, _, history = ddpm_training.train(image, seed=0, steps=80, batch_size=8, log_every=10, **SMALL)
    assert history.loss.iloc[-1] < 0.5 * history.loss.iloc[0]


def test_averaged_weights_follow_the_trained_ones(images):
    start = weights(ddpm_network.build(seed=1, **SMALL))
    slow, _, _ = ddpm_training.train(images, seed=1, steps=12, batch_size=4, **SMALL)
    fast, _, _ = ddpm_training.train(images, seed=1, steps=12, batch_size=4, ema_decay=0.0, **SMALL)

    def moved(model):
        return sum(float((value - start[name]).abs().sum()) for name, value in weights(model).items())

    assert 0 < moved(slow) < moved(fast)
    assert not slow.training


def test_diverging_training_stops(images):
    with pytest.raises(FloatingPointError, match="step 2"):
        ddpm_training.train(
            images, seed=1, steps=4, batch_size=2, log_every=2, learning_rate=float("inf"), **SMALL
        )


@pytest.mark.parametrize("shape", [(6, 64), (6, 1, 8, 7), (0, 1, 8, 8)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(InputError, match="shape"):
        ddpm_training.train(np.zeros(shape, dtype=np.float32), seed=0)


def test_sample_bytes_depend_on_seed_and_id_alone(network):
    def draw(ids, **options):
        return ddpm_sampling.sample(*network, ids, **{"seed": 5, "steps": 3, "batch_size": 8, **options})

    ids = np.arange(30)
    whole = draw(ids)
    assert whole.shape == (30, 1, 8, 8)
    assert whole.dtype == np.float32
    for cut in (8, 11, 29):
        parts = np.concatenate([draw(ids[:cut]), draw(ids[cut:])])
        assert parts.tobytes() == whole.tobytes()
    order = np.random.default_rng(0).permutation(30)
    assert draw(order).tobytes() == whole[order].tobytes()
    assert draw([23]).tobytes() == whole[23:24].tobytes()
    assert len(np.unique(whole.reshape(30, -1), axis=0)) == 30
    assert not np.array_equal(draw([23], seed=6), whole[23:24])


def test_sampling_reports_finished_images(network):
    heard = []
    ddpm_sampling.sample(*network, np.arange(5, 20), seed=0, steps=1, batch_size=10, progress=heard.append)
    assert heard == [5, 15]


def test_ddim_of_an_exact_noise_predictor_returns_the_image():
    """For a point mass at x0, eps(z, t) = (z - psi x0) / sigma, and DDIM ends at x0 from any noise."""
    scheduler = ddpm_network.noise_schedule()
    target = torch.linspace(-1, 1, 64).reshape(1, 1, 8, 8)

    class PointMass(torch.nn.Module):
        config = type("Config", (), {"in_channels": 1, "sample_size": 8})
        device = torch.device("cpu")

        def forward(self, z, t):
            abar = scheduler.alphas_cumprod[t]
            return type("Output", (), {"sample": (z - abar.sqrt() * target) / (1 - abar).sqrt()})

    out = ddpm_sampling.sample(PointMass(), scheduler, [0, 3], seed=0, steps=50, batch_size=4)
    np.testing.assert_allclose(out, np.broadcast_to(target.numpy(), out.shape), atol=2e-3)
