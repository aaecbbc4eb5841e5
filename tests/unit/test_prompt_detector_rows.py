"""Detectors that the guided pass gives: closed forms of a Gaussian pair, brute force on images, rows counted."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from diffusers import PNDMScheduler
from gaussian_pair import conditions, gaussian_model
from tiny_pipeline import SCHEDULER, write_pipeline

from mmh.detection.prompt_detectors import prompt_detectors
from mmh.diffusion.schedule import Schedule
from mmh.errors import InputError
from mmh.metrics.base import METRICS, Metric, made
from mmh.models.latent import folder as text_to_image
from mmh.options.entries import Entry
from mmh.prompts.scoring import prompt_scores
from mmh.sampling.guided import ddim_grid, initial_noise

SETTINGS = PNDMScheduler.from_config(SCHEDULER)
SCHEDULE = Schedule.from_scheduler(SETTINGS)
DIM, STEPS = 5, 6
FREE = {
    "step_difference": {"steps": [2, 4]},
    "latent_update_style": {"steps": [2, 4]},
    "guidance_cosine": {},
    "difference_peak": {},
    "difference_spread": {},
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return text_to_image.load_folder(write_pipeline(tmp_path_factory.mktemp("rows") / "model"))


def trajectory(c, null, grid):
    """Latents and both noises of each step by another DDIM in NumPy, for N(mean, variance): J is diagonal."""
    z = initial_noise(0, "test", np.repeat(np.arange(3), 2), np.tile([0, 1], 3), (DIM,)).double().numpy()
    laws = null.numpy(), np.repeat(c.numpy(), 2, axis=0)
    for step in range(len(grid)):
        psi, sigma = grid.abar[step] ** 0.5, (1 - grid.abar[step]) ** 0.5
        slopes = [sigma / (psi**2 * one[:, 1] + sigma**2) for one in laws]
        empty, caption = (k * (z - psi * one[:, 0]) for k, one in zip(slopes, laws, strict=True))
        yield z, sigma, empty, caption, slopes
        guided = empty + 2.0 * (caption - empty)
        clean = (z - sigma * guided) / psi
        z = grid.following[step] ** 0.5 * clean + (1 - grid.following[step]) ** 0.5 * guided


def test_metrics_of_a_gaussian_pair_are_their_closed_forms():
    c, null = conditions(3, DIM), conditions(1, DIM, seed=9)
    how = {"prompt_set": "test", "prompts": np.arange(3), "generations": 2, "guidance": 2.0, "batch_size": 4}
    found = prompt_scores(
        gaussian_model(SCHEDULE, DIM),
        c,
        null,
        grid=ddim_grid(SETTINGS, STEPS),
        metrics=made(FREE | {"gradient_difference": {}}),
        **how,
    )
    before = None
    for step, (z, sigma, empty, caption, slopes) in enumerate(trajectory(c, null, found.grid)):
        delta = caption - empty
        places = (delta / sigma) ** 2
        lengths = np.linalg.norm(delta, axis=1) * np.linalg.norm(empty, axis=1)
        expected = {
            "guidance_cosine": (delta * empty).sum(1) / lengths,
            "difference_peak": np.abs(delta).max(1) / sigma,
            "difference_spread": places.sum(1) ** 2 / (DIM * (places**2).sum(1)),
            "gradient_difference": ((slopes[1] * caption - slopes[0] * empty) ** 2).sum(1),
        }
        if step + 1 in (2, 4):
            expected["step_difference"] = ((caption - before[1]) ** 2).sum(1)
            expected["latent_update_style"] = np.linalg.norm(z - before[0], axis=1)
        for name, taken in found.values.items():
            if name in expected:
                np.testing.assert_allclose(taken[:, step], expected[name], rtol=1e-7)
            else:
                assert np.isnan(taken[:, step]).all()
        before = z, caption


def counted(tiny, metrics):
    """Rows forward and backward of one prompt's two generations, three steps."""
    forward, back = [], []
    hooks = [
        tiny.unet.register_forward_hook(lambda module, inputs, output: forward.append(len(inputs[0]))),
        tiny.unet.register_full_backward_hook(lambda module, inputs, outputs: back.append(len(outputs[0]))),
    ]
    try:
        how = {"grid": ddim_grid(tiny.scheduler, 3), "prompt_set": "s", "prompts": [0], "generations": 2}
        prompt_scores(
            tiny.score_model(), tiny.embed(["digit seven"]), tiny.null(), metrics=metrics, batch_size=2, **how
        )
    finally:
        for hook in hooks:
            hook.remove()
    return sum(forward), sum(back)


def test_detectors_of_the_guided_pass_take_no_further_row_of_the_network(tiny):
    """All of them together, beside sampling's own two rows for each generation and step."""
    free = made(
        {name: options | ({"steps": [2, 3]} if "steps" in options else {}) for name, options in FREE.items()}
    )
    assert counted(tiny, free) == (2 * 2 * 3, 0)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((name, {}) for name in FREE),
        ("cfg_norm", {}),
        ("gradient_difference", {"steps": [2]}),
        ("curvature", {"steps": [2], "product": "central"}),
        ("curvature", {"steps": [2], "product": "one-sided"}),
        ("curvature", {"steps": [2], "product": "jvp"}),
        ("curvature_transpose", {"steps": [2]}),
        ("lid_trace_gap", {"steps": [2], "m": 2, "probes": 2}),
        ("lambda_min_difference", {"steps": [2], "m": 2}),
        ("flipd", {"trace": 2}),
    ],
)
def test_the_rows_that_a_metric_says_are_those_that_it_takes(tiny, name, options):
    (metric,) = made({name: options})
    grid = ddim_grid(tiny.scheduler, 3)
    steps = sum(metric.sees(t, k) for t, k in zip(grid.t.tolist(), grid.numbers, strict=True))
    forward, backward = metric.network_rows(metric.options, 64)
    assert counted(tiny, [metric]) == (2 * (2 * 3 + steps * forward), 2 * steps * backward)


def test_the_gradient_difference_of_a_network_is_that_of_its_jacobians(tiny):
    tiny.unet.double()
    try:
        score, null, grid = tiny.score_model(), tiny.null().double(), ddim_grid(tiny.scheduler, 4)[:1]
        c = tiny.embed(["the red plate"]).double()
        taken = prompt_scores(
            score, c, null, grid=grid, prompt_set="s", prompts=[0], generations=1,
            metrics=made({"gradient_difference": {}}),
        )  # fmt: skip
        z, t = initial_noise(0, "s", [0], [0], score.shape).double(), float(grid.t[0])
        pulled = []
        for condition in (null, c):
            leaf = z.clone().requires_grad_()
            (0.5 * score.conditioned(condition).eps(leaf, t).square().sum()).backward()
            pulled.append(leaf.grad)
        expected = float((pulled[1] - pulled[0]).square().sum())
        assert taken.values["gradient_difference"][0, 0] == pytest.approx(expected, rel=1e-8)
    finally:
        tiny.unet.float()


def test_a_map_has_a_place_for_each_pixel_and_not_for_each_channel():
    """A difference at one place of three channels: its length is the peak, and one of four places holds it."""

    class Step:
        sigma = 0.5
        empty = torch.zeros(1, 3, 2, 2)
        caption = torch.zeros(1, 3, 2, 2)

    Step.caption[0, :, 1, 0] = torch.tensor([1.0, 2.0, 2.0])
    assert METRICS["difference_peak"]().see(Step) == pytest.approx([6.0])
    assert METRICS["difference_spread"]().see(Step) == pytest.approx([0.25])
    Step.caption = torch.ones(1, 3, 2, 2)
    assert METRICS["difference_spread"]().see(Step) == pytest.approx([1.0])
    Step.caption = Step.empty
    assert METRICS["difference_spread"]().see(Step) == pytest.approx([0.0])


def by_hand(images, tiles):
    """Mean over pairs of the largest root mean square difference of tiles, pair by pair and tile by tile."""
    pairs = []
    side = images.shape[-1] // tiles
    for one, other in itertools.combinations(images / 255, 2):
        squares = (one - other) ** 2
        corners = itertools.product(range(0, images.shape[-1], side), repeat=2)
        pairs.append(max(squares[:, y : y + side, x : x + side].mean() ** 0.5 for y, x in corners))
    return np.mean(pairs)


@pytest.mark.parametrize(("name", "tiles"), [("seed_diversity", 1), ("tiled_l2", 4)])
def test_means_over_the_first_generations_are_those_of_their_pairs(name, tiles):
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 3, 8, 8), dtype=np.uint8)
    images[1, 2] = images[1, 0]
    (metric,) = made({name: {}})
    values = metric.see_generations(images)
    assert (values[:, 0] == 0).all()
    for n in range(2, 6):
        expected = [by_hand(of_prompt[:n].astype(float), tiles) for of_prompt in images]
        np.testing.assert_allclose(values[:, :n].mean(1), expected, rtol=1e-10)


def test_images_that_cannot_be_cut_and_prompts_with_one_generation_are_refused():
    with pytest.raises(InputError, match=r"tiles: images of 8 x 8 cannot be cut into 3 x 3 equal tiles"):
        made({"tiled_l2": {"tiles": 3}})[0].see_generations(np.zeros((1, 2, 3, 8, 8), np.uint8))

    def mistakes(name, options, generations=1):
        prompts = {"steps": 50, "guidance": 7.5, "generations": generations}
        row, entry = METRICS[name], Entry({"experiments": {"x": {"prompts": prompts}}}, "x")
        return list(row.check(row.Options.model_validate(options), entry, "metrics"))

    assert mistakes("seed_diversity", {}) == [
        "metrics: compares generations of a prompt; set prompts.generations to 2 at least"
    ]
    assert mistakes("tiled_l2", {}, 2) == []
    assert mistakes("step_difference", {"steps": [1, 2]}) == [
        "metrics.steps: 1 has no step before it that it could be compared with; begin at 2"
    ]


def test_a_metric_of_pairs_of_generations_is_no_detector_of_one():
    rows = [("a", p, g, 4, 0.1, "seed_diversity", float(p + g)) for p in range(2) for g in range(3)]
    columns = ["prompt_set", "prompt", "generation", "step", "t", "metric", "value"]
    found = prompt_detectors(pd.DataFrame(rows, columns=columns), generations=(1, 2, 3))
    assert list(found) == ["seed_diversity.final.n2", "seed_diversity.final.n3"]


def test_a_metric_that_compares_steps_has_to_say_so():
    class Careless(Metric):
        name = "careless"

        def see(self, step):
            return step.squared(step.before.z)

    c, null = conditions(1, DIM), conditions(1, DIM, seed=9)
    how = {"prompt_set": "test", "prompts": [0], "generations": 1, "grid": ddim_grid(SETTINGS, 3)}
    with pytest.raises(InputError, match="must say so: looks_back = True"):
        prompt_scores(gaussian_model(SCHEDULE, DIM), c, null, metrics=[Careless()], **how)
