"""The MLP with EDM preconditioning."""

import numpy as np
import pandas as pd
import pytest
import torch

from mmh.errors import InputError
from mmh.models.edm import network as edm_network
from mmh.models.edm import sampling as edm_sampling
from mmh.models.edm import training as edm_training

SMALL = {"width": 16, "depth": 2, "features": 4}
POINTS = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], dtype=np.float32)


@pytest.fixture(scope="module")
def network():
    return edm_training.train(POINTS, seed=0, steps=5, **SMALL)[0]


def test_training_is_deterministic_and_seeded(network):
    torch.manual_seed(7)  # the global generator must not matter
    same, _ = edm_training.train(POINTS, seed=0, steps=5, **SMALL)
    other, _ = edm_training.train(POINTS, seed=1, steps=5, **SMALL)
    first = network.state_dict()
    assert all(torch.equal(first[name], value) for name, value in same.state_dict().items())
    assert not all(torch.equal(first[name], value) for name, value in other.state_dict().items())


def test_history(network):
    heard = []
    _, history = edm_training.train(
        POINTS, seed=0, steps=10, log_every=4, progress=lambda done, **values: heard.append(done), **SMALL
    )
    assert history.step.tolist() == heard == [4, 8, 10]
    expected = 2e-3 * 0.5 * (1 + np.cos(np.pi * (np.array([4, 8, 10]) - 1) / 10))
    np.testing.assert_allclose(history.learning_rate, expected)
    again = edm_training.train(POINTS, seed=0, steps=10, log_every=4, **SMALL)[1]
    pd.testing.assert_frame_equal(history, again)


def test_preconditioning_trusts_small_noise_and_shrinks_large(network):
    z = torch.tensor([[0.3, -0.2]])
    near = network(z, torch.tensor([[1e-4]]))
    torch.testing.assert_close(near, z, atol=2e-3, rtol=0)
    with torch.no_grad():
        silent = edm_network.EdmNetwork(**SMALL)
        silent.layers[-1].weight.zero_()
        silent.layers[-1].bias.zero_()
        # Without F the denoiser is the posterior mean of N(0, 0.6²): z 0.36 / (σ² + 0.36).
        torch.testing.assert_close(silent(z, torch.tensor([[0.8]])), z * 0.36)
        torch.testing.assert_close(silent.eps(z, torch.tensor([[0.8]])), z * 0.64 / 0.8)


def test_a_single_point_is_learned_and_sampled():
    point = np.array([[0.6, -0.4]], dtype=np.float32)
    model, history = edm_training.train(
        point, seed=0, steps=600, draws=64, learning_rate=1e-2, ema_decay=0.98, width=32, depth=2, features=4
    )
    assert history.loss.iloc[-1] < 0.5 * history.loss.iloc[0]
    out = edm_sampling.sample(model, np.arange(50), seed=1, steps=20)
    assert np.linalg.norm(out - point, axis=1).max() < 0.1


def test_heun_integrates_a_known_law():
    """With F = 0 the model is exact for N(0, 0.36 I), so samples have that spread."""
    model = edm_network.EdmNetwork(sigma_max=30.0, **SMALL)
    with torch.no_grad():
        model.layers[-1].weight.zero_()
        model.layers[-1].bias.zero_()
    out = edm_sampling.sample(model, np.arange(3000), seed=0, steps=40)
    assert out.std() == pytest.approx(0.6, abs=0.015)
    assert out.mean() == pytest.approx(0.0, abs=0.03)


def test_sample_bytes_depend_on_seed_and_id_alone(network):
    def draw(ids, seed=3):
        return edm_sampling.sample(network, ids, seed=seed, steps=4, batch_size=16)

    ids = np.arange(50)
    whole = draw(ids)
    assert whole.shape == (50, 2)
    assert whole.dtype == np.float32
    for cut in (16, 21):
        assert np.concatenate([draw(ids[:cut]), draw(ids[cut:])]).tobytes() == whole.tobytes()
    order = np.random.default_rng(0).permutation(50)
    assert draw(order).tobytes() == whole[order].tobytes()
    assert not np.array_equal(draw(ids, seed=4), whole)
    assert len(np.unique(whole, axis=0)) == 50


def test_failures_are_loud():
    with pytest.raises(InputError, match="shape"):
        edm_training.train(np.zeros((3, 1, 8, 8), dtype=np.float32), seed=0)
    with pytest.raises(FloatingPointError, match="step 2"):
        edm_training.train(POINTS, seed=0, steps=4, log_every=2, learning_rate=float("inf"), **SMALL)
