"""Optimised embeddings: closed forms of a linear noise, derivatives through a network, counted rows."""

import numpy as np
import pytest
import torch
from diffusers import PNDMScheduler
from gaussian_pair import conditions
from tiny_pipeline import SCHEDULER, write_pipeline

from mmh.compute.attention import math_attention
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.mitigated.sampling import mitigated_latents
from mmh.mitigations.base import MITIGATIONS, made
from mmh.models.latent import folder as text_to_image
from mmh.sampling import held_states
from mmh.sampling.guided import ddim_grid, guided_ddim
from mmh.sampling.start import Start

SETTINGS = PNDMScheduler.from_config(SCHEDULER)
SCHEDULE = Schedule.from_scheduler(SETTINGS)
DIM, STEPS, PROMPTS, GUIDANCE = 4, 10, 3, 3.0
GRID = ddim_grid(SETTINGS, STEPS)  # the last two steps have t <= .2
NULL = conditions(1, DIM, seed=9)
WEN = {"iterations": 4, "learning_rate": 0.1}
FLIPD = {"iterations": 3, "learning_rate": 0.1, "probe": "rademacher"}


def linear_model(function=None):
    """eps(z, t, c) = c_0 + c_1 z; of its diagonal Jacobian a probe of signs gives the exact trace."""
    own = function or (lambda z, t, c: c[:, 0] + c[:, 1] * z)
    return ScoreModel.from_function(own, (DIM,), SCHEDULE, dtype=torch.float64)


def pair(prompts=range(PROMPTS)):
    return torch.cat([conditions(1, DIM, seed=20 + number) for number in prompts])


def start(model=None):
    keys = [(p, g) for p in range(PROMPTS) for g in range(2)]
    how = {"grid": GRID, "guidance": GUIDANCE, "keys": keys, "prompt_set": "test", "generations": 2}
    return Start(model or linear_model(), pair().repeat_interleave(2, dim=0), NULL, **how, seed=0)


def sampled(mitigation, prompts=range(PROMPTS), *, model=None, batch_size=4, generations=2):
    how = {"grid": GRID, "prompt_set": "test", "generations": generations, "guidance": GUIDANCE, "seed": 0}
    model = model or linear_model()
    return mitigated_latents(
        model, pair(prompts), NULL, mitigation, **how, prompts=list(prompts), batch_size=batch_size
    )


def state(number, row):
    """Latents of one row at a step of its plain trajectory."""
    begin = start()
    z = begin.noise()[row : row + 1]
    return guided_ddim(
        linear_model(), z, begin.c[row : row + 1], NULL, grid=GRID[:number], guidance=GUIDANCE
    )[0].numpy()


def adam(slope, c, *, steps, rate, kept, threshold=None):
    """Adam written out; `slope` gives the value and the gradient at c (2, DIM). -> c, its value, steps."""
    m, v = np.zeros_like(c), np.zeros_like(c)
    for step in range(steps + 1):
        value, gradient = slope(c)
        if step == steps or (threshold is not None and value <= threshold):
            return c, value, step
        gradient = gradient * np.array([[0.0 if kept else 1.0], [1.0]])
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        c = c - rate * (m / (1 - 0.9 ** (step + 1))) / (np.sqrt(v / (1 - 0.999 ** (step + 1))) + 1e-8)
    raise AssertionError


def norm_of(z):
    def slope(c):
        gap = c[0] - NULL[0, 0].numpy() + (c[1] - NULL[0, 1].numpy()) * z
        size = np.linalg.norm(gap)
        return size, np.stack([gap / size, gap / size * z])

    return slope


def minus_flipd(points):
    """Minus the mean of d - sigma tr + ||eps||^2 over (sigma, z), guided eps = g_0 + g_1 z."""

    def slope(c):
        total, gradient = 0.0, np.zeros_like(c)
        for sigma, z in points:
            g = (1 - GUIDANCE) * NULL[0].numpy() + GUIDANCE * c
            eps = g[0] + g[1] * z
            total -= (DIM - sigma * g[1].sum() + eps @ eps) / len(points)
            gradient -= GUIDANCE * np.stack([2 * eps, 2 * eps * z - sigma]) / len(points)
        return total, gradient

    return slope


@pytest.mark.parametrize("step", [1, 4])
@pytest.mark.parametrize("kept", [True, False])
def test_wens_embedding_is_adam_on_the_norm_of_the_guidance(step, kept):
    """Embeddings, acceptance and rows against the same loop in NumPy, row by row; some rows stop early."""
    begin = start()
    after = [
        adam(norm_of(state(step - 1, row)), begin.c[row].numpy(), steps=2, rate=0.1, kept=kept)[1]
        for row in range(len(begin))
    ]
    threshold = float(sorted(after)[1] + 1e-6)
    options = WEN | {"target": threshold, "step": step, "first_token": "kept" if kept else "moved"}
    found = made("wen", options).condition(begin)
    taken = []
    for row in range(len(begin)):
        z, c = state(step - 1, row), begin.c[row].numpy()
        end, value, steps = adam(norm_of(z), c, steps=4, rate=0.1, kept=kept, threshold=threshold)
        np.testing.assert_allclose(found[row], end, rtol=1e-5)
        assert begin.accepted[row] == (value <= threshold)
        # The gradient is computed before it is known that a row stops, unless no step is left.
        assert begin.rows[row] == 2 * (step - 1) + 1 + 2 * steps + (1 if steps == 4 else 2)
        taken.append(steps)
    assert min(taken) < 4
    assert max(taken) == 4


@pytest.mark.parametrize(("steps", "trace"), [("low", 1), ("low", "exact"), (5, 2)])
def test_flipd_is_raised_by_adam_at_held_latents(steps, trace):
    begin = start()
    found = made("flipd-embedding", FLIPD | {"steps": steps, "trace": trace}).condition(begin)
    numbers = [8, 9] if steps == "low" else [4]
    each = 1 + (DIM if trace == "exact" else trace)
    for row in range(len(begin)):
        points = [(float(np.sqrt(1 - GRID.abar[k])), state(k, row)) for k in numbers]
        end, _, _ = adam(minus_flipd(points), begin.c[row].numpy(), steps=3, rate=0.1, kept=True)
        np.testing.assert_allclose(found[row], end, rtol=1e-5)
    assert set(begin.rows) == {2.0 * numbers[-1] + each * len(numbers) * (2 + 2 * 3)}
    assert begin.accepted.all()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    loaded = text_to_image.load_folder(write_pipeline(tmp_path_factory.mktemp("tiny") / "model"))
    loaded.unet.double()
    return loaded


@pytest.mark.parametrize("what", ["norm", "flipd, one probe", "flipd, two probes"])
def test_gradients_in_the_caption_are_those_of_finite_differences(tiny, what):
    """In float64, through attention and torch's own layer norm; of FLIPD through a backward pass."""
    model, grid = tiny.score_model(), ddim_grid(SETTINGS, 20)
    c, null = tiny.embed(["the red plate", "seven"]).double(), tiny.null().double()
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(2, *model.shape, generator=generator, dtype=torch.float64)
    direction = torch.randn(c.shape, generator=generator, dtype=torch.float64)
    vectors = [torch.sign(noise), noise][: 2 if what == "flipd, two probes" else 1]
    along = None if what == "norm" else (lambda number: vectors)
    with math_attention():
        (held,) = held_states.held_states(
            model, noise, c, null, grid=grid, numbers=[17], guidance=3.0, vectors=along
        )

        def found(at, gradient=False):
            if what == "norm":
                return held_states.difference_norm(model, held, at, gradient=gradient)
            how = {"guidance": 3.0, "exact": False, "gradient": gradient}
            return held_states.guided_flipd(model, held, at, vectors, **how)

        slope = (found(c, True)[1] * direction).sum((1, 2))
        h = 1e-4
        ahead, behind = (found(c + sign * h * direction)[0] for sign in (1, -1))
    np.testing.assert_allclose(slope, (ahead - behind) / (2 * h), rtol=1e-5, atol=1e-7)
    assert slope.abs().min() > 1e-3


def test_flipd_at_held_latents_is_that_of_the_guided_noise(tiny):
    """Trace of the guided noise written out by its Jacobian."""
    model, grid = tiny.score_model(), ddim_grid(SETTINGS, 20)
    c, null = tiny.embed(["the red plate"]).double(), tiny.null().double()
    noise = torch.randn(1, *model.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    vectors = held_states.unit_vectors(noise)
    with math_attention():
        (held,) = held_states.held_states(
            model,
            noise,
            c,
            null,
            grid=grid,
            numbers=[17],
            guidance=3.0,
            vectors=lambda _: vectors,
            exact=True,
        )
        value, _ = held_states.guided_flipd(model, held, c, vectors, guidance=3.0, exact=True, gradient=False)
        guided = model.guided(c, null, 3.0)
        jacobian = torch.autograd.functional.jacobian(lambda z: guided.eps(z, held.t), held.z)
        eps = guided.eps(held.z, held.t)
    trace = jacobian.reshape(model.dim, model.dim).trace()
    np.testing.assert_allclose(value, model.dim - held.sigma * trace + eps.square().sum(), rtol=1e-8)


@pytest.mark.parametrize(
    ("name", "options", "forward", "besides"),
    [
        ("wen", WEN, 1 + 5, 4),
        ("wen", WEN | {"step": 3}, 4 + 1 + 5, 4),
        # calls: before, the empty branch, iterations and the end; backward: of the empty branch, of each
        # value, and through both
        ("flipd-embedding", FLIPD | {"steps": 3}, 4 + 1 + 4, 1 + 4 + 3 * 2),
        ("flipd-embedding", FLIPD | {"steps": 3, "trace": 2}, 4 + 1 + 4, 2 + 4 * 2 + 3 * 3),
    ],
)
def test_rows_that_go_through_the_network_are_counted(name, options, forward, besides):
    """Forward rows by the network itself; a gradient adds as many as go back."""
    seen = []
    inner = linear_model()

    def counting(z, t, c):
        seen.append(len(z))
        return inner.function(z, t, c)

    mitigation = made(name, options)
    found = sampled(mitigation, model=linear_model(counting), batch_size=3, generations=1)
    assert sum(seen) / 3 == forward + 2 * STEPS
    assert set(found["rows"]) == {forward + besides + 2.0 * STEPS}
    assert MITIGATIONS[name].most_rows(mitigation.options) == forward + besides


@pytest.mark.parametrize(
    ("name", "options"), [("wen", WEN | {"target": 2.5}), ("flipd-embedding", FLIPD | {"probe": "gaussian"})]
)
def test_a_generation_depends_on_its_prompt_and_number_alone(name, options):
    mitigation = made(name, options)
    whole = sampled(mitigation)
    for prompts in ([2], [2, 0]):
        part = sampled(mitigation, prompts)
        for place, prompt in enumerate(prompts):
            for key, values in whole.items():
                rows = slice(2 * prompt, 2 * prompt + 2)
                np.testing.assert_array_equal(part[key][2 * place : 2 * place + 2], values[rows], err_msg=key)


def test_iterates_are_watched_up_to_the_last():
    """What is watched is FLIPD itself, which rises at the held latents, and the embedded prompt there."""
    begin, seen = start(), {}

    def watch(done, c, value):
        seen[done] = (c.clone(), value.clone())

    end = made("flipd-embedding", FLIPD).descend(begin, watch)
    assert sorted(seen) == [0, 1, 2, 3]
    np.testing.assert_array_equal(seen[0][0], begin.c)
    np.testing.assert_array_equal(seen[3][0], end)
    assert (seen[3][1] > seen[0][1]).all()
    points = [(float(np.sqrt(1 - GRID.abar[k])), state(k, 0)) for k in (8, 9)]
    np.testing.assert_allclose(seen[2][1][0], -minus_flipd(points)(seen[2][0][0].numpy())[0], rtol=1e-5)
