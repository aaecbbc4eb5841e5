"""Gated guidance, random pushes and noise on the embedding, against closed forms."""

import numpy as np
import torch
from diffusers import PNDMScheduler
from tiny_pipeline import SCHEDULER

from mmh.compute import rng
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.mitigated.sampling import mitigated_latents
from mmh.mitigations.base import made
from mmh.sampling.guided import ddim_grid, guided_ddim, initial_noise

SETTINGS = PNDMScheduler.from_config(SCHEDULER)
SCHEDULE, GRID = Schedule.from_scheduler(SETTINGS), ddim_grid(SETTINGS, 5)
DIM, LAMBDA = 6, 4.0
NULL = torch.tensor([[[0.2], [0.0]]], dtype=torch.float64)
C = torch.tensor([[[0.2], [0.5]], [[1.2], [0.5]], [[0.4], [0.5]]], dtype=torch.float64)  # (slope, shift)


def model():
    """Noise = slope z + shift: LID = d (1 - sigma slope)."""
    return ScoreModel.from_function(
        lambda z, t, c: c[:, 0] * z + c[:, 1], (DIM,), SCHEDULE, dtype=torch.float64
    )


def sampled(mitigation, rows=(0, 1, 2), **more):
    how = {"grid": GRID, "prompt_set": "a", "generations": 2, "guidance": LAMBDA, "seed": 3, "batch_size": 4}
    c, own = C[list(rows)], more.pop("model", None) or model()
    return mitigated_latents(own, c, NULL, mitigation, prompts=list(rows), **how | more)


def by_hand(scale, c, row, generation, push=None):
    z = initial_noise(3, "a", [row], [generation], (DIM,)).double()
    for i in range(len(GRID)):
        sigma = np.sqrt(1 - GRID.abar[i])
        empty, caption = (one[0, 0] * z + one[0, 1] for one in (NULL, c))
        eps = empty + scale(sigma) * (caption - empty)
        if push is not None:
            eps = eps + push(i)
        clean = (z - sigma * eps) / np.sqrt(GRID.abar[i])
        z = np.sqrt(GRID.following[i]) * clean + np.sqrt(1 - GRID.following[i]) * eps
    return z[0].numpy()


def test_the_gate_closes_where_the_caption_lowers_the_dimension():
    gate = made("lid-gated", {"low": 0.7, "width": 0.3})
    found = sampled(gate)
    for row in range(3):
        slope = float(C[row, 0, 0])

        def scale(sigma, slope=slope):
            ratio = DIM * (1 - sigma * slope) / max(DIM * (1 - sigma * 0.2), 1)
            return 1 + (LAMBDA - 1) * min(max((ratio - 0.7) / 0.3, 0), 1)

        for generation in range(2):
            wanted = by_hand(scale, C[[row]], row, generation)
            np.testing.assert_allclose(found["latents"][2 * row + generation], wanted, rtol=1e-5, atol=1e-5)
    assert (found["rows"] == (2 + 2) * len(GRID)).all()


def test_differences_give_the_gate_of_the_exact_product():
    """The noise is linear, so that differences are exact but for rounding."""
    exact = sampled(made("lid-gated", {}))
    for product, rows in (("difference", 2), ("central-difference", 4)):
        found = sampled(made("lid-gated", {"product": product}))
        np.testing.assert_allclose(found["latents"], exact["latents"], rtol=1e-5, atol=1e-6)
        assert (found["rows"] == (2 + rows) * len(GRID)).all()


def test_a_difference_is_near_the_exact_product_where_the_noise_bends():
    bent = ScoreModel.from_function(
        lambda z, t, c: c[:, 0] * torch.sin(z) + c[:, 1], (DIM,), SCHEDULE, dtype=torch.float64
    )
    exact = sampled(made("lid-gated", {}), model=bent)["latents"]
    central = sampled(made("lid-gated", {"product": "central-difference"}), model=bent)["latents"]
    one = sampled(made("lid-gated", {"product": "difference", "h": 1e-3}), model=bent)["latents"]
    plain = sampled(made("none", {}), model=bent)["latents"]
    moved = np.abs(exact - plain).max()
    assert np.abs(central - exact).max() < 1e-3 * moved
    assert np.abs(one - exact).max() < 1e-2 * moved


def test_calls_of_the_network_are_those_that_are_counted():
    seen = []

    def counting(z, t, c):
        seen.append(len(z))
        return c[:, 0] * z + c[:, 1]

    counted = ScoreModel.from_function(counting, (DIM,), SCHEDULE, dtype=torch.float64)
    gate, alone = (
        made("lid-gated", {"product": "difference", "every": 2}),
        {"generations": 1, "batch_size": 3},
    )
    found = sampled(gate, model=counted, **alone)
    assert sum(seen) == found["rows"].sum() == 3 * (2 * len(GRID) + 2 * 3)


def test_between_looks_lambda_stays_and_before_them_it_is_whole():
    looks = [1, 3]  # t at most that of the second step, every second one
    options = {"every": 2, "from_t": float(GRID.t[1]), "until_t": float(GRID.t[3])}
    found = sampled(made("lid-gated", options))
    for row in range(3):
        slope, number, scale_now = float(C[row, 0, 0]), [0], [LAMBDA]

        def scale(sigma, slope=slope, number=number, scale_now=scale_now):
            if number[0] in looks:
                ratio = DIM * (1 - sigma * slope) / max(DIM * (1 - sigma * 0.2), 1)
                scale_now[0] = 1 + (LAMBDA - 1) * min(max((ratio - 0.7) / 0.3, 0), 1)
            number[0] += 1
            return scale_now[0]

        wanted = by_hand(scale, C[[row]], row, 0)
        np.testing.assert_allclose(found["latents"][2 * row], wanted, rtol=1e-5, atol=1e-5)
    assert (found["rows"] == 2 * len(GRID) + 2 * len(looks)).all()


def test_a_one_sided_gate_only_closes_and_costs_nothing_where_it_is_shut():
    """The ratio (1 - sigma slope) / (1 - .2 sigma) rises along the trajectory, as sigma falls."""
    found = sampled(made("lid-gated", {"one_sided": True}))
    for row in range(3):
        slope, least, looks = float(C[row, 0, 0]), [1.0], [0]

        def scale(sigma, slope=slope, least=least, looks=looks):
            looks[0] += least[0] > 0
            ratio = DIM * (1 - sigma * slope) / max(DIM * (1 - sigma * 0.2), 1)
            least[0] = min(least[0], max((ratio - 0.7) / 0.3, 0))
            return 1 + (LAMBDA - 1) * least[0]

        wanted = by_hand(scale, C[[row]], row, 0)
        np.testing.assert_allclose(found["latents"][2 * row], wanted, rtol=1e-5, atol=1e-5)
        assert found["rows"][2 * row] == 2 * len(GRID) + 2 * looks[0]
    assert found["rows"][2] == 2 * len(GRID) + 2  # shut at once


def test_generations_do_not_depend_on_those_beside():
    gates = [made("lid-gated", {"probe": "gaussian"}), made("lid-gated", {"one_sided": True, "every": 2})]
    for one in (*gates, made("random-push", {"kappa": 1.0})):
        whole, part = sampled(one)["latents"], sampled(one, rows=(2,))["latents"]
        np.testing.assert_array_equal(whole[4:], part)


def test_a_push_has_its_length_and_stops():
    found = sampled(made("random-push", {"kappa": 0.5, "from_t": 1.0}))["latents"]
    plain = sampled(made("none", {}))["latents"]
    np.testing.assert_array_equal(found, plain)  # the first t is below 1
    one = sampled(made("random-push", {"kappa": 0.5, "from_t": float(GRID.t[0])}), guidance=0.0)["latents"]
    none = sampled(made("none", {}), guidance=0.0)["latents"]
    # A push at the first step moves z' by kappa (sigma' - psi' sigma / psi) and later steps are linear alike.
    moved = np.linalg.norm((one - none).astype(np.float64), axis=1)
    assert moved.min() > 0
    np.testing.assert_allclose(moved, moved[0], rtol=1e-4)
    twice = sampled(made("random-push", {"kappa": 1.0, "from_t": float(GRID.t[0])}), guidance=0.0)["latents"]
    np.testing.assert_allclose(twice - none, 2 * (one - none), rtol=1e-3, atol=1e-5)


def test_noise_on_the_embedding_is_another_condition():
    scale = 0.3
    found = sampled(made("embedding-noise", {"scale": scale}))["latents"]
    seen = set()
    for row in range(3):
        for generation in range(2):
            # The condition is drawn by (seed, prompt, generation); any c gives its latents in closed form.
            noise = rng.normal(3, "condition-noise:a", [row], (2, 1), generation).double()
            c = C[[row]] + scale * noise
            start = initial_noise(3, "a", [row], [generation], (DIM,))
            wanted = guided_ddim(model(), start, c, NULL, grid=GRID, guidance=LAMBDA)
            np.testing.assert_allclose(found[2 * row + generation], wanted[0].numpy(), rtol=1e-5)
            seen.add(float(noise.sum()))
    assert len(seen) == 6
