"""The StyleGAN2 generator against a reference of another style, and what training and derivatives need."""

import json

import numpy as np
import pytest
import stylegan2_reference as reference
import torch

from mmh.compute import rng
from mmh.errors import InputError
from mmh.lid.jacobian import jacobian_spectrum
from mmh.models.stylegan.generator import Generator
from mmh.models.stylegan.layers import unit

SMALL = {"z_dim": 12, "w_dim": 10, "resolution": 16, "channel_base": 96, "channel_max": 16}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def redraw(network, seed=0):
    """Draw everything anew, also what starts at zero; filters of no symmetry show a flip or a transposition."""
    random = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        scale = {"noise_strength": 0.3, "bias": 0.5}.get(name.rsplit(".", 1)[-1], 1.0)
        scale = 1 / network.config["mapping_lr"] if name.startswith("mapping.fc") else scale
        draw = torch.randn(tensor.shape, generator=random, dtype=torch.float64) * scale
        if name.endswith("affine.bias"):
            draw += 1
        if name.endswith("resample_filter"):
            draw = torch.rand(tensor.shape, generator=random, dtype=torch.float64) / 8
        tensor.copy_(draw)
    return network.eval().requires_grad_(False)


def latents(n, dim, dtype=torch.float64, seed=5):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=dtype)


CASES = {
    "plain": ({}, {}),
    "no noise": ({}, {"noise": "none"}),
    "truncated": ({}, {"truncation": 0.7}),
    "truncated to a layer": ({}, {"truncation": 0.7, "cutoff": 3}),
    "extrapolated": ({}, {"truncation": -1.5}),
    "clamped": ({"conv_clamp": 0.4}, {}),
    "one class fewer": ({"c_dim": 0}, {"noise": "none"}),
    "deeper mapping": (
        {"mapping_layers": 4, "mapping_lr": 0.1, "layer_features": 7, "embed_features": 5},
        {},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_images_equal_the_reference(case):
    options, call = CASES[case]
    options = {"c_dim": 3, **SMALL, **options}
    network = redraw(Generator(**options).double())
    z = latents(4, 12)
    labels = torch.tensor([2, 0, 1, 2]) if options["c_dim"] else None
    hot = None if labels is None else torch.eye(3, dtype=torch.float64)[labels]
    found = network(z, hot, **call)
    expected = reference.images(
        network.state_dict(),
        z,
        labels,
        lr=options.get("mapping_lr", 0.01),
        psi=call.get("truncation", 1.0),
        cutoff=call.get("cutoff"),
        noise=call.get("noise", "const"),
        clamp=options.get("conv_clamp"),
    )
    assert found.shape == (4, 3, 16, 16)
    assert (found - expected).abs().max() <= 1e-11
    assert expected.std() > 0.1  # else the comparison says little
    if "conv_clamp" in options:
        # The last image is a toRGB plus the upsampled ones before it: without the clamp it is another image.
        assert (reference.images(network.state_dict(), z, labels) - expected).abs().max() > 0.1


@pytest.fixture(scope="module")
def published():
    """The shape of the published CIFAR-10 generator, with images of about its range."""
    network = redraw(Generator(c_dim=10, conv_clamp=256))
    for name, tensor in network.named_parameters():
        if ".torgb." in name and "affine" not in name:
            tensor *= 0.2
    return network


def test_the_published_shape_has_the_published_tensors(published):
    state = published.state_dict()
    assert len(state) == 77
    assert sum(tensor.numel() for tensor in state.values()) == 20_218_707
    assert state["mapping.fc0.weight"].shape == (512, 1024)
    assert state["synthesis.b32.conv0.weight"].shape == (512, 512, 3, 3)
    assert state["synthesis.b32.conv0.noise_const"].shape == (32, 32)
    assert state["synthesis.b4.conv1.noise_strength"].shape == ()
    assert {name.split(".")[1] for name in state if name.startswith("synthesis")} == {
        "b4",
        "b8",
        "b16",
        "b32",
    }
    parameters = {name for name, _ in published.named_parameters()}
    buffers = {"w_avg", "resample_filter", "noise_const"}
    assert {name.rsplit(".", 1)[-1] for name in state if name not in parameters} == buffers


@pytest.mark.parametrize(
    ("clamp", "call"),
    [(256.0, {}), (1.0, {"truncation": 0.7, "cutoff": 4}), (None, {"noise": "none"})],
    ids=["plain", "clamp active and truncated", "no noise"],
)
def test_full_width_images_in_float32(published, clamp, call):
    z, labels = latents(2, 512, torch.float32), torch.tensor([7, 3])
    for module in published.modules():
        if hasattr(module, "clamp"):
            module.clamp = clamp
    found = published(z, torch.eye(10)[labels], **call)
    expected = reference.images(
        {name: tensor.double() for name, tensor in published.state_dict().items()},
        z.double(),
        labels,
        psi=call.get("truncation", 1.0),
        cutoff=call.get("cutoff"),
        noise=call.get("noise", "const"),
        clamp=clamp,
    )
    assert 0.5 < expected.abs().max() < 5
    assert (found - expected).abs().max() <= 1e-5


def test_every_layer_uses_its_own_w():
    network = redraw(Generator(**SMALL).double())
    ws = latents(2 * 6, 10).reshape(2, 6, 10)
    expected = torch.stack([reference.image_of(network.state_dict(), list(row)) for row in ws])
    assert (network.synthesis(ws) - expected).abs().max() <= 1e-11


@pytest.mark.parametrize("resolution", [4, 8, 64])
def test_other_sides(resolution):
    options = {**SMALL, "resolution": resolution, "channels": 1}
    network = redraw(Generator(**options).double())
    z = latents(1, 12)
    found = network(z)
    assert found.shape == (1, 1, resolution, resolution)
    assert (found - reference.images(network.state_dict(), z)).abs().max() <= 1e-11


def test_fresh_weights_are_standard_normal_and_gains_keep_the_scale():
    torch.manual_seed(0)
    network = Generator(c_dim=4, z_dim=64, w_dim=64, resolution=16, channel_base=1024, channel_max=64)
    for name, tensor in network.state_dict().items():
        if name.endswith("weight"):
            scale = 100 if ".fc" in name else 1  # divided by the learning rate of the mapping network
            assert abs(float(tensor.std()) / scale - 1) < 0.15, name
        elif name.endswith("affine.bias"):
            assert (tensor == 1).all()
        elif name.endswith(("bias", "noise_strength", "w_avg")):
            assert (tensor == 0).all()
    z = latents(256, 64, torch.float32)
    network.requires_grad_(False)
    w = network.mapping(z, torch.eye(4)[torch.arange(256) % 4])
    assert 0.7 < float(w.square().mean()) < 1.4
    image = network.synthesis(network.broadcast(w))
    assert 0.3 < float(image.square().mean().sqrt()) < 5


def test_the_low_pass_filter_has_gain_one():
    network = Generator(**SMALL, resample_filter=(1, 2, 2, 1))
    kernel = network.synthesis.get_submodule("b8").resample_filter
    assert float(kernel.sum()) == pytest.approx(1)
    torch.testing.assert_close(kernel, torch.outer(kernel.sum(1), kernel.sum(0)))
    assert float(kernel[0, 1] / kernel[0, 0]) == pytest.approx(2)


def test_only_the_direction_of_z_matters():
    network = redraw(Generator(**SMALL).double())
    z = latents(3, 12)
    torch.testing.assert_close(unit(7 * z), unit(z), rtol=1e-7, atol=0)
    torch.testing.assert_close(network(7 * z), network(z), rtol=1e-6, atol=1e-7)


def test_the_running_mean_of_w():
    network = Generator(**SMALL, w_avg_beta=0.9)
    assert "mapping.w_avg" not in dict(network.named_parameters())
    w = torch.arange(20.0).reshape(2, 10)
    network.mapping.track(w)
    torch.testing.assert_close(network.mapping.w_avg, 0.1 * w.mean(0))
    network.mapping.track(w)
    torch.testing.assert_close(network.mapping.w_avg, 0.19 * w.mean(0))


def test_every_parameter_gets_a_gradient():
    network = Generator(c_dim=2, **SMALL)
    images = network(latents(2, 12, torch.float32), torch.eye(2), noise="random", noise_seed=1)
    images.square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_random_noise_belongs_to_the_id_and_the_layer():
    network = redraw(Generator(**SMALL).double())
    z = latents(1, 12).expand(3, -1)
    found = network(z, noise="random", noise_seed=4, noise_ids=[8, 2, 8])
    torch.testing.assert_close(found[0], found[2], rtol=0, atol=1e-12)
    assert (found[0] - found[1]).abs().max() > 1e-2
    again = network(z[:2], noise="random", noise_seed=4, noise_ids=np.array([2, 5]))
    torch.testing.assert_close(again[0], found[1], rtol=0, atol=1e-12)
    other = network(z[:1], noise="random", noise_seed=5, noise_ids=[8])
    assert (other[0] - found[0]).abs().max() > 1e-2
    # It is the noise of its key, put where the stored noise would be.
    sides = {"b4.conv1": 4, "b8.conv0": 8, "b8.conv1": 8, "b16.conv0": 16, "b16.conv1": 16}
    state = dict(network.state_dict())
    for layer, (name, side) in enumerate(sides.items()):
        drawn = rng.normal(4, "synthesis-noise", [2], (1, side, side), layer)[0, 0]
        state[f"synthesis.{name}.noise_const"] = drawn.double()
    assert (reference.images(state, z[:1])[0] - found[1]).abs().max() <= 1e-11


def test_options_are_json_and_make_the_same_shapes():
    network = Generator(**SMALL, c_dim=2, conv_clamp=256, resample_filter=(1, 2, 2, 1))
    twin = Generator(**json.loads(json.dumps(network.config)))
    twin.load_state_dict(network.state_dict(), strict=True)
    assert twin.config == network.config
    z = latents(2, 12, torch.float32)
    torch.testing.assert_close(twin(z, torch.eye(2)), network(z, torch.eye(2)), rtol=0, atol=0)


def test_without_noise_inputs():
    network = redraw(Generator(**SMALL, use_noise=False).double())
    assert not [name for name in network.state_dict() if "noise" in name]
    z = latents(1, 12)
    expected = reference.images(network.state_dict(), z, noise="none")
    assert (network(z) - expected).abs().max() <= 1e-11


def test_the_latent_itself_is_a_null_direction():
    network = redraw(Generator(**{**SMALL, "resolution": 8}, c_dim=2).double())
    z, hot = latents(2, 12), torch.eye(2, dtype=torch.float64)
    spectra = jacobian_spectrum(network, z, hot, mode="forward")
    assert spectra.shape == (2, 12)
    assert (spectra[:, -1] < 1e-6 * spectra[:, 0]).all()
    assert (spectra[:, -3] > 1e-3 * spectra[:, 0]).all()
    for row in range(2):
        _, along = torch.func.jvp(
            lambda v, c=hot[row : row + 1]: network(v, c), (z[row : row + 1],), (z[row : row + 1],)
        )
        assert along.abs().max() < 1e-6


def test_the_chain_rule_through_w():
    """J_z = J_w J_mapping, each by automatic differentiation of another function."""
    network = redraw(Generator(**{**SMALL, "resolution": 8}).double())
    state = network.state_dict()
    z = latents(1, 12)
    inner = torch.autograd.functional.jacobian(lambda v: reference.mapped(state, v, None), z[0])
    outer = torch.autograd.functional.jacobian(
        lambda w: network.synthesis(w[None, None].expand(1, 4, -1)).flatten(), network.mapping(z)[0]
    )
    direct = torch.func.vmap(
        lambda v: torch.func.jvp(lambda u: network(u[None]).flatten(), (z[0],), (v,))[1]
    )(torch.eye(12, dtype=torch.float64)).T
    torch.testing.assert_close(direct, outer @ inner, rtol=1e-9, atol=1e-10)
    by_reference = torch.autograd.functional.jacobian(
        lambda v: reference.images(state, v[None]).flatten(), z[0]
    )
    torch.testing.assert_close(direct, by_reference, rtol=1e-9, atol=1e-10)


def test_bad_options_and_arguments():
    for options, message in [
        ({"resolution": 12}, "power of two"),
        ({"resolution": 2}, "power of two"),
        ({"resample_filter": (1, 2, 1)}, "four numbers"),
        ({"mapping_layers": 0}, "positive"),
        ({"resolution": 32, "channel_base": 16}, "channel_base"),
    ]:
        with pytest.raises(InputError, match=message):
            Generator(**{**SMALL, **options})
    network = Generator(**SMALL, c_dim=3)
    z = latents(1, 12, torch.float32)
    with pytest.raises(InputError, match="length 3, got none"):
        network(z)
    with pytest.raises(InputError, match=r"length 3, got \(1, 2\)"):
        network(z, torch.zeros(1, 2))
    with pytest.raises(InputError, match="const, none, random"):
        network(z, torch.eye(3)[:1], noise="fixed")
    with pytest.raises(InputError, match="noise_seed"):
        network(z, torch.eye(3)[:1], noise="random")
    with pytest.raises(InputError, match=r"ws \(n, 6, 10\)"):
        network.synthesis(torch.zeros(1, 5, 10))
