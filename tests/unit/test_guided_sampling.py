"""Guided DDIM: diffusers' own sampler, the closed form of a Gaussian pair, fixed places."""

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, PNDMScheduler, StableDiffusionPipeline
from gaussian_pair import conditions, gaussian_model
from tiny_pipeline import SCHEDULER, write_pipeline

from mmh.compute.rows import fixed_batches
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.lid.flipd import flipd
from mmh.lid.normal_bundle import normal_bundle_spectrum
from mmh.metrics.base import METRICS
from mmh.models.latent import folder as text_to_image
from mmh.prompts.scoring import default_metrics, prompt_scores
from mmh.sampling.guided import (
    ddim_grid,
    generation_rows,
    generation_seed,
    guided_ddim,
    initial_noise,
)
from mmh.scores.score_norm import score_norms

ZERO_SNR = {"rescale_betas_zero_snr": True}


def scheduler(**changes):
    kind = DDIMScheduler if "rescale_betas_zero_snr" in changes else PNDMScheduler
    return kind.from_config(SCHEDULER | changes)


class Network(torch.nn.Module):
    """Some smooth function of state, time and caption, called as a UNet of diffusers is."""

    def __init__(self):
        super().__init__()
        weight = torch.randn(4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) / 4
        self.weight = torch.nn.Parameter(weight)
        self.config = type("Config", (), {"sample_size": 2, "in_channels": 4})

    def forward(self, z, timestep, encoder_hidden_states, return_dict=False):
        mixed = torch.einsum("ij,njhw->nihw", self.weight, z)
        return (torch.tanh(mixed * (1 + timestep / 1000)[:, None, None, None] + encoder_hidden_states),)


def inputs():
    """Noise, captions and the empty caption for `Network`."""
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(3, 4, 2, 2, generator=generator, dtype=torch.float64)
    c = torch.randn(3, 4, 1, 1, generator=generator, dtype=torch.float64)
    return noise, c, torch.zeros(1, 4, 1, 1, dtype=torch.float64)


def test_the_grid_of_stable_diffusion():
    grid = ddim_grid(scheduler(), 50)
    assert grid.index.tolist() == list(range(981, 0, -20))
    np.testing.assert_allclose(grid.t, grid.index / 1000)
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    abar = np.cumprod(1 - betas)
    np.testing.assert_allclose(grid.abar, abar[grid.index], rtol=1e-12)
    # A step goes to the level of the next one; the last to abar_0, as set_alpha_to_one is false.
    np.testing.assert_allclose(grid.following, np.append(abar[grid.index[1:]], abar[0]), rtol=1e-12)
    assert (grid.t <= 0.2).sum() == 10
    assert len(grid[-1:]) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"set_alpha_to_one": True},
        {"timestep_spacing": "trailing"},
        {"timestep_spacing": "linspace"},
        {"prediction_type": "v_prediction"},
        {"steps_offset": 0},  # the pipeline sets it to 1
        {"clip_sample": True},  # and clipping off
        {**ZERO_SNR, "timestep_spacing": "leading"},
        {**ZERO_SNR, "timestep_spacing": "leading", "prediction_type": "v_prediction"},
        {**ZERO_SNR, "timestep_spacing": "leading", "prediction_type": "sample"},
        {**ZERO_SNR, "timestep_spacing": "trailing", "prediction_type": "v_prediction"},
        {**ZERO_SNR, "timestep_spacing": "trailing", "prediction_type": "sample"},
        {**ZERO_SNR, "timestep_spacing": "linspace", "prediction_type": "v_prediction"},
    ],
)
@pytest.mark.parametrize("steps", [7, 50])
def test_every_step_equals_diffusers(changes, steps):
    """In float64, with the same table, against DDIMScheduler.step."""
    settings = scheduler(**changes)
    reference = DDIMScheduler.from_config(settings.config, steps_offset=1, clip_sample=False)
    table = torch.tensor(Schedule.from_scheduler(settings).parameters["alphas_cumprod"], dtype=torch.float64)
    reference.alphas_cumprod = table
    if not reference.config.set_alpha_to_one:
        reference.final_alpha_cumprod = table[0]
    reference.set_timesteps(steps)
    network = Network()
    noise, c, null = inputs()
    z = noise
    states = [z]
    for t in reference.timesteps:
        times = t.repeat(3)
        empty, caption = (network(z, times, e.expand(3, -1, -1, -1))[0] for e in (null, c))
        z = reference.step(empty + 7.5 * (caption - empty), t, z, eta=0.0).prev_sample.detach()
        states.append(z)
    model, watcher = ScoreModel.from_diffusers(network, settings), Watcher()
    grid = ddim_grid(settings, steps)
    end = guided_ddim(model, noise, c, null, grid=grid, guidance=7.5, observer=watcher)
    assert (grid.abar[0] == 0) == (
        "rescale_betas_zero_snr" in changes and changes["timestep_spacing"] != "leading"
    )
    found = [*(step.z.detach() for step in watcher.steps), end]
    torch.testing.assert_close(torch.stack(found), torch.stack(states), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("prediction", ["v_prediction", "sample"])
def test_at_zero_signal_every_quantity_is_finite(prediction):
    """Where psi = 0 the noise is the state, whatever the caption, and its Jacobian is one."""
    settings = scheduler(**ZERO_SNR, timestep_spacing="trailing", prediction_type=prediction)
    model, (noise, c, null) = ScoreModel.from_diffusers(Network(), settings), inputs()
    assert model.schedule.psi(1.0) == 0
    conditioned = model.conditioned(c)
    torch.testing.assert_close(conditioned.eps(noise, 1.0), noise, rtol=0, atol=0)
    torch.testing.assert_close(conditioned.score(noise, 1.0), -noise, rtol=0, atol=0)
    assert conditioned.clean(noise, 1.0).isfinite().all()
    np.testing.assert_allclose(flipd(conditioned, noise, 1.0, probes=None), 0, atol=1e-9)
    assert (normal_bundle_spectrum(conditioned, noise, 1.0, copies=8) > 0).any()
    assert np.isfinite(score_norms(model, noise, c, null, t=1.0, of="guided", guidance=7.5)).all()

    class Everywhere(METRICS["flipd"]):
        until = None

    found = prompt_scores(
        model,
        c,
        null,
        grid=ddim_grid(settings, 5),
        prompt_set="mem",
        prompts=[0, 1, 2],
        generations=1,
        metrics=[*default_metrics(), Everywhere(METRICS["flipd"].Options(trace="exact"))],
    )
    assert np.isfinite(found.latents).all()
    for values in found.values.values():
        assert np.isfinite(values).all()
    np.testing.assert_array_equal(found.values["cfg_norm"][:, 0], 0)
    assert (found.values["cfg_norm"][:, 1:] > 0).all()
    # d - tr(1) + ||z||^2
    norms = found.values["score_norm_squared"][:, 0]
    np.testing.assert_allclose(found.values["flipd"][:, 0], norms, rtol=1e-6)


def test_a_predicted_noise_that_cannot_tell_the_image_is_refused():
    settings = scheduler(**ZERO_SNR, timestep_spacing="trailing")
    model, (noise, c, null) = ScoreModel.from_diffusers(Network(), settings), inputs()
    with pytest.raises(InputError, match=r'psi = 0.*timestep_spacing to "leading"'):
        guided_ddim(model, noise, c, null, grid=ddim_grid(settings, 5))


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_latents_equal_the_pipelines(tmp_path, prediction):
    """The whole pipeline in float64; diffusers keeps its table in float32, which is what is left."""
    folder = write_pipeline(tmp_path / "model", prediction=prediction)
    theirs = StableDiffusionPipeline.from_pretrained(
        folder, safety_checker=None, feature_extractor=None, dtype=torch.float64
    )
    theirs.scheduler = DDIMScheduler.from_config(theirs.scheduler.config)
    theirs.set_progress_bar_config(disable=True)
    ours = text_to_image.load_folder(folder)
    ours.unet.double()
    ours.text_encoder.double()
    noise = initial_noise(0, "test", [0, 1], [0, 0], (4, 4, 4)).double()
    prompts = ["the red plate", "digit seven"]
    expected = theirs(
        prompts, latents=noise, num_inference_steps=10, guidance_scale=5.0, output_type="latent"
    ).images
    found = ours.generate(ours.embed(prompts), noise, steps=10, guidance=5.0)
    assert found.dtype == torch.float64
    assert (found - noise).abs().max() > 0.1
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("guidance", "who"), [(1.0, 1), (0.0, 0)])
def test_many_steps_follow_the_flow_of_a_gaussian(guidance, who):
    """Without guidance DDIM solves dz/dt of N(m, v): (z - psi m) / sqrt(psi^2 v + sigma^2) stays constant."""
    settings = scheduler()
    model = gaussian_model(Schedule.from_scheduler(settings), 3)
    both = conditions(2, 3)
    noise = torch.randn(50, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    errors = []
    for steps in (100, 500):
        grid = ddim_grid(settings, steps)
        z = guided_ddim(model, noise, both[1:], both[:1], grid=grid, guidance=guidance)
        mean, variance = both[who]
        start, end = grid.abar[0], grid.following[-1]
        spread = ((end * variance + 1 - end) / (start * variance + 1 - start)).sqrt()
        exact = end**0.5 * mean + spread * (noise - start**0.5 * mean)
        errors.append(float((z - exact).abs().max()))
    assert errors[1] < 0.02
    assert errors[1] < 0.3 * errors[0]  # of first order in the step


class Watcher:
    """Keeps every step, and asks for a graph below t = 0.3."""

    def __init__(self):
        self.steps = []

    def wants_graph(self, t, number):
        return t < 0.3

    def see(self, step):
        self.steps.append(step)


def test_an_observer_sees_noises_it_can_differentiate_and_changes_nothing():
    settings = scheduler()
    model = gaussian_model(Schedule.from_scheduler(settings), 3)
    c, null = conditions(2, 3), conditions(1, 3, seed=5)
    noise = torch.randn(2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    watcher, grid = Watcher(), ddim_grid(settings, 10)
    watched = guided_ddim(model, noise, c, null, grid=grid, guidance=3.0, observer=watcher)
    assert watched.equal(guided_ddim(model, noise, c, null, grid=grid, guidance=3.0))
    assert not watched.requires_grad
    assert [step.number for step in watcher.steps] == list(range(10))
    for step in watcher.steps:
        level = model.schedule
        assert step.sigma == pytest.approx(level.sigma(step.t), rel=1e-12)
        torch.testing.assert_close(step.caption, model.conditioned(c).eps(step.z, step.t))
        torch.testing.assert_close(step.empty, model.conditioned(null).eps(step.z, step.t))
        torch.testing.assert_close(step.guided, model.guided(c, null, 3.0).eps(step.z, step.t))
        assert step.guided.requires_grad == (step.t < 0.3)
        if step.guided.requires_grad:
            (slope,) = torch.autograd.grad(step.guided.sum(), step.z)
            expected = sum(
                w * step.sigma / (level.psi(step.t) ** 2 * law[:, 1] + step.sigma**2)
                for w, law in ((-2.0, null), (3.0, c))
            )
            torch.testing.assert_close(slope, expected)


def test_noise_and_seed_belong_to_a_generation():
    shape = (4, 2, 2)
    one = initial_noise(0, "memorized", [5, 5, 6], [0, 1, 0], shape)
    assert one[0].equal(initial_noise(0, "memorized", [5], [0], shape)[0])
    others = [
        *one[1:],
        initial_noise(0, "control", [5], [0], shape)[0],
        initial_noise(1, "memorized", [5], [0], shape)[0],
    ]
    assert all(not one[0].equal(other) for other in others)
    keys = [("memorized", 5, 0), ("memorized", 5, 1), ("memorized", 6, 0), ("control", 5, 0)]
    assert len({int(generation_seed(0, *key)) for key in keys}) == 4


@pytest.mark.parametrize(("n", "generations", "size"), [(7, 3, 4), (1, 8, 4), (16, 1, 8)])
def test_a_generation_has_a_place_of_its_own(n, generations, size):
    prompts = np.arange(10, 10 + n)
    places = {}
    batches = list(fixed_batches(generation_rows(prompts, generations), size))
    for rows, counted in batches:
        assert len(rows) == size
        for place in counted:
            item = int(rows[place])
            places[(int(prompts[item // generations]), item % generations)] = place
    assert len(places) == n * generations
    assert all(place == (prompt + g) % size for (prompt, g), place in places.items())
    assert len(batches) == -(-n * generations // size)


def test_steps_that_no_table_has_are_refused():
    with pytest.raises(InputError, match="1 to 999 steps"):
        ddim_grid(scheduler(), 1000)
