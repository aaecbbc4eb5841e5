"""Scores along guided trajectories: closed forms of a Gaussian pair, brute-force traces, counted rows."""

import numpy as np
import pytest
import torch
from diffusers import PNDMScheduler
from gaussian_pair import conditions, gaussian_model
from tiny_pipeline import SCHEDULER, write_pipeline

from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.metrics.base import METRICS, Metric, made
from mmh.models.latent import folder as text_to_image
from mmh.prompts.score_table import score_table
from mmh.prompts.scoring import prompt_scores
from mmh.sampling.guided import ddim_grid, guided_ddim, initial_noise

SETTINGS = PNDMScheduler.from_config(SCHEDULER)
SCHEDULE = Schedule.from_scheduler(SETTINGS)
PROMPTS = ["the red plate", "digit seven", "with digit three", "plate"]
DIM = 3


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return text_to_image.load_folder(write_pipeline(tmp_path_factory.mktemp("tiny") / "model"))


SAMPLING = {name: {} for name in ("cfg_norm_squared", "cfg_norm", "score_norm_squared")}


def metrics(trace=None, probe="gaussian"):
    """The metrics of sampling alone, and FLIPD with this trace."""
    return made({**SAMPLING, **({} if trace is None else {"flipd": {"trace": trace, "probe": probe}})})


def gaussian_scores(n=4, *, taken=None, **options):
    c, null = conditions(n, DIM), conditions(1, DIM, seed=9)
    how = {"prompt_set": "test", "prompts": np.arange(n), "generations": 2, "guidance": 2.0, "batch_size": 4}
    how |= {"grid": ddim_grid(SETTINGS, 20)}
    return c, null, prompt_scores(gaussian_model(SCHEDULE, DIM), c, null, metrics=taken, **(how | options))


def test_metrics_of_a_gaussian_pair_are_their_closed_forms():
    """Another DDIM in NumPy, and d - sigma tr + ||eps||^2 with the trace of a linear noise."""
    c, null, found = gaussian_scores(taken=metrics("exact"))
    noise = initial_noise(0, "test", np.repeat(np.arange(4), 2), np.tile([0, 1], 4), (DIM,))
    z, grid = noise.double().numpy(), found.grid
    law, empty = np.repeat(c.numpy(), 2, axis=0), null.numpy()
    for step in range(20):
        psi, sigma = grid.abar[step] ** 0.5, (1 - grid.abar[step]) ** 0.5
        slopes = [sigma / (psi**2 * one[:, 1] + sigma**2) for one in (empty, law)]
        eps_0, eps_c = (k * (z - psi * one[:, 0]) for k, one in zip(slopes, (empty, law), strict=True))
        guided = eps_0 + 2.0 * (eps_c - eps_0)
        expected = {
            "cfg_norm_squared": ((eps_c - eps_0) ** 2).sum(1),
            "cfg_norm": np.linalg.norm(eps_c - eps_0, axis=1),
            "score_norm_squared": (guided**2).sum(1),
            "flipd": DIM - sigma * (2.0 * slopes[1] - slopes[0]).sum(1) + (guided**2).sum(1),
        }
        for name, values in expected.items():
            if name == "flipd" and grid.t[step] > 0.2:
                assert np.isnan(found.values[name][:, step]).all()
            else:
                np.testing.assert_allclose(found.values[name][:, step], values, rtol=1e-9)
        clean = (z - sigma * guided) / psi
        z = grid.following[step] ** 0.5 * clean + (1 - grid.following[step]) ** 0.5 * guided
    np.testing.assert_allclose(found.latents, z, rtol=1e-6)
    assert (grid.t <= 0.2).sum() == 4


def test_of_fifty_steps_the_last_ten_have_flipd():
    _, _, found = gaussian_scores(1, taken=metrics("exact"), grid=ddim_grid(SETTINGS, 50))
    taken = np.flatnonzero(np.isfinite(found.values["flipd"][0]))
    assert taken.tolist() == list(range(40, 50))


@pytest.mark.parametrize("law", ["gaussian", "rademacher"])
def test_probes_estimate_the_exact_trace(law):
    """The mean of many probes, and the spread of a single one: for diagonal J, Rademacher has none."""
    _, _, exact = gaussian_scores(taken=metrics("exact"))
    _, _, found = gaussian_scores(taken=metrics(400, law))
    low = np.isfinite(exact.values["flipd"])
    difference = (found.values["flipd"] - exact.values["flipd"])[low]
    np.testing.assert_array_equal(found.latents, exact.latents)
    if law == "rademacher":
        np.testing.assert_allclose(difference, 0, atol=1e-5)  # probes are +-1 in float32
    else:
        assert 0 < np.abs(difference).max() < 1.0
        assert abs(difference.mean()) < 0.2


class Keep:
    """Observer that keeps the latents of every step."""

    def __init__(self):
        self.z = []

    def wants_graph(self, t, number):
        return False

    def see(self, step):
        self.z.append(step.z)


def test_flipd_of_a_network_has_the_brute_force_trace(tiny):
    """The Jacobian of the guided noise at the trajectory's latents, entry by entry, in float64."""
    tiny.unet.double()
    score = tiny.score_model()
    c, null, grid = tiny.embed(PROMPTS[:2]).double(), tiny.null().double(), ddim_grid(tiny.scheduler, 10)
    found = prompt_scores(
        score, c, null, grid=grid, prompt_set="s", prompts=[0, 1], generations=1, metrics=metrics("exact")
    )
    keep = Keep()
    noise = initial_noise(0, "s", [0, 1], [0, 0], score.shape)
    guided_ddim(score, noise, c, null, grid=grid, observer=keep)
    checked = 0
    for step in np.flatnonzero(grid.t <= 0.2):
        for row in range(2):
            z, t = keep.z[step][row : row + 1], float(grid.t[step])
            function = score.guided(c[row : row + 1], null, 7.5)
            J = torch.autograd.functional.jacobian(lambda y, f=function, t=t: f.eps(y, t), z).reshape(64, 64)
            norm = function.eps(z, t).square().sum()
            expected = 64 - score.schedule.sigma(t) * J.trace() + norm
            assert found.values["flipd"][row, step] == pytest.approx(float(expected), rel=1e-9)
            checked += 1
    assert checked == 4
    tiny.unet.float()


@pytest.mark.parametrize(("trace", "probes"), [(None, 0), (1, 1), (3, 3)])
def test_scores_take_no_more_rows_than_sampling_and_the_probes(tiny, trace, probes):
    """Two rows per image and step forward; a probe is one backward pass over the rows of its step."""
    forward, backward = [], []
    hooks = [
        tiny.unet.register_forward_hook(lambda module, inputs, output: forward.append(len(inputs[0]))),
        tiny.unet.register_full_backward_hook(
            lambda module, inputs, outputs: backward.append(len(outputs[0]))
        ),
    ]
    options = {"prompt_set": "s", "prompts": [0, 1, 2, 3], "generations": 2, "batch_size": 4}
    grid = ddim_grid(tiny.scheduler, 10)
    try:
        prompt_scores(
            tiny.score_model(), tiny.embed(PROMPTS), tiny.null(), grid=grid, metrics=metrics(trace), **options
        )
    finally:
        for hook in hooks:
            hook.remove()
    assert sum(forward) == 2 * 8 * 10
    assert sum(backward) == 2 * 8 * 2 * probes


def test_a_generation_does_not_depend_on_what_is_sampled_with_it(tiny):
    options = {
        "prompt_set": "s",
        "metrics": metrics(2),
        "grid": ddim_grid(tiny.scheduler, 5),
        "batch_size": 3,
    }
    score, c, null = tiny.score_model(), tiny.embed(PROMPTS), tiny.null()
    whole = prompt_scores(score, c, null, prompts=[0, 1, 2, 3], generations=3, **options)
    part = prompt_scores(score, c[[2, 0]], null, prompts=[2, 0], generations=2, **options)
    for here, there in ((0, 6), (1, 7), (2, 0), (3, 1)):
        assert part.latents[here].tobytes() == whole.latents[there].tobytes()
        for name in whole.values:
            assert part.values[name][here].tobytes() == whole.values[name][there].tobytes()
    other = prompt_scores(score, c, null, prompts=[0, 1, 2, 3], generations=3, **(options | {"seed": 1}))
    assert not (other.latents == whole.latents).all(axis=(1, 2, 3)).any()


def test_what_half_precision_cannot_hold_is_done_again_in_float32():
    """A network whose intermediate values leave float16's range for the second prompt."""

    def eps(z, t, c):
        large = 300 * c[:, 0]
        return (z * large * large) / large / large

    model = ScoreModel.from_function(eps, (DIM,), SCHEDULE, dtype=torch.float16)
    c = torch.tensor([[[0.01] * DIM], [[1.0] * DIM]])
    options = {
        "prompt_set": "s",
        "prompts": [0, 1],
        "generations": 2,
        "metrics": metrics("exact"),
        "batch_size": 4,
    }
    found = prompt_scores(model, c, c[:1], grid=ddim_grid(SETTINGS, 5), **options)
    assert found.retried == 2
    exact = ScoreModel.from_function(lambda z, t, c: z, (DIM,), SCHEDULE)
    expected = prompt_scores(exact, c, c[:1], grid=ddim_grid(SETTINGS, 5), **options)
    np.testing.assert_allclose(found.latents[2:], expected.latents[2:], rtol=1e-5)
    np.testing.assert_allclose(found.latents[:2], expected.latents[:2], rtol=1e-2)
    single = ScoreModel.from_function(lambda z, t, c: eps(z, t, c) * np.inf, (DIM,), SCHEDULE)
    with pytest.raises(
        InputError, match="cfg_norm_squared of prompt set s is not finite at step 1, prompts: id 0, 0, 1, 1"
    ):
        prompt_scores(single, c, c[:1], grid=ddim_grid(SETTINGS, 5), **options)


def test_memory_that_runs_out_halves_the_batch():
    calls = []

    def eps(z, t, c):
        calls.append(len(z))
        if len(z) > 4:
            raise torch.OutOfMemoryError("full")
        return z

    model = ScoreModel.from_function(eps, (DIM,), SCHEDULE, dtype=torch.float64)
    options = {"prompt_set": "s", "prompts": [0, 1], "grid": ddim_grid(SETTINGS, 2)}
    found = prompt_scores(model, conditions(2, DIM), conditions(1, DIM), **options)
    assert found.batch_size == 2
    assert calls[:3] == [16, 8, 4]
    with pytest.raises(InputError, match="lower batch_size"):
        prompt_scores(model, conditions(2, DIM), conditions(1, DIM), batch_size=4, **options)


def test_the_table_lists_every_score_once():
    _, _, found = gaussian_scores(3, taken=metrics("exact"), prompts=[4, 7, 5])
    table = score_table(found, prompt_set="test", prompts=[4, 7, 5], generations=2)
    assert list(table.columns) == (
        ["prompt_set", "prompt", "generation", "step", "t", "index", "sigma", "metric", "value"]
    )
    assert len(table) == 3 * 2 * (3 * 20 + 4)
    keys = ["prompt", "generation", "metric", "step"]
    assert not table.duplicated(keys).any()
    for name, step in (("cfg_norm", 0), ("flipd", 19), ("score_norm_squared", 7)):
        row = table.set_index(keys).loc[(7, 1, name, step)]
        assert row["value"] == found.values[name][3, step]
        assert row["index"] == round(1000 * row["t"]) == found.grid.index[step]
        assert row["sigma"] == pytest.approx(SCHEDULE.sigma(row["t"]), rel=1e-12)


@pytest.mark.parametrize(("trace", "dim", "probes"), [("auto", 64, None), ("auto", 16384, 1), (3, 64, 3)])
def test_the_cost_of_a_trace(trace, dim, probes):
    flipd = METRICS["flipd"]
    calls = flipd.cost(
        flipd.Options(trace=trace), dim, lambda asked: 1 + (100 if asked == "exact" else asked)
    )
    assert calls == (100 if probes is None else probes)
    assert METRICS["cfg_norm"].cost(None, dim, lambda asked: 7) == 0


class Early(Metric):
    """Largest noise of the caption, at the steps with t <= .6."""

    name, until = "early", 0.6

    def see(self, step):
        assert not step.z.requires_grad or step.t <= 0.2
        return step.caption.detach().double().flatten(1).abs().amax(1).numpy()


class Entropy(Metric):
    """Entropy of the attention over tokens."""

    name, needs, large = "entropy", "attention", False

    def see(self, step):
        assert len(step.attention) > 0
        for maps in step.attention:
            assert maps.shape[0] == len(step.z)
            torch.testing.assert_close(maps.sum(-1), torch.ones(maps.shape[:-1]))
        parts = [-(m * m.clamp_min(1e-9).log()).sum(-1).flatten(1).mean(1) for m in step.attention]
        return torch.stack(parts).mean(0).double().numpy()


class Sharpness(Metric):
    """||J^T u||^2 with a random vector, on the graph that FLIPD uses too."""

    name, needs, until = "sharpness", "graph", 0.2

    def see(self, step):
        u = np.stack([stream.standard_normal(step.model.dim) for stream in step.streams("sharp", 0)])
        with torch.enable_grad():
            found = step.products().product(torch.from_numpy(u), last=True)
        return found.square().sum(1).numpy()


class Short(Metric):
    name = "short"

    def see(self, step):
        return np.zeros(1)


def test_metrics_see_the_steps_that_they_want_and_change_nothing(tiny):
    options = {"grid": ddim_grid(tiny.scheduler, 10), "prompt_set": "s", "prompts": [0, 1], "batch_size": 2}
    args = tiny.score_model(), tiny.embed(PROMPTS[:2]), tiny.null()
    alone = prompt_scores(*args, metrics=metrics(2), **options)
    more = [Early(), Entropy(), *metrics(2), Sharpness()]
    found = prompt_scores(*args, metrics=more, **options)
    assert list(found.values) == ["early", "entropy", *alone.values, "sharpness"]
    assert found.latents.tobytes() == alone.latents.tobytes()
    for name, values in alone.values.items():
        assert found.values[name].tobytes() == values.tobytes()
    for name, until in (("early", 0.6), ("entropy", 1.0), ("sharpness", 0.2)):
        assert (np.isfinite(found.values[name]) == (found.grid.t <= until)).all()
    assert (found.values["entropy"] > 0).all()
    assert (found.values["entropy"] <= np.log(tiny.null().shape[1]) + 1e-6).all()
    last = prompt_scores(*args, metrics=[Sharpness()], **options)
    np.testing.assert_array_equal(last.values["sharpness"], found.values["sharpness"])
    assert not any(module._forward_pre_hooks for module in tiny.unet.modules())


def test_a_metric_that_does_not_fit_is_named():
    with pytest.raises(InputError, match=r"metric 'short' gave values of shape \(1,\) for 4 trajectories"):
        gaussian_scores(taken=[Short()])
    with pytest.raises(InputError, match="no cross-attention, which a metric needs"):
        gaussian_scores(taken=[Entropy()])


def test_no_prompts_have_no_scores():
    _, _, found = gaussian_scores(0, taken=metrics("exact"))
    assert found.latents.shape == (0, DIM)
    assert found.values["flipd"].shape == (0, 20)


def test_prompts_without_embeddings_are_refused():
    with pytest.raises(InputError, match="one embedding per prompt: 2 for 1"):
        gaussian_scores(2, prompts=[0])
