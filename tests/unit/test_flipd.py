"""FLIPD against closed forms; probes against the exact trace; bytes that do not depend on cut or order."""

import functools
import itertools
import warnings

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler, UNet2DConditionModel, UNet2DModel

from mmh.compute.memory import MemoryExceededError
from mmh.compute.rows import fixed_batches
from mmh.compute.trace import ForwardProducts, ReverseProducts
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.lid import flipd, flipd_estimate
from mmh.lid.flipd import BATCH_SIZE
from mmh.oracles.exact import EmpiricalMeasure, gaussian, random_mixture

VP = Schedule.linear_vp(0.1, 20.0)


def _projection(d, normal):
    """Make eps = P z / sigma, P a projection on `normal` directions."""
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((d, d)))[0][:, :normal]
    P = torch.from_numpy(basis @ basis.T)
    return ScoreModel.from_function(lambda z, t: z @ P / VP.sigma(t), (d,), VP, dtype=torch.float64)


def _unet(conditional=False):
    torch.manual_seed(0)
    size = {"sample_size": 8, "in_channels": 1, "out_channels": 1, "layers_per_block": 1}
    size |= {"block_out_channels": (16, 32), "norm_num_groups": 8}
    if conditional:
        net = UNet2DConditionModel(
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=6,
            attention_head_dim=8,
            **size,
        )
    else:
        net = UNet2DModel(
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
            **size,
        )
    # A fresh network answers almost 0; larger last weights make its Jacobian matter.
    with torch.no_grad():
        net.conv_out.weight.mul_(20)
    return ScoreModel.from_diffusers(net, DDPMScheduler(100, beta_schedule="squaredcos_cap_v2"))


def _mlp(width=100):
    torch.manual_seed(1)
    net = torch.nn.Sequential(torch.nn.Linear(2, width), torch.nn.SiLU(), torch.nn.Linear(width, 2))

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, z, t):
            return self.net(z)

    return ScoreModel.from_function(Network(), (2,), VP)


@pytest.mark.parametrize("t", [0.01, 0.05, 0.5, 1.0])
def test_exact_trace_gives_the_closed_forms(t):
    random = np.random.default_rng(0)
    a = random.standard_normal((6, 6))
    oracles = [
        gaussian(np.ones(6), a @ a.T, VP),
        gaussian(np.zeros(6), np.diag([1, 1, 0, 0, 0, 0.0]), VP),
        random_mixture([1, 2, 5], 6, VP, seed=0, separation=0.3),
        EmpiricalMeasure(random.standard_normal((15, 6)), VP),
    ]
    x = random.standard_normal((7, 6)) * 0.3
    for oracle in oracles:
        estimate = flipd_estimate(oracle.model, x, t, probes=None)
        np.testing.assert_allclose(estimate.value, oracle.flipd(x, t), rtol=1e-6, atol=1e-8)
        assert estimate.stderr is None
        assert estimate.value.dtype == np.float64
        np.testing.assert_allclose(estimate.value, 6 - estimate.trace + estimate.squared_norm)


def test_the_point_is_scaled_and_not_noised():
    # For N(0, I) under VP, eps = sigma z, so FLIPD = d (1 - sigma^2) + sigma^2 psi^2 |x|^2.
    oracle = gaussian(np.zeros(4), np.eye(4), VP)
    x = np.random.default_rng(1).standard_normal((5, 4))
    psi, sigma = VP.psi(0.3), VP.sigma(0.3)
    expected = 4 * psi**2 + sigma**2 * psi**2 * (x**2).sum(1)
    np.testing.assert_allclose(flipd(oracle.model, x, 0.3, probes=None), expected, rtol=1e-12)


def test_dimension_of_low_rank_data():
    oracle = random_mixture([3, 8, 20], 40, Schedule.edm(1e-3, 1.0), seed=0)
    x, component = oracle.sample(30, seed=0)
    np.testing.assert_allclose(
        flipd(oracle.model, x, 1e-6, probes=None), np.array([3, 8, 20])[component], atol=1e-2
    )


@pytest.mark.parametrize("probe", ["gaussian", "rademacher", "orthogonal"])
def test_probes_agree_with_the_exact_trace_within_their_standard_error(probe):
    a = np.random.default_rng(2).standard_normal((20, 20))
    oracle = gaussian(np.zeros(20), a @ a.T / 20, VP)
    x = np.random.default_rng(3).standard_normal((200, 20))
    estimate = flipd_estimate(oracle.model, x, 0.2, probes=8, probe=probe)
    # Studentised errors with 7 degrees of freedom: mean 0, variance 7/5.
    error = (estimate.value - oracle.flipd(x, 0.2)) / estimate.stderr
    assert abs(error.mean()) < 5 * np.sqrt(1.4 / 200)
    assert 0.9 < error.var() < 2.1


@pytest.mark.parametrize(
    ("probe", "probes", "variance"),
    [
        # One probe on a projection of rank k = 12 in d = 16: 2k, 2k(1 - k/d) on average over rotations.
        ("gaussian", 1, 24.0),
        ("gaussian", 4, 6.0),
        # A uniform direction: d^2 times the variance of a Beta(k/2, (d-k)/2) variable.
        ("orthogonal", 1, 256 * 6 * 2 / (64 * 9)),
        # Drawn without replacement: (d - m) / (d - 1) of the independent variance.
        ("orthogonal", 4, 256 * 6 * 2 / (64 * 9) / 4 * 12 / 15),
    ],
)
def test_probe_variance(probe, probes, variance):
    model = _projection(16, 12)
    x = np.zeros((4000, 16))
    estimate = flipd_estimate(model, x, 0.5, probes=probes, probe=probe, batch_size=1024)
    assert estimate.trace.mean() == pytest.approx(12, abs=5 * np.sqrt(variance / 4000))
    assert estimate.trace.var() == pytest.approx(variance, rel=0.15)
    if probes > 1:
        assert np.mean(estimate.stderr**2) == pytest.approx(variance, rel=0.1)


def test_rademacher_variance_comes_from_the_off_diagonal_alone():
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((16, 16)))[0][:, :12]
    P = basis @ basis.T
    estimate = flipd_estimate(_projection(16, 12), np.zeros((4000, 16)), 0.5, probe="rademacher")
    expected = 2 * (P**2).sum() - 2 * (np.diag(P) ** 2).sum()
    assert estimate.trace.var() == pytest.approx(expected, rel=0.15)


def test_as_many_orthogonal_probes_as_dimensions_are_exact():
    model = _projection(16, 5)
    estimate = flipd_estimate(model, np.ones((3, 16)), 0.5, probes=16, probe="orthogonal")
    np.testing.assert_allclose(estimate.trace, 5, rtol=1e-10)
    np.testing.assert_allclose(estimate.stderr, 0, atol=1e-10)


@pytest.mark.parametrize("probe", ["gaussian", "rademacher"])
def test_a_probe_does_not_depend_on_how_many_follow(probe):
    model, x = _projection(8, 3), np.zeros((2, 8))
    one, two = (flipd_estimate(model, x, 0.5, probes=m, probe=probe).trace for m in (1, 2))
    spread = flipd_estimate(model, x, 0.5, probes=2, probe=probe).stderr
    # Of two values a, b: mean - a = (b - a) / 2 and the standard error is |b - a| / 2.
    np.testing.assert_allclose(np.abs(two - one), spread, rtol=1e-9)


def test_probes_differ_between_ids_and_seeds():
    model, x = _projection(8, 3), np.zeros((3, 8))
    a = flipd(model, x, 0.5, ids=[4, 5, 4])
    assert a[0] == a[2]
    assert a[0] != a[1]
    assert flipd(model, x, 0.5, ids=[4, 5, 4], seed=1)[0] != a[0]


@pytest.mark.parametrize(("name", "probes"), [("unet", 2), ("mlp", None), ("oracle", 3)])
def test_bytes_do_not_depend_on_cut_or_order(name, probes):
    model = {
        "unet": _unet,
        "mlp": _mlp,
        "oracle": lambda: random_mixture([1, 3, 7], 11, VP, seed=0).model,
    }[name]()
    random = np.random.default_rng(4)
    n = 37
    x = random.standard_normal((n, *model.shape)).astype(np.float32)
    ids = random.permutation(1000)[:n]
    # 10 rows are no multiple of the kernels' tiles: their places do differ in the last bits.
    options = {"probes": probes, "batch_size": 10}
    whole = flipd(model, x, 0.1, ids=ids, **options)
    order = random.permutation(n)
    shuffled = flipd(model, x[order], 0.1, ids=ids[order], **options)
    assert shuffled.tobytes() == whole[order].tobytes()
    cuts = [0, 1, 12, 30, n]
    parts = [flipd(model, x[a:b], 0.1, ids=ids[a:b], **options) for a, b in itertools.pairwise(cuts)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_batches_of_one_row_agree_with_large_ones():
    model = _unet()
    x = np.random.default_rng(5).standard_normal((5, 1, 8, 8)).astype(np.float32)
    np.testing.assert_allclose(
        flipd(model, x, 0.1, probes=2, batch_size=1), flipd(model, x, 0.1, probes=2), rtol=1e-4
    )


def test_unet_trace_agrees_with_its_full_jacobian():
    model = _unet()
    x = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    psi, sigma = model.schedule.psi(0.2), model.schedule.sigma(0.2)
    for i, value in enumerate(flipd(model, x, 0.2, probes=None)):
        z = psi * x[i : i + 1]
        jacobian = torch.autograd.functional.jacobian(lambda u: model.eps(u, 0.2).flatten(), z).reshape(
            64, 64
        )
        expected = 64 - sigma * jacobian.double().trace() + model.eps(z, 0.2).double().square().sum()
        assert abs(sigma * float(jacobian.trace())) > 0.5
        assert value == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("guided", [False, True])
def test_conditioning_follows_its_rows_with_several_probes(guided):
    base = _unet(conditional=True)
    random = torch.Generator().manual_seed(0)
    x = torch.randn(21, 1, 8, 8, generator=random)
    c, null = 3 * torch.randn(21, 4, 6, generator=random), torch.zeros(1, 4, 6)

    def bind(rows):
        return base.guided(c[rows], null, 7.5) if guided else base.conditioned(c[rows])

    options = {"probes": 3, "seed": 3, "batch_size": 16}
    whole = flipd(bind(range(21)), x, 0.2, **options)
    alone = [flipd(bind([i]), x[i : i + 1], 0.2, ids=[i], **options)[0] for i in (0, 15, 16, 20)]
    np.testing.assert_allclose(whole[[0, 15, 16, 20]], alone, rtol=1e-4)
    wrong = flipd(bind([*range(1, 21), 0]), x, 0.2, **options)
    assert np.abs(wrong - whole).max() > 1e-2


def test_guided_jacobian_is_that_of_the_whole_sum():
    base, lam = _unet(conditional=True), 7.5
    x = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    c, null = 3 * torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(2)), torch.zeros(1, 4, 6)
    traces = [
        flipd_estimate(model, x, 0.2, probes=None).trace
        for model in (base.conditioned(null), base.conditioned(c), base.guided(c, null, lam))
    ]
    np.testing.assert_allclose(traces[2], traces[0] + lam * (traces[1] - traces[0]), rtol=1e-3, atol=1e-3)


def test_it_works_without_gradients_and_in_inference_mode():
    oracle = gaussian(np.zeros(3), np.eye(3), VP)
    x = np.ones((2, 3))
    expected = oracle.flipd(x, 0.1)
    with torch.no_grad():
        np.testing.assert_allclose(flipd(oracle.model, x, 0.1, probes=None), expected, rtol=1e-10)
    with torch.inference_mode():
        value = flipd(oracle.model, torch.ones(2, 3, dtype=torch.float64), 0.1, probes=None)
    np.testing.assert_allclose(value, expected, rtol=1e-10)


def test_half_precision_does_not_overflow_in_the_norm():
    # |eps| = 300 * sqrt(64) = 2400: its square is far above the largest half-precision number, 65504.
    model = ScoreModel.from_function(lambda z, t: 300 + 0 * z, (64,), VP, dtype=torch.float16)
    value = flipd(model, np.zeros((1, 64), np.float32), 0.5, probes=None)
    np.testing.assert_allclose(value, 64 + 64 * 300.0**2, rtol=1e-3)


def test_an_id_always_has_the_same_place():
    ids = np.array([13, 3, 8, 7, 3, 103, -2])
    seen = []
    for rows, places in fixed_batches(ids, 5):
        assert rows.shape == (5,)
        np.testing.assert_array_equal(ids[rows[places]] % 5, places)
        seen += rows[places].tolist()
    assert sorted(seen) == list(range(7))
    contiguous = list(fixed_batches(np.arange(10, 20), 5))
    assert [b[0].tolist() for b in contiguous] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert flipd(_projection(4, 1), np.zeros((0, 4)), 0.5).shape == (0,)


def test_bad_input():
    model, x = _projection(4, 1), np.zeros((3, 4))
    for t in (0.0, 1.5):
        with pytest.raises(InputError, match=r"\(0, 1\]"):
            flipd(model, x, t)
    with pytest.raises(InputError, match="got"):
        flipd(model, np.zeros((3, 5)), 0.1)
    with pytest.raises(InputError, match="floating"):
        flipd(model, np.zeros((3, 4), np.uint8), 0.1)
    with pytest.raises(InputError, match="id 8"):
        flipd(model, np.array([[0, 0, 0, 0], [0, np.nan, 0, 0]]), 0.1, ids=[7, 8])
    with pytest.raises(InputError, match="3 integer ids"):
        flipd(model, x, 0.1, ids=[1, 2])
    with pytest.raises(InputError, match="at least 1"):
        flipd(model, x, 0.1, probes=0)
    with pytest.raises(InputError, match="probe must be"):
        flipd(model, x, 0.1, probe="uniform")
    with pytest.raises(InputError, match="orthogonal"):
        flipd(model, x, 0.1, probes=5, probe="orthogonal")
    with pytest.raises(InputError, match="batch_size"):
        flipd(model, x, 0.1, batch_size=0)
    with pytest.raises(InputError, match="conditioning has 2 rows for 3"):
        flipd(model.conditioned(np.zeros((2, 1))), x, 0.1)
    with pytest.raises(InputError, match="mode must be"):
        flipd(model, x, 0.1, mode="backward")
    with pytest.raises(InputError, match="reverse"):
        flipd(model, x, 0.1, mode="forward", compile=True)
    for probes in (2, 5):
        with pytest.raises(InputError, match=r"3\.\.d=4"):
            flipd(model, x, 0.1, probes=probes, probe="hutch++")


def test_a_result_that_is_not_finite_names_its_id():
    model = ScoreModel.from_function(lambda z, t: torch.where(z > 1, torch.inf, z), (2,), VP)
    with pytest.raises(InputError, match=r"not finite: id 12$"):
        flipd(model, np.array([[0.0, 0.0], [9.0, 0.0]]), 0.1, ids=[11, 12])


@pytest.mark.parametrize("conditional", [False, True])
def test_forward_mode_agrees_with_reverse_mode(conditional):
    model = _unet(conditional)
    random = torch.Generator().manual_seed(0)
    x = torch.randn(3, 1, 8, 8, generator=random)
    if conditional:
        c = 3 * torch.randn(3, 4, 6, generator=random)
        model = model.guided(c, torch.zeros(1, 4, 6), 7.5)
    options = {"probes": 2, "probe": "gaussian", "batch_size": 2}
    forward = flipd_estimate(model, x, 0.2, mode="forward", **options)
    reverse = flipd_estimate(model, x, 0.2, **options)
    np.testing.assert_allclose(forward.value, reverse.value, rtol=1e-4)
    np.testing.assert_allclose(forward.squared_norm, reverse.squared_norm, rtol=1e-5)
    assert np.abs(reverse.trace).min() > 0.1


def test_one_product_is_of_the_jacobian_and_the_other_of_its_transpose():
    a = torch.randn(5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    model = ScoreModel.from_function(lambda z, t: z @ a.T, (5,), VP, dtype=torch.float64)
    v = torch.arange(10.0, dtype=torch.float64).reshape(2, 5)
    z = torch.ones(2, 5, dtype=torch.float64)
    torch.testing.assert_close(ForwardProducts(model, z, 0.1).product(v, last=True), v @ a.T)
    torch.testing.assert_close(ReverseProducts(model, z, 0.1).product(v, last=True), v @ a)


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_hutch_plus_plus_is_exact_on_a_low_rank_and_unbiased_on_any(mode):
    # Nine probes find a rank of 3: nothing is left to chance.
    low = flipd_estimate(_projection(16, 3), np.ones((4, 16)), 0.5, probes=9, probe="hutch++", mode=mode)
    np.testing.assert_allclose(low.trace, 3, rtol=1e-9)
    np.testing.assert_allclose(low.stderr, 0, atol=1e-9)
    a = np.random.default_rng(2).standard_normal((20, 20)) / 4
    b = torch.from_numpy(a)  # not symmetric
    model = ScoreModel.from_function(lambda z, t: z @ b, (20,), VP, dtype=torch.float64)
    estimate = flipd_estimate(model, np.zeros((600, 20)), 0.5, probes=12, probe="hutch++", mode=mode)
    error = estimate.trace - VP.sigma(0.5) * np.trace(a)
    assert abs(error.mean()) < 5 * error.std() / np.sqrt(600)
    assert np.mean(estimate.stderr**2) == pytest.approx(error.var(), rel=0.25)
    assert flipd_estimate(model, np.zeros((2, 20)), 0.5, probes=3, probe="hutch++").stderr is None


def test_hutch_plus_plus_beats_as_many_plain_probes_on_a_decaying_spectrum():
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((30, 30)))[0]
    a = torch.from_numpy((basis * np.exp(-np.arange(30.0))) @ basis.T)
    model = ScoreModel.from_function(lambda z, t: z @ a, (30,), VP, dtype=torch.float64)
    spread = [
        flipd_estimate(model, np.zeros((300, 30)), 0.5, probes=12, probe=p).trace.std()
        for p in ("hutch++", "rademacher")
    ]
    assert spread[0] < 0.1 * spread[1]


class _Half(torch.nn.Module):
    """Answers z^4: above 16 its half precision overflows."""

    def __init__(self):
        super().__init__()
        self.one = torch.nn.Parameter(torch.ones(()))

    def forward(self, z, t):
        return self.one * z * z * z * z


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_half_precision_is_retried_in_float32_where_it_overflows(mode):
    half, full = (ScoreModel.from_function(_Half().to(dtype), (2,), VP) for dtype in (torch.float16, None))
    x = np.array([[1.0, 2.0], [30.0, 1.0], [1.0, -1.0], [-40.0, 40.0]], np.float32)
    options = {"probes": None, "ids": [4, 5, 6, 7], "mode": mode}
    estimate = flipd_estimate(half, x, 0.01, **options)
    expected = flipd_estimate(full, x, 0.01, **options)
    assert (estimate.retried, expected.retried) == (2, 0)
    np.testing.assert_allclose(estimate.value[[1, 3]], expected.value[[1, 3]], rtol=1e-12)
    np.testing.assert_allclose(estimate.value[[0, 2]], expected.value[[0, 2]], rtol=0.02)
    assert half.dtype == next(half.module.parameters()).dtype == torch.float16


def test_conditioning_follows_the_samples_that_are_retried():
    model = ScoreModel.from_function(lambda z, t, c: z * z * c, (1,), VP, dtype=torch.float16).conditioned(
        np.array([[1.0], [2.0], [3.0]], np.float32)
    )
    x = np.array([[1.0], [300.0], [300.0]], np.float32)
    estimate = flipd_estimate(model, x, 0.01, probes=None)
    z = VP.psi(0.01) * x[:, 0]
    c = np.array([1.0, 2.0, 3.0])
    assert estimate.retried == 2
    np.testing.assert_allclose(estimate.value, 1 - VP.sigma(0.01) * 2 * z * c + (z**2 * c) ** 2, rtol=0.01)


def test_the_batch_is_halved_when_memory_runs_out():
    largest = []

    def network(z, t):
        largest.append(len(z))
        if len(z) > 3:
            raise torch.OutOfMemoryError("none left")
        return z * z

    model = ScoreModel.from_function(network, (2,), VP, dtype=torch.float64)
    x = np.random.default_rng(0).standard_normal((11, 2))
    found = flipd(model, x, 0.1, probes=2, batch_size=None)
    assert largest[0] == BATCH_SIZE
    assert set(largest[-6:]) == {2}, "all of it is done anew with half of the rows"
    np.testing.assert_allclose(found, flipd(model, x, 0.1, probes=2, batch_size=1))
    with pytest.raises(MemoryExceededError, match="batches of 8 do not fit"):
        flipd(model, x, 0.1, batch_size=8)
    always = ScoreModel.from_function(lambda z, t: network(z.repeat(4, 1), t)[:1], (2,), VP)
    with pytest.raises(MemoryExceededError, match="batches of 1 do not fit"):
        flipd(always, x, 0.1, batch_size=None)


def test_without_a_batch_size_a_cpu_uses_the_fixed_one():
    model, x = _unet(), np.random.default_rng(5).standard_normal((3, 1, 8, 8)).astype(np.float32)
    assert flipd(model, x, 0.1, batch_size=None).tobytes() == flipd(model, x, 0.1).tobytes()


def test_compiled_code_agrees(monkeypatch):
    # Traced and differentiated ahead of time as by default, but without generating code: that takes minutes.
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    model, x = _mlp(16), np.random.default_rng(5).standard_normal((5, 2)).astype(np.float32)
    options = {"probes": 3, "batch_size": 4}
    np.testing.assert_allclose(
        flipd(model, x, 0.1, compile=True, **options), flipd(model, x, 0.1, **options), rtol=1e-4, atol=1e-5
    )
    assert [compiled for _, compiled in model.variants] == [True]


@pytest.mark.parametrize(("low", "high", "scale"), [(0, 1, r"\[0, 1\]"), (0, 255, r"0\.\.255")])
def test_images_on_another_scale_are_warned_of(low, high, scale):
    model = ScoreModel.from_function(lambda z, t: z, (1, 4, 4), VP)
    x = np.random.default_rng(0).uniform(low, high, (2, 1, 4, 4)).astype(np.float32)
    with pytest.warns(UserWarning, match=f"to {x.max():.4g}, as on {scale}"):
        flipd(model, x, 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flipd(model, 2 * x / high - 1, 0.1)
        flipd(model, np.ones_like(x), 0.1)
        flipd(_projection(4, 1), np.ones((1, 4)), 0.1)
