"""Mitigations: closed forms of a linear noise, a brute-force descent, counted rows, plug-ins."""

import numpy as np
import pytest
import torch
from diffusers import PNDMScheduler
from gaussian_pair import conditions
from tiny_pipeline import SCHEDULER, write_pipeline

from mmh.compute.attention import forward_mode
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.mitigated.sampling import mitigated_latents
from mmh.mitigations.base import MITIGATIONS, made
from mmh.mitigations.sail import Sail
from mmh.models.latent import folder as text_to_image
from mmh.prompts.scoring import prompt_scores
from mmh.rows import load_plugin, load_plugins
from mmh.sampling import sharpness
from mmh.sampling.guided import ddim_grid, guided_ddim, initial_noise
from mmh.sampling.start import Start

SETTINGS = PNDMScheduler.from_config(SCHEDULER)
SCHEDULE = Schedule.from_scheduler(SETTINGS)
DIM, STEPS, PROMPTS, GUIDANCE = 4, 6, 3, 3.0
GRID = ddim_grid(SETTINGS, STEPS)
SIGMA = float(np.sqrt(1 - GRID.abar[0]))
NULL = conditions(1, DIM, seed=9)


def linear_model(function=None):
    """eps(z, t, c) = c_0 + c_1 z: at the first step its branches differ as much as one likes."""
    own = function or (lambda z, t, c: c[:, 0] + c[:, 1] * z)
    return ScoreModel.from_function(own, (DIM,), SCHEDULE, dtype=torch.float64)


def pair(prompts=range(PROMPTS)):
    """Embedded prompts; a prompt's depends on its number alone."""
    return torch.cat([conditions(1, DIM, seed=20 + number) for number in prompts])


def start(generations=2, seed=0):
    keys = [(p, g) for p in range(PROMPTS) for g in range(generations)]
    c = pair().repeat_interleave(generations, dim=0)
    how = {"grid": GRID, "guidance": GUIDANCE, "keys": keys, "prompt_set": "test"}
    return Start(linear_model(), c, NULL, **how, generations=generations, seed=seed)


def sampled(mitigation, prompts=range(PROMPTS), *, generations=2, model=None, seed=0, batch_size=4):
    how = {"grid": GRID, "prompt_set": "test", "generations": generations, "guidance": GUIDANCE, "seed": seed}
    model = model or linear_model()
    c = pair(prompts)
    return mitigated_latents(model, c, NULL, mitigation, **how, prompts=list(prompts), batch_size=batch_size)


def linear(c):
    """s_c - s_0 = slope z + shift of each condition (2, DIM) at the first step, in NumPy."""
    one, other = c.numpy(), NULL[0].numpy()
    return (other[1] - one[1]) / SIGMA, (other[0] - one[0]) / SIGMA


def value_and_slope(mode, z, slope, shift, first, delta=1.0):
    """Sharpness, and the gradient of what is minimised, written out for s = slope z + shift."""
    s = slope * z + shift
    if mode == "exact-hvp":
        pushed = slope * s
        return np.linalg.norm(pushed), 2 * slope**2 * pushed
    if mode == "paper":
        length = np.linalg.norm(s)
        change = slope * delta * s / length
        # d(s/|s|)/dz = (slope - u (u slope)) / |s|
        u = s / length
        weighted = 2 * delta * slope * change / length
        return np.linalg.norm(change), slope * (weighted - u * (u @ weighted))
    begin = SIGMA * (slope * first + shift)
    ahead = SIGMA * (slope * (z - delta * begin / np.linalg.norm(begin)) + shift)
    return np.linalg.norm(ahead), SIGMA * slope * ahead / np.linalg.norm(ahead)


def descent(mode, z, slope, shift, *, alpha, threshold, steps, rate, keep_norm=False):
    """Adam written out for one row: the noise at its end, the loss there, and how many gradients it took."""
    first, m, v, length = z.copy(), 0.0, 0.0, np.linalg.norm(z)
    for step in range(steps + 1):
        value, gradient = value_and_slope(mode, z, slope, shift, first)
        loss = value + alpha * np.linalg.norm(z)
        if step == steps or (threshold is not None and loss <= threshold):
            return z, loss, step
        gradient = gradient + alpha * (z / np.linalg.norm(z) if mode == "official-code" else 2 * z)
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        z = z - rate * (m / (1 - 0.9 ** (step + 1))) / (np.sqrt(v / (1 - 0.999 ** (step + 1))) + 1e-8)
        if keep_norm:
            z = z * length / np.linalg.norm(z)
    raise AssertionError


MODES = ["paper", "official-code", "exact-hvp"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("keep_norm", [False, True])
def test_sail_is_adam_on_its_objective_from_one_fresh_noise_after_the_other(mode, keep_norm):
    """Noises, acceptance and rows against the same loop in NumPy, row by row."""
    begin = start()
    options = {"mode": mode, "alpha": 0.3, "alpha_dim": None, "steps": 4, "budget": 3, "keep_norm": keep_norm}
    threshold = {"paper": 0.9, "official-code": 3.5, "exact-hvp": 1.7}[mode]
    noise = made("sail", {**options, "ell_thres": threshold}).noise(begin)
    gradient, value = {"paper": (8, 4), "official-code": (4, 2), "exact-hvp": (12, 6)}[mode]
    own = 2 if mode == "official-code" else 0
    taken = []
    for row in range(len(begin)):
        best, least, rows, accepted = None, np.inf, 0, False
        for number in range(3):
            z = begin.noise(number)[row].numpy()
            how = {"alpha": 0.3, "threshold": threshold, "steps": 4, "rate": 0.05, "keep_norm": keep_norm}
            end, loss, steps = descent(mode, z, *linear(begin.c[row]), **how)
            accepted = loss <= threshold
            # A gradient is computed before it is known that the row stops, unless no step is left.
            rows += own + gradient * steps + (value if steps == 4 else gradient)
            if loss < least or accepted:
                best, least = end, loss
            if accepted:
                break
        np.testing.assert_allclose(noise[row], best, rtol=1e-6)
        assert begin.rows[row] == rows
        assert begin.accepted[row] == accepted
        taken.append((number, accepted))
    assert len({number for number, _ in taken}) > 1, "some rows should try again"


def test_a_difference_tends_to_the_product_with_the_hessian():
    begin, t = start(), float(GRID.t[0])
    z = begin.noise()
    field = begin.score_difference
    length = sharpness.norms(field(z))
    exact, _ = sharpness.exact(field, z, gradient=False)
    small, _ = sharpness.finite(field, z, 1e-3, gradient=False)
    np.testing.assert_allclose(small / 1e-3 * length, exact, rtol=1e-6)
    assert t == pytest.approx(GRID.t[0])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    loaded = text_to_image.load_folder(write_pipeline(tmp_path_factory.mktemp("tiny") / "model"))
    loaded.unet.double()
    return loaded


@pytest.mark.parametrize("what", ["exact", "finite", "ahead"])
def test_gradients_through_a_unet_are_those_of_finite_differences(tiny, what):
    """In float64, with attention and torch's own layer norm in it: a second derivative for `exact`."""
    model = tiny.score_model()
    assert any(isinstance(one, torch.nn.LayerNorm) for one in tiny.unet.modules())
    c = torch.cat([tiny.null(), tiny.embed(["the red plate"])]).double()
    both, generator = model.conditioned(c), torch.Generator().manual_seed(1)
    z, direction = torch.randn(2, 1, *model.shape, generator=generator, dtype=torch.float64)

    def field(at):
        empty, caption = both.eps(torch.cat([at, at]), 0.981).chunk(2)
        return empty - caption

    def found(at, gradient=True):
        if what == "exact":
            return sharpness.exact(field, at, gradient=gradient)
        if what == "finite":
            return sharpness.finite(field, at, 1.0, gradient=gradient)
        return sharpness.ahead(field, at, 0.3 * direction, gradient=gradient)

    power, h = (1 if what == "ahead" else 2), 1e-4
    with forward_mode(model.module):
        slope = float((found(z)[1] * direction).sum())
        ends = [float(found(z + sign * h * direction, False)[0]) ** power for sign in (1, -1)]
    assert slope == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-5)
    assert abs(slope) > 1e-3


def test_without_mitigation_generations_are_those_of_prompts():
    found = sampled(made("none", {}))
    how = {"grid": GRID, "prompt_set": "test", "prompts": np.arange(PROMPTS), "generations": 2}
    plain = prompt_scores(linear_model(), pair(), NULL, **how, guidance=GUIDANCE, batch_size=4).latents
    np.testing.assert_array_equal(found["latents"], plain)
    assert set(found["rows"]) == {2.0 * STEPS}
    assert found["accepted"].all()


def test_guidance_is_another_or_begins_later():
    noise = initial_noise(0, "test", [0, 0], [0, 1], (DIM,))
    model, c = linear_model(), pair([0])
    lower = guided_ddim(model, noise, c, NULL, grid=GRID, guidance=1.5)
    np.testing.assert_allclose(
        sampled(made("guidance-scale", {"scale": 1.5}), [0])["latents"], lower, rtol=1e-6
    )
    late = float(GRID.t[2])
    begun = guided_ddim(model, noise, c, NULL, grid=GRID[:2], guidance=0.0)
    ended = guided_ddim(model, begun, c, NULL, grid=GRID[2:], guidance=GUIDANCE)
    found = sampled(made("delayed-guidance", {"until": late}), [0])
    np.testing.assert_allclose(found["latents"], ended, rtol=1e-6)
    assert set(found["rows"]) == {2.0 * STEPS}


def test_the_best_of_several_noises_has_the_smallest_difference_of_scores():
    begin = start()
    best = made("redraw", {"candidates": 5}).noise(begin)
    for row in range(len(begin)):
        slope, shift = linear(begin.c[row])
        candidates = np.stack([begin.noise(number)[row].numpy() for number in range(5)])
        norms = np.linalg.norm(slope * candidates + shift, axis=1)
        np.testing.assert_array_equal(best[row], candidates[norms.argmin()])
    assert set(begin.rows) == {10.0}
    one = made("redraw", {"candidates": 1}).noise(start())
    np.testing.assert_array_equal(one, begin.noise())


@pytest.mark.parametrize("mode", MODES)
def test_rows_that_go_through_the_network_are_counted(mode):
    """Forward rows by the network itself; a gradient adds as many as go back."""
    seen = []
    inner = linear_model()

    def counting(z, t, c):
        seen.append(len(z))
        return inner.function(z, t, c)

    model = linear_model(counting)
    options = {"mode": mode, "ell_thres": None, "steps": 3, "alpha": 0.0}
    found = sampled(made("sail", options), model=model, generations=1, batch_size=3)
    calls = sum(seen) / 3
    expected = {
        "official-code": (2 + 3 * 2 + 2, 3 * 2),
        "paper": (4 * 4, 3 * 4),
        "exact-hvp": (4 * 4, 4 * 2 + 3 * 6),
    }
    forward, besides = expected[mode]
    assert calls == forward + 2 * STEPS
    assert set(found["rows"]) == {forward + besides + 2.0 * STEPS}
    assert MITIGATIONS["sail"].most_rows(Sail.Options.model_validate(options)) == forward + besides


def test_a_generation_depends_on_its_prompt_and_number_alone():
    """Whatever else is sampled beside it, and however spans are cut; another seed gives others."""
    sail = made("sail", {"ell_thres": 0.8, "alpha_dim": None, "alpha": 0.3, "steps": 3, "budget": 2})
    whole = sampled(sail, batch_size=4)
    for prompts in ([2], [1, 2], [2, 0]):
        part = sampled(sail, prompts, batch_size=4)
        for place, prompt in enumerate(prompts):
            for name, values in whole.items():
                rows = slice(2 * prompt, 2 * prompt + 2)
                np.testing.assert_array_equal(
                    part[name][2 * place : 2 * place + 2], values[rows], err_msg=name
                )
    more = sampled(sail, generations=3, batch_size=4)
    np.testing.assert_array_equal(
        more["latents"].reshape(PROMPTS, 3, DIM)[:, :2].reshape(-1, DIM), whole["latents"]
    )
    other = sampled(sail, seed=1)
    assert not (other["latents"] == whole["latents"]).any()


def test_published_retries_hand_out_one_noise_several_times_and_correct_ones_do_not():
    """A threshold that few noises pass: the first of the prompt that pass serve all generations."""
    options = {
        "mode": "official-code",
        "alpha": 0.3,
        "alpha_dim": None,
        "steps": 1,
        "budget": 4,
        "ell_thres": 3.2,
    }
    begin = start(generations=6)
    noise = made("sail", {**options, "retries": "official-code", "rounds": 9}).noise(begin).numpy()
    correct = made("sail", options).noise(start(generations=6)).numpy()
    assert len(np.unique(correct, axis=0)) == len(begin)
    repeated = 0
    for prompt in range(PROMPTS):
        c = begin.c[6 * prompt]
        listed, rounds = [], 0
        while len(listed) < 6 and rounds < 9:
            block, rounds = rounds // 3, rounds + 1
            for number in range(4):
                z = begin.noise(4 * block + number, of_prompt=True)[6 * prompt].numpy()
                how = {"alpha": 0.3, "threshold": 3.2 + 0.1 * block, "steps": 1, "rate": 0.05}
                end, loss, _ = descent("official-code", z, *linear(c), **how)
                if loss <= how["threshold"]:
                    listed.append(end)
        for generation, end in enumerate(listed[:6]):
            np.testing.assert_allclose(noise[6 * prompt + generation], end, rtol=1e-6)
            assert begin.accepted[6 * prompt + generation]
        repeated += len(listed[:6]) - len(np.unique(np.round(listed[:6], 9), axis=0))
        assert not begin.accepted[6 * prompt + len(listed) : 6 * prompt + 6].any()
    assert repeated > 0


def test_alpha_keeps_the_gaussian_term_as_large_as_where_it_was_chosen():
    for mode, power in (("official-code", 1), ("paper", 2)):
        options = Sail.Options.model_validate({"mode": mode})
        for dim in (64, 16384, 36864):
            assert Sail.weight(options, dim) * dim ** (power / 2) == pytest.approx(0.05 * 128**power)
    assert Sail.weight(Sail.Options.model_validate({"alpha_dim": None}), 64) == 0.05


PLUGIN = '''
from mmh.mitigations.base import Mitigation
from mmh.options import base as options
from mmh.options.base import Field
from mmh.sampling.guides import Guide


class Capped(Guide):
    def __init__(self, scale, most):
        self.scale, self.most = scale, most

    def combine(self, step):
        change = step.caption - step.empty
        size = change.flatten(1).norm(dim=1).clamp_min(1e-12)
        factor = (self.most / size).clamp(max=self.scale)
        return step.empty + factor.reshape(-1, *[1] * (change.ndim - 1)) * change


class CappedGuidance(Mitigation):
    name, printed = "capped", "capped guidance"

    class Options(options.Options):
        """A bound of what guidance adds."""

        most: float = Field(gt=0)
        """its norm at most"""

    def guide(self, start):
        return Capped(start.guidance, self.options.most)


class Wrong(Mitigation):
    name = "wrong"

    def noise(self, start):
        return start.noise()[:, :1]
'''


@pytest.fixture
def plugin(tmp_path):
    file = tmp_path / "capped.py"
    file.write_text(PLUGIN)
    assert load_plugin(file, [MITIGATIONS]) == {"mitigation": ["capped", "wrong"]}
    yield file
    for name in ("capped", "wrong"):
        del MITIGATIONS.rows()[name]


def test_a_mitigation_of_a_plug_in_changes_the_guidance(plugin):
    load_plugins([plugin], MITIGATIONS)
    capped = sampled(made("capped", {"most": 1e9}))
    np.testing.assert_allclose(capped["latents"], sampled(made("none", {}))["latents"], rtol=1e-6)
    tight = sampled(made("capped", {"most": 1e-9}))
    alone = sampled(made("guidance-scale", {"scale": 0.0}))
    np.testing.assert_allclose(tight["latents"], alone["latents"], rtol=1e-5)


def test_what_does_not_fit_is_named(plugin):
    with pytest.raises(InputError, match=r"'wrong' gave noises of shape \(4, 1\) for 4 generations"):
        sampled(made("wrong", {}))
    with pytest.raises(InputError, match="no mitigation 'sial'"):
        made("sial", {})
    with pytest.raises(InputError, match="one embedding per prompt"):
        mitigated_latents(
            linear_model(),
            pair(),
            NULL,
            made("none", {}),
            grid=GRID,
            prompt_set="test",
            prompts=[0],
            generations=1,
            guidance=2.0,
            seed=0,
        )
    broken = linear_model(lambda z, t, c: z * float("nan"))
    with pytest.raises(
        InputError, match="with mitigation 'redraw' a generation of prompt set test is not finite"
    ):
        sampled(made("redraw", {"candidates": 2}), model=broken)
