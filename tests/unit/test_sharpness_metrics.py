"""Sharpness along guided trajectories: closed forms of a Gaussian pair, FLIPD's trace, derivatives, rows counted."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from diffusers import PNDMScheduler
from gaussian_pair import conditions, gaussian_model
from tiny_pipeline import SCHEDULER, write_pipeline

from mmh.config.check import check_config
from mmh.detection.prompt_detectors import prompt_detectors
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.evaluation.names import Detector
from mmh.metrics.base import METRICS, asked_metrics, made
from mmh.models.latent import folder as text_to_image
from mmh.options.entries import Entry
from mmh.prompts.score_table import score_table
from mmh.prompts.scoring import busiest, prompt_scores
from mmh.sampling.guided import ddim_grid, generation_seed, initial_noise

SETTINGS = PNDMScheduler.from_config(SCHEDULER)
SCHEDULE = Schedule.from_scheduler(SETTINGS)
PROMPTS = ["the red plate", "digit seven"]
DIM = 4
STEPS = {"steps": [1, 5, 6], "m": DIM}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return text_to_image.load_folder(write_pipeline(tmp_path_factory.mktemp("sharp") / "model"))


def scored(metrics, model=None, n=3, **options):
    c, null = conditions(n, DIM), conditions(1, DIM, seed=9)
    how = {"prompt_set": "test", "prompts": np.arange(n), "generations": 2, "guidance": 2.0, "batch_size": 4}
    how |= {"grid": ddim_grid(SETTINGS, 6)} | options
    return (
        c,
        null,
        prompt_scores(model or gaussian_model(SCHEDULE, DIM), c, null, metrics=made(metrics), **how),
    )


def seen_latents(c, null, grid, n=3):
    """Latents of each step by another DDIM in NumPy, with psi and the slopes of both branches: J = diag."""
    z = initial_noise(0, "test", np.repeat(np.arange(n), 2), np.tile([0, 1], n), (DIM,)).double().numpy()
    law, empty = np.repeat(c.numpy(), 2, axis=0), null.numpy()
    for step in range(len(grid)):
        psi, sigma = grid.abar[step] ** 0.5, (1 - grid.abar[step]) ** 0.5
        slopes = [sigma / (psi**2 * one[:, 1] + sigma**2) for one in (empty, law)]
        eps = [k * (z - psi * one[:, 0]) for k, one in zip(slopes, (empty, law), strict=True)]
        yield z, sigma, np.broadcast_to(slopes[0], z.shape), slopes[1], eps[1] - eps[0]
        guided = eps[0] + 2.0 * (eps[1] - eps[0])
        clean = (z - sigma * guided) / psi
        z = grid.following[step] ** 0.5 * clean + (1 - grid.following[step]) ** 0.5 * guided


def lhsd(a, c=0.5):
    return (1 / (1 + (np.abs(a) / c) ** 4)).sum(1)


def test_metrics_of_a_gaussian_pair_are_their_closed_forms():
    """Of all eigenvalues, at the steps that are asked for and no others; by a jvp and by differences."""
    exact = {name: STEPS | {"m": "exact"} for name in METRICS.rows() if hasattr(METRICS[name], "branch")}
    directional = {
        name: {"steps": STEPS["steps"]} for name in ("curvature", "curvature_transpose", "score_difference")
    }
    c, null, found = scored(exact | directional)
    for step, (_, sigma, empty, caption, delta) in enumerate(seen_latents(c, null, found.grid)):
        a, b = sigma * caption, sigma * empty
        gap, scale = a - b, -1 / sigma**2
        expected = {
            "lhsd": lhsd(a),
            "lhsd_empty": lhsd(b),
            "lhsd_gap": lhsd(a) - lhsd(b),
            "sharp_share": (a > 0.5).mean(1),
            "sharp_share_empty": (b > 0.5).mean(1),
            "sharp_share_difference": (gap > 0.5).mean(1),
            "lambda_min": scale * a.max(1),
            "lambda_min_empty": scale * b.max(1),
            "lambda_min_gap": scale * (a.max(1) - b.max(1)),
            "lambda_min_difference": scale * gap.max(1),
            "lambda_max": scale * a.min(1),
            "lambda_max_empty": scale * b.min(1),
            "lambda_max_difference": scale * gap.min(1),
            "jacobian_trace": a.sum(1),
            "jacobian_trace_empty": b.sum(1),
            "jacobian_trace_gap": gap.sum(1),
            "lid_trace": DIM - a.sum(1),
            "lid_trace_empty": DIM - b.sum(1),
            "lid_trace_gap": b.sum(1) - a.sum(1),
            "score_difference": np.linalg.norm(delta, axis=1) / sigma,
            "curvature": np.linalg.norm((caption - empty) * delta, axis=1) / sigma**2,
            "curvature_transpose": np.linalg.norm((caption - empty) * delta, axis=1) / sigma**2,
        }
        assert set(expected) == set(exact) | set(directional)
        for name, values in expected.items():
            if step + 1 in STEPS["steps"]:
                np.testing.assert_allclose(found.values[name][:, step], values, rtol=1e-7, atol=1e-9)
            else:
                assert np.isnan(found.values[name][:, step]).all()


def test_a_krylov_space_of_all_dimensions_gives_the_same_extremes_and_flipds_trace():
    names = ("lambda_min", "lambda_max_empty", "lambda_min_difference")
    _, _, exact = scored({name: STEPS | {"m": "exact"} for name in names})
    _, _, found = scored({name: STEPS for name in names})
    for name in names:
        np.testing.assert_allclose(found.values[name], exact.values[name], rtol=1e-6)
    probes = {"probe": "rademacher", "probes": 2, "steps": [6]}
    traces = {"jacobian_trace": probes, "jacobian_trace_empty": probes, "score_norm_squared": {}}
    _, _, found = scored(traces | {"flipd": {"trace": 2, "probe": "rademacher"}})
    one, other = (found.values[name][:, 5] for name in ("jacobian_trace", "jacobian_trace_empty"))
    expected = DIM - (2.0 * one - other) + found.values["score_norm_squared"][:, 5]
    np.testing.assert_allclose(found.values["flipd"][:, 5], expected, rtol=1e-9)


def test_products_of_a_network_agree_with_its_jacobians_in_float64(tiny):
    """J^D D and its transpose, each to 1e-5, by the brute-force Jacobian and by finite differences of it."""
    tiny.unet.double()
    try:
        score, null, grid = tiny.score_model(), tiny.null().double(), ddim_grid(tiny.scheduler, 4)[:1]
        c = tiny.embed(PROMPTS[:1]).double()
        values = {}
        for way, h in (("central", 1e-4), ("jvp", 1.0), ("one-sided", 1e-5)):
            asked = {"curvature": {"product": way, "h": h}, "curvature_transpose": {}, "score_difference": {}}
            how = {"grid": grid, "prompt_set": "s", "prompts": [0], "generations": 1, "batch_size": 1}
            values[way] = prompt_scores(score, c, null, metrics=made(asked), **how).values
        z = initial_noise(0, "s", [0], [0], score.shape).double()
        t, sigma = float(grid.t[0]), float(score.schedule.sigma(grid.t[0]))

        def difference(y):
            return score.conditioned(c).eps(y, t) - score.conditioned(null).eps(y, t)

        J = torch.autograd.functional.jacobian(difference, z).reshape(64, 64)
        D = difference(z).flatten()
        for way, bar in (("central", 1e-5), ("jvp", 1e-8), ("one-sided", 1e-3)):
            assert values[way]["curvature"][0, 0] == pytest.approx(float((J @ D).norm()) / sigma**2, rel=bar)
        transposed = values["jvp"]["curvature_transpose"][0, 0]
        assert transposed == pytest.approx(float((J.T @ D).norm()) / sigma**2, rel=1e-8)
        assert values["jvp"]["score_difference"][0, 0] == pytest.approx(float(D.norm()) / sigma, rel=1e-8)
        assert abs((J @ D).norm() / (J.T @ D).norm() - 1) > 1e-3, (
            "a network whose Jacobian is symmetric tests nothing"
        )
    finally:
        tiny.unet.float()


@pytest.mark.parametrize(
    ("metric", "options", "rows", "backward"),
    [
        ("score_difference", {}, 0, 0),
        ("curvature", {"product": "central"}, 4, 0),
        ("curvature", {"product": "one-sided"}, 2, 0),
        ("curvature", {"product": "jvp"}, 2, 0),
        ("curvature_transpose", {}, 0, 2),
        ("lambda_min", {"m": 3, "probes": 2}, 0, 12),
        ("lambda_min_gap", {"m": 3, "probes": 2}, 0, 12),
        ("lambda_min_difference", {"m": 3, "probes": 1}, 0, 6),
    ],
)
def test_rows_of_the_network_are_no_more_than_the_table_says(tiny, metric, options, rows, backward):
    """Beyond sampling's 2 n rows a step: 2 n of a jvp, twice 2 n of a central difference, 2 n backward a product."""
    forward, back = [], []
    hooks = [
        tiny.unet.register_forward_hook(lambda module, inputs, output: forward.append(len(inputs[0]))),
        tiny.unet.register_full_backward_hook(lambda module, inputs, outputs: back.append(len(outputs[0]))),
    ]
    try:
        how = {"grid": ddim_grid(tiny.scheduler, 3), "prompt_set": "s", "prompts": [0, 1], "generations": 1}
        taken = made({metric: options | {"steps": [1]}})
        prompt_scores(
            tiny.score_model(), tiny.embed(PROMPTS), tiny.null(), metrics=taken, batch_size=2, **how
        )
    finally:
        for hook in hooks:
            hook.remove()
    assert (sum(forward), sum(back)) == (2 * 2 * 3 + rows * 2, backward * 2)


def test_metrics_that_ask_alike_share_one_pass(tiny):
    back = []
    hook = tiny.unet.register_full_backward_hook(lambda module, inputs, outputs: back.append(len(outputs[0])))
    names = (
        "lhsd",
        "lhsd_empty",
        "lhsd_gap",
        "lambda_min",
        "lid_trace",
        "sharp_share",
        "jacobian_trace_empty",
    )
    try:
        how = {"grid": ddim_grid(tiny.scheduler, 3), "prompt_set": "s", "prompts": [0], "generations": 1}
        taken = made({name: {"steps": [2], "m": 4} for name in names})
        prompt_scores(tiny.score_model(), tiny.embed(PROMPTS[:1]), tiny.null(), metrics=taken, **how)
    finally:
        hook.remove()
    assert len(back) == 4


def test_detectors_are_named_by_the_steps_that_were_asked_for():
    asked = {"curvature": {"steps": [1, 2, 6]}, "score_difference": {}, "lhsd": {"steps": [5, 6]}}
    _, _, found = scored(asked)
    table = score_table(found, prompt_set="test", prompts=np.arange(3), generations=2)
    detectors = prompt_detectors(table, steps=(1, 2), generations=(1,))
    assert list(detectors) == [
        "curvature.first.n1",
        "curvature.first2.n1",
        "curvature.step2.n1",
        "curvature.step6.n1",
        "lhsd.step5.n1",
        "lhsd.step6.n1",
        "score_difference.first.n1",
        "score_difference.first2.n1",
        "score_difference.mean.n1",
    ]
    values = found.values["curvature"].reshape(3, 2, 6)
    np.testing.assert_array_equal(detectors["curvature.step6.n1"], values[:, 0, 5])
    np.testing.assert_allclose(detectors["curvature.first2.n1"], values[:, 0, :2].mean(1))
    np.testing.assert_array_equal(detectors["lhsd.step5.n1"], -found.values["lhsd"].reshape(3, 2, 6)[:, 0, 4])
    one = Detector.parse("curvature.step48.n4")
    assert (one.step, one.steps, one.generations) == (48, None, 4)


def test_shared_noise_is_that_of_the_generation_whatever_the_prompt_and_the_set():
    own = initial_noise(0, "a", [0, 1], [0, 0], (DIM,))
    shared = initial_noise(0, "a", [0, 1, 0], [0, 0, 1], (DIM,), shared=True)
    assert shared[0].equal(shared[1])
    assert not shared[0].equal(shared[2])
    assert shared[0].equal(initial_noise(0, "b", [7], [0], (DIM,), shared=True)[0])
    assert not shared[0].equal(own[0])
    assert generation_seed(0, "a", 0, 1, shared=True) == generation_seed(0, "b", 5, 1, shared=True)
    c, null, found = scored({"score_difference": {}}, shared_noise=True)
    z = initial_noise(0, "test", np.arange(6) // 2, np.tile([0, 1], 3), (DIM,), shared=True).double().numpy()
    law, psi, sigma = (
        np.repeat(c.numpy(), 2, axis=0),
        found.grid.abar[0] ** 0.5,
        (1 - found.grid.abar[0]) ** 0.5,
    )
    eps = [sigma / (psi**2 * one[:, 1] + sigma**2) * (z - psi * one[:, 0]) for one in (null.numpy(), law)]
    expected = np.linalg.norm(eps[1] - eps[0], axis=1) / sigma
    np.testing.assert_allclose(found.values["score_difference"][:, 0], expected, rtol=1e-9)


def test_what_does_not_fit_is_said_before_or_by_its_name():
    def mistakes(name, options, **prompts):
        entry = {
            "prompts": {"steps": 50, "guidance": 7.5} | prompts,
            "latents": {"dtype": prompts.pop("dtype", "float32")},
        }
        row, where = METRICS[name], f"experiments.x.prompts.metrics.{name}"
        found = row.check(
            row.Options.model_validate(options), Entry({"experiments": {"x": entry}}, "x"), where
        )
        return [one.removeprefix(where) for one in found]

    assert mistakes("lhsd", {"steps": [1, 50]}) == []
    assert mistakes("lhsd", {"steps": [1, 51]}) == [".steps: 51, but prompts.steps is 50, the last one"]
    (unguided,) = mistakes("curvature", {}, guidance=0)
    assert unguided.startswith(": with guidance 0 no caption leads the trajectories")
    (half,) = mistakes("curvature", {}, dtype="float16")
    assert half == ".product: a difference of float16 noises is rounding alone; use jvp"
    assert mistakes("curvature", {"product": "jvp"}, dtype="float16") == []
    with pytest.raises(InputError, match=r"m must be 1\.\.d=4, got 5"):
        scored({"lhsd": {"m": 5}})
    eps = gaussian_model(SCHEDULE, DIM)
    broken = ScoreModel.from_function(
        lambda z, t, c: z * torch.where(c[:, :1, 0] == c[:1, :1, 0], 1.0, torch.inf),
        (DIM,),
        SCHEDULE,
        dtype=torch.float64,
    )
    with pytest.raises(
        InputError, match=r"score_difference of prompt set test is not finite at step 1, prompts: id 0"
    ):
        scored({"score_difference": {"steps": [1]}}, broken)
    detached = ScoreModel.from_function(
        lambda z, t, c: eps.conditioned(c).eps(z, t).detach(), (DIM,), SCHEDULE, dtype=torch.float64
    )
    with pytest.raises(InputError, match="has no derivative with respect to its input"):
        scored({"lhsd": {}}, detached)
    scored({"curvature": {}}, detached)  # which needs none


def test_metrics_with_options_take_what_their_section_says():
    """Defaults that are filled in beforehand must not hide it."""
    config = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())
    prompts = check_config(config)["experiments"]["digits-text"]["prompts"]
    asked = asked_metrics(prompts)
    assert (
        (asked["flipd"].trace, asked["flipd"].probe)
        == (prompts["trace"], prompts["probe"])
        == (2, "rademacher")
    )
    assert asked["lhsd"].probe == "rademacher"
    assert (asked["lhsd"].c, asked["lhsd"].steps) == (0.5, [1, 40, 48, 50])


def test_the_step_that_is_tried_for_memory_is_one_that_is_differentiated():
    grid = ddim_grid(SETTINGS, 6)
    assert busiest(grid, made({"lhsd": {"steps": [2, 4]}, "cfg_norm": {}})).numbers == [3]
    assert busiest(grid, made({"cfg_norm": {}})).numbers == [5]
    part = grid[2:]
    assert (part.first, part[1:].numbers) == (2, [3, 4, 5])
