"""On a GPU: the numbers of a CPU, bits that repeat, memory that is found, halved and given back."""

import copy
import gc

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel

from mmh.compute import trace
from mmh.compute.attention import full_float32
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.diffusion.variants import variant
from mmh.errors import InputError
from mmh.lid.flipd import flipd, flipd_estimate
from mmh.lid.jacobian import jacobian_spectrum
from mmh.lid.normal_bundle import normal_bundle_groups, normal_bundle_spectrum
from mmh.lid.spectra import count_below, pooled_threshold
from mmh.models import loading as models
from mmh.models.ddpm import model as ddpm_model
from mmh.models.ddpm import network as ddpm_network
from mmh.models.ddpm import sampling as ddpm_sampling
from mmh.models.edm import model as edm_model
from mmh.models.edm.network import EdmNetwork

VP = Schedule.linear_vp(0.1, 20.0)
T0 = 0.05
DEVICE = "cuda"
# Rounding of float32 networks, in dimensions per dimension. TF32 anywhere would exceed it a hundred times.
AGREEMENT = 1e-5


def _network(side, channels, seed=0):
    """The demo's UNet, its last weights doubled: noise of about unit size, as from a trained one."""
    network = ddpm_network.build(sample_size=side, channels=channels, seed=seed)
    with torch.no_grad():
        network.conv_out.weight.mul_(2)
    return network


def _pair(side=8, channels=1, dtype=torch.float32):
    """Give the same model on the CPU and on the device."""
    scheduler, network = ddpm_network.noise_schedule(), _network(side, channels).to(dtype)
    moved = copy.deepcopy(network).to(DEVICE)
    return ScoreModel.from_diffusers(network, scheduler), ScoreModel.from_diffusers(moved, scheduler)


def _images(model, n):
    return np.tanh(np.random.default_rng(1).standard_normal((n, *model.shape))).astype(np.float32)


def _linear(d, normal, device=DEVICE):
    """Make eps = P z / sigma in float64, P a projection on `normal` directions: FLIPD(x) is known."""
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((d, d)))[0][:, :normal]
    P = torch.from_numpy(basis @ basis.T)
    place = P.to(device)
    function = lambda z, t: z @ place / VP.sigma(t)  # noqa: E731
    return ScoreModel.from_function(function, (d,), VP, dtype=torch.float64, device=device), P.numpy()


@pytest.mark.parametrize(("side", "channels"), [(8, 1), (32, 3)])
@pytest.mark.parametrize("options", [{}, {"probes": 8, "probe": "rademacher"}, {"mode": "forward"}])
def test_flipd_agrees_with_the_cpu(side, channels, options):
    ours, theirs = _pair(side, channels)
    x = _images(ours, 16)
    here = flipd_estimate(ours, x, T0, batch_size=16, **options)
    there = flipd_estimate(theirs, x, T0, batch_size=16, **options)
    assert np.ptp(here.trace) > 100 * AGREEMENT * ours.dim  # something to disagree about
    np.testing.assert_allclose(there.value, here.value, rtol=0, atol=AGREEMENT * ours.dim)


def test_reduced_precision_is_off_meanwhile_and_put_back():
    switches = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [switch.allow_tf32 for switch in switches]
    ours, theirs = _pair()
    x = _images(ours, 4)
    try:
        for switch in switches:
            switch.allow_tf32 = True
        value = flipd(theirs, x, T0)
        spectrum = normal_bundle_spectrum(theirs, x[:1], T0)
        assert [switch.allow_tf32 for switch in switches] == [True, True]
        assert not torch.are_deterministic_algorithms_enabled()
        for switch in switches:
            switch.allow_tf32 = False
        assert flipd(theirs, x, T0).tobytes() == value.tobytes()
        assert normal_bundle_spectrum(theirs, x[:1], T0).tobytes() == spectrum.tobytes()
    finally:
        for switch, allowed in zip(switches, before, strict=True):
            switch.allow_tf32 = allowed


def test_flipd_of_a_projection_is_its_closed_form():
    model, P = _linear(48, 30)
    x = np.random.default_rng(3).standard_normal((5, 48))
    z = VP.psi(0.3) * x
    expected = 48 - 30 + ((z @ P / VP.sigma(0.3)) ** 2).sum(1)
    np.testing.assert_allclose(flipd(model, x, 0.3, probes=None), expected, rtol=1e-10)


def test_conditions_travel_to_the_device():
    torch.manual_seed(0)
    network = UNet2DConditionModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        layers_per_block=1,
        block_out_channels=(16, 32),
        norm_num_groups=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=6,
        attention_head_dim=8,
    )
    with torch.no_grad():
        network.conv_out.weight.mul_(2)
    c, null = np.random.default_rng(0).standard_normal((2, 5, 3, 6)).astype(np.float32)
    values = []
    for device in ("cpu", DEVICE):
        model = ScoreModel.from_diffusers(copy.deepcopy(network).to(device), ddpm_network.noise_schedule())
        values.append(flipd(model.guided(c, null, 3.0), _images(model, 5), T0, batch_size=3))
    np.testing.assert_allclose(values[1], values[0], rtol=0, atol=AGREEMENT * 64)


def test_the_spectrum_of_known_scores_is_that_of_an_svd():
    here, _ = _linear(40, 25, "cpu")
    there, _ = _linear(40, 25)
    x = np.random.default_rng(0).standard_normal((2, 40))
    expected = normal_bundle_spectrum(here, x, 0.1, seed=3)
    found = normal_bundle_spectrum(there, x, 0.1, seed=3)
    np.testing.assert_allclose(found[:, :25], expected[:, :25], rtol=1e-9)
    assert (found[:, 25:] < 1e-6 * found[:, :1]).all()
    for copies in (13, 70):
        spectra, left_out = normal_bundle_groups(there, x, 0.1, groups=3, copies=copies, seed=3)
        whole, without = normal_bundle_groups(here, x, 0.1, groups=3, copies=copies, seed=3)
        scale = whole.max()
        np.testing.assert_allclose(spectra, whole, rtol=1e-7, atol=1e-6 * scale)
        np.testing.assert_allclose(left_out, without, rtol=1e-7, atol=1e-6 * scale)


def test_normal_bundle_agrees_with_the_cpu():
    ours, theirs = _pair()
    x = _images(ours, 6)
    here, there = (normal_bundle_spectrum(m, x, T0) for m in (ours, theirs))
    np.testing.assert_allclose(there, here, rtol=1e-4, atol=1e-5 * here.max())
    # A value at the threshold may fall on either side of it.
    dims = [count_below(s, pooled_threshold(s, 50)) for s in (here, there)]
    assert np.abs(dims[0] - dims[1]).max() <= 1
    assert np.ptp(dims[0]) > 1


def test_the_jacobian_of_a_generator_agrees_with_the_cpu():
    torch.manual_seed(0)
    generator = torch.nn.Sequential(
        torch.nn.Linear(12, 32), torch.nn.SiLU(), torch.nn.Unflatten(1, (2, 4, 4)), torch.nn.Conv2d(2, 3, 3)
    ).double()
    z = torch.randn(3, 12, dtype=torch.float64)
    here = jacobian_spectrum(generator, z)
    for chunk in (5, 64):
        there = jacobian_spectrum(copy.deepcopy(generator).to(DEVICE), z.to(DEVICE), chunk=chunk)
        np.testing.assert_allclose(there, here, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_bits_do_not_depend_on_order_or_cut(dtype):
    _, model = _pair(32, 3, dtype)
    x, ids = _images(model, 24), np.arange(40, 64)
    options = {"batch_size": 8, "probes": 2}
    whole = flipd(model, x, T0, ids=ids, **options)
    assert flipd(model, x, T0, ids=ids, **options).tobytes() == whole.tobytes()
    order = np.random.default_rng(2).permutation(24)
    assert flipd(model, x[order], T0, ids=ids[order], **options).tobytes() == whole[order].tobytes()
    parts = [
        flipd(model, x[part], T0, ids=ids[part], **options) for part in np.split(np.arange(24), [5, 8, 19])
    ]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_bits_of_a_spectrum_do_not_depend_on_company():
    _, model = _pair()
    x = _images(model, 3)
    whole = normal_bundle_spectrum(model, x, T0, ids=[7, 3, 5])
    alone = [normal_bundle_spectrum(model, x[[i]], T0, ids=[id_]) for i, id_ in enumerate([7, 3, 5])]
    assert np.concatenate(alone).tobytes() == whole.tobytes()


def _count_calls(monkeypatch):
    """Record (rows, finished) of every batch of FLIPD."""
    calls, inner = [], trace.noise_traces

    def counted(model, x, *arguments, **options):
        calls.append([len(x), False])
        result = inner(model, x, *arguments, **options)
        calls[-1][1] = True
        return result

    monkeypatch.setattr(trace, "noise_traces", counted)
    return calls


def test_the_automatic_batch_size_gives_the_same_values(monkeypatch):
    _, model = _pair(32, 3)
    x = _images(model, 40)
    fixed = flipd(model, x, T0, batch_size=10)
    calls = _count_calls(monkeypatch)
    found = flipd(model, x, T0, batch_size=None)
    # Ever more rows to learn what they take, then 40 images in one batch: the next power of two holds them.
    assert calls == [[1 << i, True] for i in range(7)] + [[64, True]]
    np.testing.assert_allclose(found, fixed, rtol=0, atol=AGREEMENT * model.dim)


def _wide(width):
    """Give a network whose backward pass holds several `width` floats per row."""
    random = torch.Generator().manual_seed(0)
    a, b = (torch.randn(shape, generator=random) / 8 for shape in ((64, width), (width, 64)))
    a, b = a.to(DEVICE), (b / width**0.5).to(DEVICE)
    return ScoreModel.from_function(lambda z, t: torch.tanh(z @ a) @ b, (64,), VP, device=DEVICE)


def test_a_size_that_runs_out_of_memory_is_not_taken(monkeypatch):
    model, x = _wide(2**19), np.random.default_rng(0).standard_normal((256, 64)).astype(np.float32)
    expected = flipd(model, x, T0, batch_size=16)
    calls = _count_calls(monkeypatch)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    # Room for the network and 512 MiB: 256 rows of at least 4 MiB take more, and so do 128.
    room = (torch.cuda.memory_reserved() + 2**29) / total
    try:
        torch.cuda.set_per_process_memory_fraction(room)
        found = flipd(model, x, T0, batch_size=None)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    chosen = calls[-1][0]
    assert chosen < 128
    # Free memory is that of the card, so only trying tells that the process may not have it.
    assert [rows for rows, finished in calls if not finished] == [2 * chosen]
    assert [rows for rows, finished in calls if finished][-256 // chosen :] == [chosen] * (256 // chosen)
    np.testing.assert_allclose(found, expected, rtol=0, atol=AGREEMENT * model.dim)


def test_a_batch_size_that_was_asked_for_is_not_changed():
    model, x = _wide(2**19), np.zeros((256, 64), np.float32)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    try:
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 2**29) / total)
        with pytest.raises(torch.OutOfMemoryError):
            flipd(model, x, T0, batch_size=256)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_one_row_too_many_is_said_plainly():
    model = _wide(2**19)
    many = ScoreModel.from_function(lambda z, t: model.eps(z.repeat(256, 1), t)[:1], (64,), VP, device=DEVICE)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    try:
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 2**29) / total)
        with pytest.raises(InputError, match="one sample does not fit"):
            flipd(many, np.zeros((3, 64), np.float32), T0, batch_size=None)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


class _Fourth(torch.nn.Module):
    """Answers z^4: above 16 its half precision overflows."""

    def __init__(self):
        super().__init__()
        self.one = torch.nn.Parameter(torch.ones(()))

    def forward(self, z, t):
        return self.one * z * z * z * z


def test_half_precision_is_retried_in_float32_on_the_device():
    half = ScoreModel.from_function(_Fourth().to(DEVICE, torch.float16), (2,), VP)
    full = ScoreModel.from_function(_Fourth(), (2,), VP)
    x = np.array([[1.0, 2.0], [30.0, 1.0], [1.0, -1.0], [-40.0, 40.0]], np.float32)
    found = flipd_estimate(half, x, 0.01, probes=None)
    expected = flipd_estimate(full, x, 0.01, probes=None)
    assert found.retried == 2
    np.testing.assert_allclose(found.value[[1, 3]], expected.value[[1, 3]], rtol=1e-6)
    np.testing.assert_allclose(found.value[[0, 2]], expected.value[[0, 2]], rtol=0.02)
    again = variant(half, dtype=torch.float32)
    assert (again.device.type, again.dtype, half.dtype) == (half.device.type, torch.float32, torch.float16)


def test_memory_is_given_back():
    _, model = _pair(32, 3)
    x = _images(model, 32)

    def work():
        flipd(model, x, T0, probes=2, batch_size=None)
        flipd(model, x, T0, mode="forward", batch_size=16)
        normal_bundle_groups(model, x[:1], T0, groups=2, copies=64)

    work()  # libraries take workspaces that they keep
    gc.collect()
    before = torch.cuda.memory_allocated()
    work()
    gc.collect()
    assert torch.cuda.memory_allocated() == before


def test_samples_agree_with_the_cpu():
    network, scheduler = _network(8, 1), ddpm_network.noise_schedule()
    options = {"seed": 3, "steps": 20, "batch_size": 8}
    with full_float32():
        here = ddpm_sampling.sample(network, scheduler, range(12), **options)
        there = ddpm_sampling.sample(copy.deepcopy(network).to(DEVICE), scheduler, range(12), **options)
        parts = [
            ddpm_sampling.sample(network.to(DEVICE), scheduler, ids, **options) for ids in ([11, 2], range(5))
        ]
    np.testing.assert_allclose(there, here, rtol=0, atol=1e-4 * np.abs(here).max())
    assert parts[0].tobytes() == there[[11, 2]].tobytes()
    assert parts[1].tobytes() == there[:5].tobytes()


def test_a_model_folder_is_loaded_onto_the_device(tmp_path):
    ddpm_model.save(tmp_path / "unet", _network(8, 1), ddpm_network.noise_schedule())
    edm_model.save(tmp_path / "edm", EdmNetwork(dim=16))
    for folder in ("unet", "edm"):
        models_ = [models.load_model(tmp_path / folder, device=device) for device in ("cpu", DEVICE)]
        here, there = (model.score_model() for model in models_)
        assert there.device.type == DEVICE
        x = _images(here, 3)
        np.testing.assert_allclose(flipd(there, x, T0), flipd(here, x, T0), rtol=0, atol=AGREEMENT * here.dim)
        drawn = models_[1].sample([5, 1], seed=0, steps=3, batch_size=4)
        assert drawn.dtype == np.float32
        assert np.isfinite(drawn).all()
