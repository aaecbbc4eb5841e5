"""Adversarial training: each formula against a direct computation, then the loop."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from mmh.errors import InputError
from mmh.models.stylegan import discriminator, training

SMALL = {"steps": 6, "batch_size": 8, "channels": 4, "z_dim": 4, "w_dim": 4, "log_every": 4}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(-1, 1, size=(12, 1, 8, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def labels():
    return np.array([0, 1, 2] * 4)


@pytest.fixture(scope="module")
def trained(images, labels):
    return training.train(images, labels, seed=1, **SMALL)


def opponent(**options):
    torch.manual_seed(0)
    return discriminator.Discriminator(8, 1, **{"c_dim": 3, "width": 4, "group": 2, **options}).double()


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_minibatch_deviation_is_the_mean_standard_deviation_of_each_group():
    h = torch.randn(6, 5, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    out = discriminator.minibatch_deviation(h, 3)
    assert out.shape == (6, 1, 4, 4)
    for rows in (slice(0, 3), slice(3, 6)):
        expected = np.sqrt(h[rows].numpy().var(axis=0) + 1e-8).mean()
        np.testing.assert_allclose(out[rows].numpy(), expected, rtol=1e-12)


def test_minibatch_deviation_of_a_collapsed_group_has_a_finite_derivative():
    h = torch.ones(4, 2, 4, 4, requires_grad=True)
    discriminator.minibatch_deviation(h, 4).sum().backward()
    assert torch.isfinite(h.grad).all()
    with pytest.raises(InputError, match="multiple of group, 4 is none of 3"):
        discriminator.minibatch_deviation(h, 3)


def test_discriminator_follows_its_formula():
    """One 8x8 block written out with NumPy-like operations on the raw weights."""
    net = opponent()
    x = torch.randn(4, 1, 8, 8, dtype=torch.float64)
    c = torch.eye(3, dtype=torch.float64)[[0, 1, 2, 0]]

    def conv(v, layer):
        raw = layer.weight / math.sqrt(layer.weight[0].numel())
        padded = torch.nn.functional.pad(v, [raw.shape[-1] // 2] * 4)
        patches = padded.unfold(2, raw.shape[-1], 1).unfold(3, raw.shape[-1], 1)
        out = torch.einsum("nchwij,ocij->nohw", patches, raw)
        return out if layer.bias is None else out + layer.bias[:, None, None]

    def relu(v):
        return torch.where(v > 0, v, 0.2 * v) * math.sqrt(2)

    def halve(v):
        return v.reshape(*v.shape[:2], v.shape[2] // 2, 2, v.shape[3] // 2, 2).mean(dim=(3, 5))

    with torch.no_grad():
        for parameter in net.parameters():  # biases start at 0, where a mistake would not show
            parameter.copy_(torch.randn_like(parameter))
        block = net.blocks[0]
        h = relu(conv(x, net.entry))
        h = (relu(conv(halve(relu(conv(h, block.conv0))), block.conv1)) + conv(halve(h), block.skip)) / 2**0.5
        deviation = [np.sqrt(pair.numpy().var(axis=0) + 1e-8).mean() for pair in (h[:2], h[2:])]
        spread = torch.tensor(deviation).repeat_interleave(2)[:, None, None, None].expand(4, 1, 4, 4)
        h = relu(conv(torch.cat([h, spread], dim=1), net.conv)).reshape(4, -1)
        h = relu(h @ net.dense.weight.T / 8 + net.dense.bias)  # sqrt(16 * 4) inputs
        expected = (h @ net.score.weight.T / 2 + net.score.bias)[:, 0]
        classes = (h * net.embedding[[0, 1, 2, 0]]).sum(dim=1) / 2
        torch.testing.assert_close(net(x), expected, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(net(x, c), expected + classes, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("side", [4, 16])
def test_discriminator_takes_other_sides_and_keeps_the_size_of_features(side):
    """With standard normal weights and images the logits are of size 1 at any depth."""
    torch.manual_seed(0)
    net = discriminator.Discriminator(side, 3, width=32)
    assert len(net.blocks) == int(math.log2(side)) - 2
    with torch.no_grad():
        logits = net(torch.randn(64, 3, side, side))
    assert logits.shape == (64,)
    assert 0.1 < logits.square().mean().sqrt() < 3
    with pytest.raises(InputError, match="power of two"):
        discriminator.Discriminator(12)


def test_losses_are_the_logistic_ones():
    real, made = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 3.0])
    sigmoid = 1 / (1 + np.exp(-np.array([2.0, -1.0])))
    sigmoid_made = 1 / (1 + np.exp(-np.array([0.5, 3.0])))
    expected = -np.log(sigmoid).mean() - np.log(1 - sigmoid_made).mean()
    assert discriminator.discriminator_loss(real, made).item() == pytest.approx(expected, rel=1e-6)
    assert discriminator.generator_loss(made).item() == pytest.approx(-np.log(sigmoid_made).mean(), rel=1e-6)


def test_penalty_of_linear_and_quadratic_discriminators():
    """D = <a, x>: ||a||², with derivative 2a; D = <x, x> / 2: the mean of ||x||²."""
    slope = torch.tensor([3.0, -4.0, 1.0], dtype=torch.float64, requires_grad=True)
    x = torch.randn(5, 3, dtype=torch.float64)
    penalty = discriminator.gradient_penalty(lambda v, c: v @ slope, x)
    assert penalty.item() == pytest.approx(26.0)
    penalty.backward()
    torch.testing.assert_close(slope.grad, 2 * slope.detach())
    quadratic = discriminator.gradient_penalty(lambda v, c: v.square().sum(dim=1) / 2, x)
    assert quadratic.item() == pytest.approx(x.square().sum(dim=1).mean().item())
    assert not x.requires_grad


def test_penalty_of_the_network_agrees_with_finite_differences():
    net = opponent(group=1)  # a group of one: images do not share a statistic
    x = torch.randn(2, 1, 8, 8, dtype=torch.float64)
    c = torch.eye(3, dtype=torch.float64)[[0, 2]]
    h = 1e-6
    total = 0.0
    with torch.no_grad():
        for row in range(2):
            step = h * torch.eye(64, dtype=torch.float64).reshape(64, 1, 8, 8)
            here = c[row].expand(64, -1)
            slope = (net(x[row] + step, here) - net(x[row] - step, here)) / (2 * h)
            total += slope.square().sum().item() / 2
    assert discriminator.gradient_penalty(net, x, c).item() == pytest.approx(total, rel=1e-5)


def test_average_moves_by_its_decay_and_takes_buffers_over():
    average, model = torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3)
    with torch.no_grad():
        average.weight.copy_(torch.tensor([1.0, 2.0, 3.0]))
        model.weight.fill_(5.0)
        model.running_mean.fill_(7.0)
    training.update_average(average, model, 0.75)
    np.testing.assert_allclose(average.weight.detach(), [2.0, 2.75, 3.5])
    np.testing.assert_allclose(average.running_mean, 7.0)


def test_batches_hold_one_class_per_group_and_every_image_equally_often():
    labels = np.array([5, 2, 5, 5, 2, 9, 5])
    batches = training.Batches(labels, 12, 4)
    draws = torch.Generator().manual_seed(0)
    rows = torch.stack([batches.draw(draws) for _ in range(4000)]).numpy()
    assert rows.shape == (4000, 12)
    groups = labels[rows].reshape(-1, 4)
    assert (groups == groups[:, :1]).all()
    # A group's rows are of one class, so counts vary about twice as much as those of independent draws.
    frequency = np.bincount(rows.ravel(), minlength=7) / rows.size
    np.testing.assert_allclose(frequency, 1 / 7, atol=0.01)
    with pytest.raises(InputError, match="multiple of group, 10 is none of 4"):
        training.Batches(labels, 10, 4)


def test_training_is_deterministic_and_seeded(images, labels, trained):
    torch.manual_seed(99)  # the global generator must not matter, nor change
    state = torch.get_rng_state()
    again, history = training.train(images, labels, seed=1, **SMALL)
    assert torch.equal(state, torch.get_rng_state())
    other, _ = training.train(images, labels, seed=2, **SMALL)
    first = weights(trained[0])
    assert all(torch.equal(first[name], value) for name, value in weights(again).items())
    assert not all(torch.equal(first[name], value) for name, value in weights(other).items())
    pd.testing.assert_frame_equal(history, trained[1])


def test_the_generator_is_conditional_if_there_are_classes(images, trained):
    generator, _ = trained
    assert generator.config["c_dim"] == 3
    assert not generator.training
    assert (generator.mapping.w_avg != 0).any()
    z, c = torch.randn(3, 4), torch.eye(3)
    out = generator(z[:1].expand(3, -1), c)
    assert out.shape == (3, 1, 8, 8)
    assert not torch.equal(out[0], out[1])
    assert torch.equal(generator(z, c, noise="const"), generator(z, c, noise="none"))
    plain, _ = training.train(images, seed=1, **SMALL)
    assert plain.config["c_dim"] == 0
    assert plain(z).shape == (3, 1, 8, 8)


def test_history_has_a_row_per_log_a_cosine_rate_and_the_penalty(images, labels, trained):
    history = trained[1]
    assert tuple(history.columns) == training.HISTORY
    assert history.step.tolist() == [4, 6]
    expected = 0.01 * 0.5 * (1 + np.cos(np.pi * (np.array([4, 6]) - 1) / 6))
    np.testing.assert_allclose(history.learning_rate, expected)
    assert np.isfinite(history).all(axis=None)
    _, free = training.train(images, labels, seed=1, r1_gamma=0.0, **SMALL)
    assert free.penalty.isna().all()


def test_progress_hears_the_steps_and_the_losses(images):
    heard = []
    training.train(
        images, seed=1, progress=lambda done, **values: heard.append((done, sorted(values))), **SMALL
    )
    assert heard == [(4, ["discriminator", "generator"]), (6, ["discriminator", "generator"])]


def test_the_penalty_holds_the_discriminator_back(images):
    """Without it the slope at training images grows as the discriminator learns to tell them apart."""
    options = {**SMALL, "steps": 40, "log_every": 40, "r1_every": 3}
    (_, free), (_, held) = (training.train(images, seed=0, r1_gamma=g, **options) for g in (1e-6, 10.0))
    assert held.penalty.iloc[-1] < 0.2 * free.penalty.iloc[-1]


def test_training_brings_the_generator_to_the_only_image():
    image = np.where(np.arange(64).reshape(1, 1, 8, 8) % 3, -0.5, 0.5).astype(np.float32)

    def distance(steps):
        options = {
            **SMALL,
            "channels": 8,
            "batch_size": 4,
            "steps": steps,
            "ema_decay": 0.95,
            "learning_rate": 0.02,
        }
        generator, _ = training.train(image, seed=0, **options)
        with torch.no_grad():
            return (generator(torch.randn(20, 4)) - torch.from_numpy(image)).square().mean().item()

    assert distance(200) < 0.1 * distance(1)


def test_a_loss_that_is_not_finite_stops_training(images, monkeypatch):
    with pytest.raises(InputError, match=r"step 1: generator nan, .*lower learning_rate"):
        training.train(images, seed=1, learning_rate=float("inf"), **SMALL)
    losses = iter([1.0, 1.0, math.inf])
    monkeypatch.setattr(training, "generator_loss", lambda made: made.sum() * 0 + next(losses))
    with pytest.raises(InputError, match="not finite at step 3: generator inf"):
        training.train(images, seed=1, **SMALL)


@pytest.mark.parametrize("shape", [(6, 64), (6, 1, 8, 4), (0, 1, 8, 8)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(InputError, match="shape"):
        training.train(np.zeros(shape, dtype=np.float32), seed=0)


@pytest.mark.parametrize("wrong", [np.zeros(5, dtype=int), np.zeros(12), np.array([-1] + [0] * 11)])
def test_other_classes_are_refused(images, wrong):
    with pytest.raises(InputError, match="classes must be 12 whole numbers"):
        training.train(images, wrong, seed=0, **SMALL)


def test_a_side_that_is_no_power_of_two_is_refused():
    with pytest.raises(InputError, match="power of two"):
        training.train(np.zeros((4, 1, 12, 12), dtype=np.float32), seed=0)
