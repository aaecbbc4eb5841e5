"""Flow matching: its schedule, diffusers' scheduler and its inverse, oracles in its parametrisation, training, folders."""

import json

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UNet2DModel

from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.lid import flipd
from mmh.lid.denoising_loss import denoising_loss
from mmh.lid.normal_bundle import normal_bundle_spectrum
from mmh.models.flow.model import levels
from mmh.models.flow.training import draw_times, train
from mmh.models.loading import kind_of, load_model
from mmh.models.unet_flow import UnetFlow
from mmh.oracles.exact import GaussianPart, Mixture

FLOW = Schedule.flow()
SIDE = 4


def law(schedule, shape=(1, SIDE, SIDE)):
    """A point, a line and a plane in 16 dimensions, far from each other."""
    draw = np.random.default_rng(0)
    parts = []
    for rank in (0, 1, 2):
        basis = np.linalg.qr(draw.standard_normal((SIDE**2, max(rank, 1))))[0][:, :rank]
        parts.append(
            GaussianPart(
                torch.from_numpy(4.0 * draw.standard_normal(SIDE**2)),
                torch.from_numpy(basis),
                torch.ones(rank, dtype=torch.float64),
            )
        )
    return Mixture(parts, schedule, shape=shape)


class Velocity(torch.nn.Module):
    """The exact n - x of a law, as a diffusers network: told t times the number of steps, or 1 - t."""

    def __init__(self, oracle, steps=1000, inverted=False):
        super().__init__()
        self.oracle, self.steps, self.inverted = oracle, steps, inverted
        self.weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
        self.config = UNet2DModel(
            sample_size=8, in_channels=1, out_channels=1, layers_per_block=1, block_out_channels=(8, 8),
            norm_num_groups=4, down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2,
        ).config  # fmt: skip

    def forward(self, z, timestep, return_dict=False):
        (t,) = {round(one, 5) for one in (timestep / self.steps).tolist()}  # times are given in float32
        t = 1 - t if self.inverted else t
        v = (self.oracle.model.eps(z, t) - z) / (1 - t)
        return (-v if self.inverted else v,)


def wrapped(oracle, **settings):
    scheduler = FlowMatchEulerDiscreteScheduler(**settings)
    network = Velocity(oracle, inverted=scheduler.config.invert_sigmas)
    return ScoreModel.from_diffusers(network, scheduler, shape=oracle.model.shape)


def test_the_schedule_is_the_straight_line_and_survives_json():
    t = np.array([0.01, 0.3, 1.0])
    np.testing.assert_array_equal(FLOW.psi(t), 1 - t)
    np.testing.assert_array_equal(FLOW.sigma(t), t)
    assert (FLOW.psi(0.25), FLOW.sigma(0.25), FLOW.index(0.25)) == (0.75, 0.25, None)
    assert FLOW.continuous() is FLOW
    assert Schedule.from_dict(json.loads(json.dumps(FLOW.to_dict()))) == FLOW
    assert Schedule.from_scheduler(FlowMatchEulerDiscreteScheduler(shift=3.0)) == FLOW
    assert repr(FLOW) == "Schedule(flow, sigma = t)"
    with pytest.raises(InputError, match=r"t must lie in \(0, 1\]"):
        FLOW.psi(0.0)
    with pytest.raises(InputError, match=r"kind 'flow' has no rate"):
        FLOW.beta(0.5)


@pytest.mark.parametrize("inverted", [False, True])
def test_noise_and_clean_sample_follow_from_the_velocity(inverted):
    """Eps = z + (1 - t) v, x = z - t v, and d eps/dz = I + (1 - t) dv/dz, by finite differences."""
    oracle = law(FLOW)
    model = wrapped(oracle, invert_sigmas=inverted)
    x = torch.from_numpy(oracle.sample(3, 0)[0])
    z, t = (
        0.6 * x + 0.4 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype),
        0.4,
    )
    torch.testing.assert_close(model.eps(z, t), oracle.model.eps(z, t), rtol=1e-10, atol=1e-10)
    clean = (z - t * oracle.model.eps(z, t)) / (1 - t)
    torch.testing.assert_close(model.clean(z, t), clean, rtol=1e-8, atol=1e-8)
    h, along = 1e-5, torch.zeros_like(z)
    along[:, 0, 1, 2] = h
    forward = (model.eps(z + along, t) - model.eps(z - along, t)) / (2 * h)
    leaf = z.clone().requires_grad_()
    (row,) = torch.autograd.grad(model.eps(leaf, t)[:, 0, 1, 2].sum(), leaf)
    torch.testing.assert_close(row[:, 0, 1, 2], forward[:, 0, 1, 2], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("inverted", [False, True])
def test_estimates_of_a_flow_are_those_of_its_law(inverted):
    """From the velocity alone; at the ratio sigma / psi of a diffusion they are the diffusion's."""
    oracle, t = law(FLOW), 0.05
    model = wrapped(oracle, invert_sigmas=inverted)
    x = oracle.sample(6, 1)[0]
    np.testing.assert_allclose(flipd(model, x, t, probes=None), oracle.flipd(x, t), rtol=1e-8, atol=1e-8)
    losses = (denoising_loss(one, x, t, draws=3).value for one in (model, oracle.model))
    np.testing.assert_allclose(*losses, rtol=1e-8, atol=1e-12)
    spectra = [normal_bundle_spectrum(one, x[:2], t, copies=20) for one in (model, oracle.model)]
    np.testing.assert_allclose(*spectra, rtol=1e-5, atol=1e-5 * spectra[0].max())
    assert np.abs(oracle.flipd(x, t) - oracle.lid(x)).max() < 0.1
    vp, times = Schedule.linear_vp(), np.linspace(1e-3, 1, 200_000)
    same = float(times[np.searchsorted(vp.sigma(times) / vp.psi(times), t / (1 - t))])
    np.testing.assert_allclose(law(vp).flipd(x, same), oracle.flipd(x, t), atol=2e-3)


def test_at_pure_noise_the_clean_sample_is_z_less_the_velocity():
    class Still(Velocity):
        def forward(self, z, timestep, return_dict=False):
            return (0.5 * z,)

    model = ScoreModel.from_diffusers(
        Still(law(FLOW)), FlowMatchEulerDiscreteScheduler(), shape=(1, SIDE, SIDE)
    )
    z = torch.ones(2, 1, SIDE, SIDE, dtype=torch.float64)
    torch.testing.assert_close(model.clean(z, 1.0), 0.5 * z)
    torch.testing.assert_close(model.eps(z, 1.0), z)


@pytest.mark.parametrize("settings", [{}, {"shift": 3.0}, {"invert_sigmas": True}])
def test_euler_steps_are_those_of_diffusers_scheduler(settings):
    oracle = law(FLOW)
    scheduler = FlowMatchEulerDiscreteScheduler(**settings)
    network = Velocity(oracle, inverted=scheduler.config.invert_sigmas)
    model = wrapped(oracle, **settings)
    sigmas = levels(FlowMatchEulerDiscreteScheduler(**settings), 6)
    scheduler.set_timesteps(6)
    assert (sigmas[0] <= 1, sigmas[-1]) == (True, 0)
    z = other = 0.9 * torch.ones(1, 1, SIDE, SIDE, dtype=torch.float64)
    # Begin below pure noise, where the law's own velocity divides by psi = 0.
    for k in range(1, 6):
        clean = model.clean(z, float(sigmas[k]))
        z = clean + float(sigmas[k + 1] / sigmas[k]) * (z - clean)
        velocity = network(other, scheduler.timesteps[k : k + 1].double())[0]
        other = other + (scheduler.sigmas[k + 1] - scheduler.sigmas[k]).double() * velocity
    torch.testing.assert_close(z, other, rtol=1e-4, atol=1e-4)


def test_times_follow_their_laws_and_a_shift_moves_them_to_noise():
    generator = torch.Generator().manual_seed(0)
    uniform = draw_times("uniform", 20_000, generator)
    normal = draw_times("logit-normal", 20_000, generator)
    assert float(uniform.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(uniform.std()) == pytest.approx(12**-0.5, abs=0.01)
    assert float(torch.logit(normal.double()).std()) == pytest.approx(1.0, abs=0.02)
    shifted = draw_times("uniform", 20_000, generator, shift=3.0)
    assert float((shifted < 0.75).float().mean()) == pytest.approx(
        0.5, abs=0.02
    )  # 3 t / (1 + 2 t) at t = 1/2
    assert 0 < float(shifted.min()) < float(shifted.max()) < 1


@pytest.fixture(scope="module")
def trained():
    x = np.random.default_rng(0).uniform(-1, 1, (4, 1, 8, 8)).astype(np.float32)
    return train(x, seed=0, steps=3, batch_size=4, block_out_channels=(8, 8), times="logit-normal")


def test_a_folder_of_a_flow_is_read_as_one_and_samples_depend_on_their_ids_alone(trained, tmp_path):
    from mmh.models.ddpm.model import save
    from mmh.models.flow.model import PIPELINE

    unet, scheduler, history = trained
    assert np.isfinite(history["loss"]).all()
    save(tmp_path, unet, scheduler, pipeline=PIPELINE)
    assert kind_of(tmp_path) is UnetFlow
    model = load_model(tmp_path)
    score = model.score_model()
    assert score.schedule == FLOW
    z = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = z + 0.7 * unet(z, torch.full((2,), 300.0)).sample
        torch.testing.assert_close(score.eps(z, 0.3), expected)
    how = {"seed": 0, "steps": 3, "batch_size": 4}
    many, one = model.sample(np.arange(6), **how), model.sample([5], **how)
    assert many.shape == (6, 1, 8, 8)
    assert np.isfinite(many).all()
    np.testing.assert_array_equal(many[5], one[0])
    settings = json.loads((tmp_path / "scheduler" / "scheduler_config.json").read_text())
    for change, said in (
        ({"_class_name": "DDIMScheduler"}, r"is of 'DDIMScheduler', a flow has a FlowMatchEuler"),
        ({"use_dynamic_shifting": True}, r"use_dynamic_shifting\), which is not read"),
    ):
        (tmp_path / "scheduler" / "scheduler_config.json").write_text(json.dumps(settings | change))
        with pytest.raises(InputError, match=said):
            load_model(tmp_path)


@pytest.mark.parametrize("name", ["StableDiffusion3Pipeline", "FluxPipeline"])
def test_flows_with_captions_are_refused_by_name(name, tmp_path):
    (tmp_path / "model_index.json").write_text(
        json.dumps({"_class_name": name, "transformer": ["diffusers", "T"]})
    )
    with pytest.raises(InputError, match=f"is a {name}: flows with captions cannot be loaded"):
        load_model(tmp_path)


def test_transformers_that_want_more_than_captions_are_refused_by_name():
    from diffusers import SD3Transformer2DModel

    network = SD3Transformer2DModel(
        sample_size=4, patch_size=1, in_channels=4, num_layers=1, attention_head_dim=4, num_attention_heads=1,
        joint_attention_dim=4, caption_projection_dim=4, pooled_projection_dim=4, out_channels=4,
    )  # fmt: skip
    with pytest.raises(
        InputError, match="SD3Transformer2DModel wants pooled_projections besides its captions"
    ):
        ScoreModel.from_diffusers(network, FlowMatchEulerDiscreteScheduler())
