"""Schedules against their formulas; score models against each other."""

import json
import math

import numpy as np
import pytest
import torch
from diffusers import (
    DDPMPipeline,
    DDPMScheduler,
    EDMEulerScheduler,
    FlowMatchEulerDiscreteScheduler,
    UNet2DConditionModel,
    UNet2DModel,
)

from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError


def tiny_unet(channels=1, out_channels=1, dropout=0.0, size=4):
    torch.manual_seed(0)
    return UNet2DModel(
        sample_size=size,
        in_channels=channels,
        out_channels=out_channels,
        layers_per_block=1,
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4,
        attention_head_dim=8,
        dropout=dropout,
    ).double()


def tiny_conditional_unet():
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=4,
        in_channels=1,
        out_channels=1,
        layers_per_block=1,
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4,
        attention_head_dim=8,
        cross_attention_dim=6,
    ).double()


class Converted(torch.nn.Module):
    """Answers in v or x what `unet` answers in eps."""

    def __init__(self, unet, scheduler, kind):
        super().__init__()
        self.unet, self.kind, self.config = unet, kind, unet.config
        self.abar = scheduler.alphas_cumprod.double()

    def forward(self, sample, timestep, return_dict=True):
        eps = self.unet(sample, timestep=timestep, return_dict=False)[0]
        abar = self.abar[timestep.long()].reshape(-1, 1, 1, 1)
        psi, sigma = abar.sqrt(), (1 - abar).sqrt()
        x0 = (sample - sigma * eps) / psi
        return ((psi * eps - sigma * x0) if self.kind == "v_prediction" else x0,)


def test_linear_vp_is_the_integral_of_beta():
    schedule = Schedule.linear_vp(0.1, 20.0)
    t = 0.3
    grid = np.linspace(0, t, 100_001)
    B = np.trapezoid(0.1 + 19.9 * grid, grid)
    assert schedule.psi(t) == pytest.approx(math.exp(-B / 2), rel=1e-9)
    assert schedule.sigma(t) == pytest.approx(math.sqrt(1 - math.exp(-B)), rel=1e-9)
    assert schedule.index(t) is None


def test_small_noise_keeps_its_digits():
    # sigma^2 = 1 - exp(-B) with B about 1e-10: 1 - exp(-B) itself would have 6 digits left.
    sigma = Schedule.linear_vp(0.1, 20.0).sigma(1e-9)
    assert sigma == pytest.approx(1e-5, rel=1e-7)


def test_stable_diffusion_table():
    # Values worked out from the scaled-linear law, in docs as sigma(t) at t = .05, .1, .5.
    schedule = Schedule.from_scheduler(
        DDPMScheduler(1000, beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
    )
    t = np.array([0.05, 0.1, 0.5])
    np.testing.assert_array_equal(schedule.index(t), [50, 100, 500])
    np.testing.assert_allclose(schedule.sigma(t), [0.22005, 0.32523, 0.85069], atol=6e-6)
    np.testing.assert_allclose(schedule.psi(t), [0.97549, 0.94563, 0.52567], atol=6e-6)


def test_iddpm_cosine():
    schedule = Schedule.cosine(4000)
    assert schedule.index(0.1) == 400
    assert schedule.sigma(0.1) == pytest.approx(0.16744, abs=6e-6)
    assert schedule.psi(0.1) == pytest.approx(0.98588, abs=6e-6)
    twin = Schedule.from_scheduler(DDPMScheduler(4000, beta_schedule="squaredcos_cap_v2"))
    np.testing.assert_array_equal(
        twin.sigma(np.linspace(0.01, 1, 50)), schedule.sigma(np.linspace(0.01, 1, 50))
    )


def test_scheduler_tables_are_float64():
    scheduler = DDPMScheduler(1000, beta_start=1e-4, beta_end=0.02)
    schedule = Schedule.from_scheduler(scheduler)
    # index 1: 1 - (1 - b0)(1 - b1) exactly, where the float32 table is off in the fourth digit.
    b = np.linspace(1e-4, 0.02, 1000)[:2]
    exact = b.sum() - b.prod()
    assert schedule.sigma(0.001) ** 2 == pytest.approx(exact, rel=1e-11)
    assert abs(1 - float(scheduler.alphas_cumprod[1]) - exact) > 1e-9


def test_a_table_of_its_own_is_kept():
    scheduler = DDPMScheduler(10, rescale_betas_zero_snr=True)
    schedule = Schedule.from_scheduler(scheduler)
    np.testing.assert_allclose(
        schedule.psi(np.arange(1, 10) / 10) ** 2, scheduler.alphas_cumprod.double().numpy()[1:], rtol=1e-12
    )


def test_edm():
    schedule = Schedule.edm(0.005, 3.0)
    assert schedule.psi(0.2) == 1.0
    assert schedule.sigma(1.0) == pytest.approx(3.0, rel=1e-14)
    assert schedule.sigma(0.5) == pytest.approx(math.sqrt(0.005 * 3.0), rel=1e-14)
    assert schedule.index(0.5) is None


def test_step_of_a_time():
    schedule = Schedule.cosine(1000)
    assert [schedule.index(t) for t in (1e-6, 0.0014, 0.05, 0.999, 1.0)] == [0, 1, 50, 999, 999]


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule.from_alphas_cumprod([0.9, 0.5, 0.1]),
        Schedule.cosine(7),
        Schedule.linear_vp(0.1, 20),
        Schedule.edm(0.01, 5),
    ],
)
def test_json_round_trip_is_exact(schedule):
    twin = Schedule.from_dict(json.loads(json.dumps(schedule.to_dict())))
    t = np.linspace(0.01, 1, 23)
    assert twin == schedule
    np.testing.assert_array_equal(twin.sigma(t), schedule.sigma(t))
    np.testing.assert_array_equal(twin.psi(t), schedule.psi(t))
    assert isinstance(schedule.sigma(0.3), float)


def test_bad_schedules():
    for t in (0.0, 1.0001, -0.1, float("nan")):
        with pytest.raises(InputError, match=r"\(0, 1\]"):
            Schedule.cosine(10).sigma(t)
    with pytest.raises(InputError, match="rises"):
        Schedule.from_alphas_cumprod([0.5, 0.6])
    with pytest.raises(InputError, match="not a schedule"):
        Schedule.from_dict({"kind": "linear"})
    with pytest.raises(InputError, match="alphas_cumprod"):
        Schedule.from_scheduler(EDMEulerScheduler())
    with pytest.raises(InputError, match="sigma_min"):
        Schedule.edm(2, 1)


@pytest.mark.parametrize("kind", ["v_prediction", "sample"])
def test_prediction_types_agree_in_value_and_jacobian(kind):
    unet = tiny_unet()
    plain = DDPMScheduler(100, beta_schedule="squaredcos_cap_v2")
    other = DDPMScheduler(100, beta_schedule="squaredcos_cap_v2", prediction_type=kind)
    model = ScoreModel.from_diffusers(unet, plain)
    twin = ScoreModel.from_diffusers(Converted(unet, plain, kind), other)
    z = torch.randn(3, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    v = torch.randn_like(z)
    eps, eps_twin = model.eps(z, 0.3), twin.eps(z, 0.3)
    torch.testing.assert_close(eps_twin, eps, rtol=1e-5, atol=1e-6)
    (a,), (b,) = torch.autograd.grad(eps, z, v), torch.autograd.grad(eps_twin, z, v)
    torch.testing.assert_close(b, a, rtol=1e-5, atol=1e-6)
    # The term in z matters: without it the network's own Jacobian is far away.
    raw = Converted(unet, plain, kind)(z, torch.full((3,), 30.0))[0]
    (c,) = torch.autograd.grad(raw, z, v)
    assert float((c - a).abs().max()) > 0.1
    torch.testing.assert_close(model.score(z, 0.3), -eps / model.schedule.sigma(0.3))


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample", "function"])
def test_noise_and_clean_sample_make_up_the_state(kind):
    unet, scheduler = tiny_conditional_unet(), DDPMScheduler(100, prediction_type="epsilon")
    if kind == "function":
        base = ScoreModel.from_function(
            lambda z, t, c: unet(z, torch.full((3,), 100 * t), c).sample,
            (1, 4, 4),
            Schedule.from_scheduler(scheduler),
            dtype=torch.float64,
        )
    else:
        scheduler.register_to_config(prediction_type=kind)
        base = ScoreModel.from_diffusers(unet, scheduler)
    z, c = torch.randn(3, 1, 4, 4, dtype=torch.float64), torch.randn(3, 5, 6, dtype=torch.float64)
    model = base.guided(c, torch.zeros(1, 5, 6, dtype=torch.float64), 3.0)
    clean, psi, sigma = model.clean(z, 0.4), model.schedule.psi(0.4), model.schedule.sigma(0.4)
    torch.testing.assert_close(psi * clean + sigma * model.eps(z, 0.4), z)


def test_noise_alone_has_no_clean_sample():
    schedule = Schedule.from_alphas_cumprod([0.9, 0.5, 0.0])
    model = ScoreModel.from_function(lambda z, t: z, (2,), schedule)
    with pytest.raises(InputError, match="psi is 0"):
        model.clean(torch.zeros(3, 2), 1.0)
    assert model.clean(torch.ones(3, 2), 0.3).isfinite().all()


def test_learned_variance_is_dropped_and_the_time_is_scaled():
    unet = tiny_unet(out_channels=2)
    scheduler = DDPMScheduler(4000, beta_schedule="squaredcos_cap_v2")
    model = ScoreModel.from_diffusers(unet, scheduler, time_scale=0.25)
    z = torch.randn(2, 1, 4, 4, dtype=torch.float64)
    expected = unet(z, torch.full((2,), 100.25)).sample[:, :1]
    torch.testing.assert_close(model.eps(z, 401 / 4000), expected, rtol=0, atol=0)


def test_an_explicit_schedule_feeds_the_network_unrounded_times():
    unet = tiny_unet()
    model = ScoreModel.from_diffusers(unet, DDPMScheduler(1000), schedule=Schedule.linear_vp(0.85, 12))
    z = torch.randn(2, 1, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(model.eps(z, 0.0505), unet(z, torch.full((2,), 50.5)).sample)


def test_eval_mode_is_forced():
    unet = tiny_unet(dropout=0.5).train()
    model = ScoreModel.from_diffusers(unet, DDPMScheduler(100))
    z = torch.randn(2, 1, 4, 4, dtype=torch.float64)
    first = model.eps(z, 0.2)
    assert not any(p.requires_grad for p in unet.parameters())
    unet.train()
    assert torch.equal(model.eps(z, 0.2), first)
    assert not unet.training
    for part in unet.modules():
        part.training = isinstance(part, torch.nn.Dropout)  # a part alone
    assert torch.equal(model.eps(z, 0.2), first)


def test_shape_dim_and_dtype_come_from_the_network():
    model = ScoreModel.from_diffusers(tiny_unet(channels=3, out_channels=3), DDPMScheduler(100))
    assert (model.shape, model.dim, model.dtype) == ((3, 4, 4), 48, torch.float64)
    linear = ScoreModel.from_function(lambda z, t: z * t, (5,), Schedule.cosine(10))
    assert (linear.shape, linear.dim, linear.dtype) == ((5,), 5, torch.float32)


def test_guidance_mixes_the_two_predictions():
    unet, scheduler = tiny_conditional_unet(), DDPMScheduler(100)
    base = ScoreModel.from_diffusers(unet, scheduler)
    z, c = torch.randn(3, 1, 4, 4, dtype=torch.float64), torch.randn(3, 5, 6, dtype=torch.float64)
    null = torch.zeros(1, 5, 6, dtype=torch.float64)
    conditional, empty = base.conditioned(c), base.conditioned(null)
    eps_c = unet(z, torch.full((3,), 40.0), c).sample
    torch.testing.assert_close(conditional.eps(z, 0.4), eps_c)
    eps_0 = empty.eps(z, 0.4)
    torch.testing.assert_close(base.guided(c, null, 7.5).eps(z, 0.4), eps_0 + 7.5 * (eps_c - eps_0))
    torch.testing.assert_close(base.guided(c, null, 1.0).eps(z, 0.4), eps_c)


def test_selected_rows_follow_the_batch():
    base = ScoreModel.from_diffusers(tiny_conditional_unet(), DDPMScheduler(100))
    z, c = torch.randn(3, 1, 4, 4, dtype=torch.float64), torch.randn(3, 5, 6, dtype=torch.float64)
    model = base.guided(c, c[:1], 3.0)
    assert model.rows == 3
    rows = [2, 0, 0, 1]
    torch.testing.assert_close(model.select(rows).eps(z[rows], 0.4), model.eps(z, 0.4)[rows])
    assert base.rows is None
    assert base.select(rows) is base


def test_bad_calls():
    base = ScoreModel.from_diffusers(tiny_conditional_unet(), DDPMScheduler(100))
    z, c = torch.zeros(3, 1, 4, 4), torch.zeros(3, 5, 6)
    with pytest.raises(InputError, match="needs conditioning"):
        base.eps(z, 0.1)
    with pytest.raises(InputError, match="3 rows but the batch has 2"):
        base.conditioned(c).eps(z[:2], 0.1)
    with pytest.raises(InputError, match="got"):
        base.conditioned(c).eps(torch.zeros(3, 1, 4, 5), 0.1)
    with pytest.raises(InputError, match="as many rows"):
        base.guided(c, c[:2], 2.0)
    unconditional = ScoreModel.from_diffusers(tiny_unet(), DDPMScheduler(100, prediction_type="epsilon"))
    with pytest.raises(InputError, match=r"\(0, 1\]"):
        unconditional.eps(z, 0.0)
    strange = DDPMScheduler(100)
    strange.register_to_config(prediction_type="flow")
    with pytest.raises(InputError, match="'flow'; needed is one of epsilon"):
        ScoreModel.from_diffusers(tiny_unet(), strange)
    # Flow matching names no prediction type: it must not pass for epsilon at levels of another kind.
    with pytest.raises(
        InputError, match="FlowMatchEulerDiscreteScheduler and a schedule of kind 'edm' are no pair"
    ):
        ScoreModel.from_diffusers(
            tiny_unet(), FlowMatchEulerDiscreteScheduler(), schedule=Schedule.edm(0.01, 1.0)
        )
    with pytest.raises(InputError, match="returned shape"):
        ScoreModel.from_function(lambda z, t: z[:, :1], (5,), Schedule.cosine(10)).eps(torch.zeros(2, 5), 0.1)


def class_unet():
    torch.manual_seed(0)
    return UNet2DModel(
        sample_size=4,
        in_channels=1,
        out_channels=1,
        layers_per_block=1,
        block_out_channels=(8,),
        norm_num_groups=4,
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
        num_class_embeds=3,
    )


def test_class_labels_are_checked_before_the_network_is_called():
    model, z = ScoreModel.from_diffusers(class_unet(), DDPMScheduler(100)), torch.zeros(2, 1, 4, 4)
    assert model.conditioned([0, 2]).eps(z, 0.5).shape == z.shape
    assert model.conditioned([1]).eps(z, 0.5).shape == z.shape
    with pytest.raises(InputError, match=r"needs class labels, whole numbers in 0..2: call .conditioned"):
        model.eps(z, 0.5)
    for labels, said in (
        ([0, 3], r"has classes 0..2, got labels 0..3"),
        ([-1, 0], r"has classes 0..2, got labels -1..0"),
        ([0.0, 1.0], r"takes class labels \(n,\) of whole numbers, got torch.float32 \(2,\)"),
        ([[0, 1]], r"takes class labels \(n,\) of whole numbers, got torch.int64 \(1, 2\)"),
    ):
        with pytest.raises(InputError, match=said):
            model.conditioned(labels)
    with pytest.raises(InputError, match="takes no conditioning"):
        ScoreModel.from_diffusers(tiny_unet(), DDPMScheduler(100)).conditioned([0])


def test_parts_of_a_pipeline_are_asked_for():
    pipeline = DDPMPipeline(class_unet(), DDPMScheduler(100))
    for scheduler in ([DDPMScheduler(100)], []):
        with pytest.raises(
            InputError, match=r"DDPMPipeline is a whole pipeline; pass its parts: from_diffusers\(p"
        ):
            ScoreModel.from_diffusers(pipeline, *scheduler)
    with pytest.raises(InputError, match=r"a diffusers scheduler was expected beside UNet2DModel, got none"):
        ScoreModel.from_diffusers(class_unet())
    with pytest.raises(InputError, match="a diffusers network was expected, got str"):
        ScoreModel.from_diffusers("results/digits/model", DDPMScheduler(100))
