"""Respacing and samplers of improved DDPM against closed forms and a plain float64 loop."""

from functools import cache
from itertools import pairwise

import mpmath
import numpy as np
import pytest
import torch

from mmh.compute import rng
from mmh.diffusion.schedule import Schedule
from mmh.errors import InputError
from mmh.models.improved.process import Process, kept_steps
from mmh.models.improved.sampling import sample

SHAPE = (3, 4, 4)
MEAN, SPREAD = 0.1, 0.2  # of Gaussian data that stays well within [-1, 1]


@cache
def abar(total=4000):
    """The cosine law, straight from its definition, in 50 digits."""
    with mpmath.workdps(50):

        def f(u):
            return mpmath.cos((u + mpmath.mpf("0.008")) / mpmath.mpf("1.008") * mpmath.pi / 2) ** 2

        product, out = mpmath.mpf(1), []
        for i in range(total):
            ratio = f(mpmath.mpf(i + 1) / total) / f(mpmath.mpf(i) / total)
            product *= 1 - min(1 - ratio, mpmath.mpf("0.999"))
            out.append(product)
        return out


# Levels


def test_all_levels():
    assert kept_steps("").tolist() == list(range(4000))
    assert kept_steps("", 7).tolist() == list(range(7))
    assert kept_steps("7", 7).tolist() == list(range(7))


def test_the_levels_of_the_usual_chain():
    kept = kept_steps("250")
    assert kept[:4].tolist() == [0, 16, 32, 48]
    assert kept[-3:].tolist() == [3967, 3983, 3999]


@pytest.mark.parametrize("n", [10, 50, 100, 250, 1000])
def test_evenly_spaced_levels_are_a_rounded_linspace(n):
    kept = kept_steps(str(n))
    assert kept.dtype == np.int64
    np.testing.assert_array_equal(kept, np.round(np.linspace(0, 3999, n)).astype(np.int64))


def test_halves_are_rounded_to_even():
    assert kept_steps("3", 6).tolist() == [0, 2, 5]  # 0, 2.5, 5
    assert kept_steps("3", 8).tolist() == [0, 4, 7]  # 0, 3.5, 7


@pytest.mark.parametrize("n", [2, 3, 7, 333, 1999, 3999, 4000])
def test_any_number_of_levels_keeps_both_ends(n):
    kept = kept_steps(str(n))
    assert len(kept) == n
    assert (kept[0], kept[-1]) == (0, 3999)
    assert (np.diff(kept) > 0).all()


@pytest.mark.parametrize(("n", "stride", "last"), [(50, 80, 3920), (250, 16, 3984), (6, 667, 3335)])
def test_ddim_levels_have_one_whole_stride_and_miss_the_end(n, stride, last):
    kept = kept_steps(f"ddim{n}")
    assert len(kept) == n
    assert set(np.diff(kept)) == {stride}
    assert (kept[0], kept[-1]) == (0, last)


@pytest.mark.parametrize(
    "respacing",
    ["abc", "ddim", "-5", "2.5", "10,10", " 50", "1", "0", "4001", "ddim1", "ddim3000", "ddim4001", "²"],
)
def test_other_respacings_are_refused(respacing):
    with pytest.raises(InputError, match="respacing") as error:
        kept_steps(respacing)
    assert "\n" not in str(error.value)


# Tables


def test_the_table_is_the_cosine_law():
    exact = abar()
    process = Process(kept_steps(""))
    rest = [1 - a for a in exact]
    assert float(rest[0]) == pytest.approx(9.866e-6, rel=1e-4)
    assert float(exact[-1]) == pytest.approx(1.518e-10, rel=1e-3)
    np.testing.assert_allclose(process.alphas_cumprod, np.array(exact, dtype=float), rtol=1e-10)
    np.testing.assert_allclose(1 - process.alphas_cumprod, np.array(rest, dtype=float), rtol=1e-10)
    np.testing.assert_allclose(process.betas[-1], 0.999, rtol=1e-9)
    assert (process.betas[:-1] < 0.999).all()


@pytest.mark.parametrize("respacing", ["250", "10", "ddim50"])
def test_respaced_tables_follow_from_the_kept_levels(respacing):
    process = Process(kept_steps(respacing))
    kept = [abar_i for i, abar_i in enumerate(abar()) if i in set(process.kept.tolist())]
    for k, (before, now) in enumerate(pairwise([mpmath.mpf(1), *kept])):
        beta = 1 - now / before
        # The product of two Gaussians: the chain's last step and the marginal before it.
        precision = (1 - beta) / beta + (1 / (1 - before) if k else mpmath.inf)
        if k:
            assert process.posterior_variance[k] == pytest.approx(float(1 / precision), rel=1e-9)
            state = mpmath.sqrt(1 - beta) / beta / precision
            clean = mpmath.sqrt(before) / (1 - before) / precision
            assert process.coefficient_state[k] == pytest.approx(float(state), rel=1e-9)
            assert process.coefficient_clean[k] == pytest.approx(float(clean), rel=1e-9)
        assert process.betas[k] == pytest.approx(float(beta), rel=1e-9)
        assert process.alphas_cumprod_prev[k] == pytest.approx(float(before), rel=1e-12)
    assert process.posterior_variance[0] == process.posterior_variance[1]
    assert process.coefficient_clean[0] == 1.0
    assert process.coefficient_state[0] == 0.0


@pytest.mark.parametrize("kept", [[3], [], [3, 2], [1, 1], [-1, 4], [0, 4000], [[0, 1], [2, 3]]])
def test_levels_outside_the_schedule_are_refused(kept):
    with pytest.raises(InputError, match=r"rise within 0\.\.3999"):
        Process(kept)


def test_a_schedule_without_levels_is_refused():
    with pytest.raises(InputError, match="edm schedule has no levels"):
        Process([0, 1], Schedule.edm(0.1, 1.0))


# Chains


def gaussian_model(total=4000, kept=None):
    """Exact outputs for data N(MEAN, SPREAD^2): eps, and v of the exact variance of the reverse step."""
    table = np.array(abar(total), dtype=float)
    kept = np.arange(total) if kept is None else np.asarray(kept)
    before = np.append(1.0, table[kept][:-1])
    beta = 1 - table[kept] / before
    posterior = beta * (1 - before) / (1 - table[kept])
    posterior[0] = posterior[1]
    uncertainty = 1 / (1 / SPREAD**2 + table[kept] / (1 - table[kept]))
    exact = posterior + (beta * np.sqrt(before) / (1 - table[kept])) ** 2 * uncertainty
    fraction = np.log(exact / posterior) / np.log(beta / posterior)

    def model(x, time):
        (level,) = set(time.tolist())
        level = round(level / 0.25)
        assert level in kept
        a = table[level]
        total_variance = a * SPREAD**2 + 1 - a
        eps = (x.double() - a**0.5 * MEAN) * ((1 - a) ** 0.5 / total_variance)
        v = torch.full_like(eps, 2 * fraction[np.searchsorted(kept, level)] - 1)
        return torch.cat([eps, v], dim=1)

    return model


def plain_step(now, before, x, output, noise, sampler, eta):
    """The formulas as they stand, in float64; `before` is 1 at the last step."""
    beta = 1 - now / before
    eps, v = output[:, :3], output[:, 3:]
    x0 = np.clip((x - np.sqrt(1 - now) * eps) / np.sqrt(now), -1, 1)
    if sampler == "ancestral":
        mean = (np.sqrt(before) * beta * x0 + np.sqrt(1 - beta) * (1 - before) * x) / (1 - now)
        small = beta * (1 - before) / (1 - now)
        deviation = np.sqrt(beta ** ((1 + v) / 2) * small ** ((1 - v) / 2)) if before < 1 else 0.0
        return mean + deviation * noise
    eps = (x - np.sqrt(now) * x0) / np.sqrt(1 - now)
    sigma = eta * np.sqrt((1 - before) / (1 - now) * (1 - now / before))
    return np.sqrt(before) * x0 + np.sqrt(1 - before - sigma**2) * eps + sigma * noise


def plain_chain(kept, model, x, noises, sampler, eta, total=4000):
    """States from the start to the image."""
    table = np.array(abar(total), dtype=float)
    states = [x]
    for k in reversed(range(len(kept))):
        output = model(torch.from_numpy(x), torch.tensor([kept[k] * 0.25])).numpy()
        noise = noises[len(kept) - 1 - k]
        x = plain_step(table[kept[k]], table[kept[k - 1]] if k else 1.0, x, output, noise, sampler, eta)
        states.append(x)
    return states


CHAINS = [
    ("250", "ancestral", 0.0, 4000),
    ("", "ancestral", 0.0, 60),
    ("250", "ddim", 0.0, 4000),
    ("ddim50", "ddim", 0.0, 4000),
    ("ddim50", "ddim", 1.0, 4000),
    ("", "ddim", 0.5, 60),
]


def stream(seed, item, steps):
    """The start and the noise of each step, as documented: one stream for each."""
    start = rng.generator(seed, "initial-noise", item).standard_normal(SHAPE, dtype=np.float32)
    steps_of = rng.generator(seed, "step-noise", item)
    return start, [steps_of.standard_normal(SHAPE, dtype=np.float32) for _ in range(steps)]


def both_paths(respacing, sampler, eta, total, ids=(0, 1, 5)):
    """States of `sample` and of the plain loop, from the start to the image."""
    kept = kept_steps(respacing, total)
    model = gaussian_model(total, kept)
    seen = []

    def listen(x, time):
        seen.append(x[list(ids)].double().numpy())
        return model(x, time)

    options = {"seed": 3, "shape": SHAPE, "batch_size": 8, "schedule": Schedule.cosine(total)}
    seen.append(sample(listen, ids, respacing=respacing, sampler=sampler, eta=eta, **options))
    draws = [stream(3, item, len(kept)) for item in ids]
    start = np.stack([start for start, _ in draws]).astype(float)
    noises = [np.stack([noise[k] for _, noise in draws]).astype(float) for k in range(len(kept))]
    return seen, plain_chain(kept, model, start, noises, sampler, eta, total)


@pytest.mark.parametrize(("respacing", "sampler", "eta", "total"), CHAINS)
def test_every_state_of_a_chain_is_that_of_the_plain_loop(respacing, sampler, eta, total):
    seen, plain = both_paths(respacing, sampler, eta, total)
    kept = kept_steps(respacing, total)
    assert len(seen) == len(plain) == len(kept) + 1
    # From the very last level, x - eps loses seven digits in float32 and is multiplied by 8e4 and then 7e-3.
    # DDIM rounds abar before it takes 1 - abar, which moves its lowest levels by 2e-5.
    tolerance = 1e-4 if kept[-1] == 3999 else 3e-5 if sampler == "ddim" else 1e-5
    for found, expected in zip(seen, plain, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def published_step(table, k, x, eps, v, noise, sampler, eta):
    """One step in float32 as published: tables in float64, each number rounded where it is used."""

    def rounded(value):
        return torch.tensor(float(value), dtype=torch.float32)

    now, before = table[k], table[k - 1] if k else 1.0
    beta = 1 - now / before
    clean = (rounded(np.sqrt(1 / now)) * x - rounded(np.sqrt(1 / now - 1)) * eps).clamp(-1, 1)
    if sampler == "ddim":
        again = (rounded(np.sqrt(1 / now)) * x - clean) / rounded(np.sqrt(1 / now - 1))
        here, last = rounded(now), rounded(before)
        sigma = eta * torch.sqrt((1 - last) / (1 - here)) * torch.sqrt(1 - here / last)
        mean = clean * torch.sqrt(last) + torch.sqrt(1 - last - sigma**2) * again
        return mean + sigma * noise if k else mean
    first, second = beta * np.sqrt(before) / (1 - now), (1 - before) * np.sqrt(1 - beta) / (1 - now)
    mean = rounded(first) * clean + rounded(second) * x
    if not k:
        return mean
    fraction = (v + 1) / 2
    low, high = rounded(np.log(beta * (1 - before) / (1 - now))), rounded(np.log(beta))
    return mean + torch.exp(0.5 * (fraction * high + (1 - fraction) * low)) * noise


@pytest.mark.parametrize(("sampler", "eta"), [("ancestral", 0.0), ("ddim", 0.0), ("ddim", 1.0)])
@pytest.mark.parametrize("respacing", ["250", "ddim250", "ddim50"])
def test_a_chain_in_float32_is_that_of_the_published_arithmetic(respacing, sampler, eta):
    """Same noise, same rounding: equal to the last bits over the whole chain, and far below 1e-5."""
    process = Process(kept_steps(respacing))
    table = np.array(abar(), dtype=float)[process.kept]
    generator = torch.Generator().manual_seed(0)
    mine = theirs = torch.randn(4, *SHAPE, generator=generator)
    for k in reversed(range(len(table))):
        noise, v = torch.randn(2, 4, *SHAPE, generator=generator)

        psi, sigma = float(np.sqrt(table[k])), float(np.sqrt(1 - table[k]))

        def eps(x, psi=psi, sigma=sigma):
            return sigma * (x - psi * MEAN) / (psi**2 * SPREAD**2 + sigma**2)

        step = process.ancestral_step if sampler == "ancestral" else process.ddim_step
        options = {"eta": eta} if sampler == "ddim" else {}
        mine = step(k, mine, torch.cat([eps(mine), v], dim=1), noise, **options)
        theirs = published_step(table, k, theirs, eps(theirs), v, noise, sampler, eta)
        assert float((mine - theirs).abs().max()) <= 1e-6


@pytest.mark.parametrize(
    ("sampler", "eta"), [("ancestral", 0.0), ("ddim", 0.0), ("ddim", 0.7), ("ddim", 1.0)]
)
@pytest.mark.parametrize("respacing", ["", "250", "ddim50"])
def test_a_step_in_float64_is_the_formula_where_clean_images_are_clipped_and_v_is_beyond_its_range(
    respacing, sampler, eta
):
    process, table = Process(kept_steps(respacing)), np.array(abar(), dtype=float)
    generator = np.random.default_rng(0)
    for k in [0, 1, 2, 20, len(process.kept) // 2, len(process.kept) - 2, len(process.kept) - 1]:
        now, before = table[process.kept[k]], table[process.kept[k - 1]] if k else 1.0
        clean, eps, noise = generator.standard_normal((3, 4, *SHAPE))
        x = np.sqrt(now) * clean + np.sqrt(1 - now) * eps
        output = np.concatenate([eps, 3 * generator.standard_normal(eps.shape)], axis=1)
        expected = plain_step(now, before, x, output, noise, sampler, eta)
        step = process.ancestral_step if sampler == "ancestral" else process.ddim_step
        options = {"eta": eta} if sampler == "ddim" else {}
        found = step(k, *map(torch.from_numpy, (x, output, noise)), **options)
        assert found.dtype == torch.float64
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(
    ("sampler", "eta", "bias"), [("ancestral", 0.0, 0.01), ("ddim", 0.0, 0.05), ("ddim", 1.0, 0.1)]
)
def test_samples_of_an_exact_model_have_the_mean_and_spread_that_the_chain_implies(sampler, eta, bias):
    """Exact eps and variance make every step Gaussian, so the spread follows from a scalar recursion."""
    kept = kept_steps("250")
    table = np.array(abar(), dtype=float)[kept]
    mean, variance = -(table[-1] ** 0.5) * MEAN, 1.0  # of the state minus psi MEAN
    for k in reversed(range(len(kept))):
        now, before = table[k], table[k - 1] if k else 1.0
        total = now * SPREAD**2 + 1 - now
        clean, eps = now**0.5 * SPREAD**2 / total, (1 - now) ** 0.5 / total
        if sampler == "ancestral":
            beta, rest = 1 - now / before, (1 - before) / (1 - now)
            uncertainty = 1 / (1 / SPREAD**2 + now / (1 - now))
            pull = before**0.5 * beta / (1 - now)
            factor = pull * clean + (1 - beta) ** 0.5 * rest
            fresh = beta * rest + pull**2 * uncertainty if k else 0.0
        else:
            fresh = eta**2 * (1 - before) / (1 - now) * (1 - now / before)
            factor = before**0.5 * clean + (1 - before - fresh) ** 0.5 * eps
        mean, variance = factor * mean, factor**2 * variance + fresh
    assert mean == pytest.approx(0, abs=2e-3)
    assert variance == pytest.approx(SPREAD**2, rel=bias)
    options = {"seed": 7, "shape": SHAPE, "batch_size": 100, "eta": eta}
    x = sample(gaussian_model(kept=kept), np.arange(200), sampler=sampler, **options).astype(float)
    n = x.size
    assert abs(x.mean() - MEAN - mean) < 4 * (variance / n) ** 0.5
    assert abs(x.var() / variance - 1) < 4 * (2 / n) ** 0.5


def wild(x, time):
    """A model whose every output depends on the state, the time and the place in the image."""
    phase = torch.linspace(0, 3, x[0].numel()).reshape(x.shape[1:])
    eps = torch.sin(1.3 * x + phase + time[:, None, None, None])
    return torch.cat([eps, torch.cos(x - phase)], dim=1)


@pytest.mark.parametrize("sampler", ["ancestral", "ddim"])
def test_the_last_step_returns_the_clipped_estimate(sampler):
    seen = []

    def listen(x, time):
        seen.append((x.clone(), wild(x, time)))
        return seen[-1][1]

    eta = 1.0 if sampler == "ddim" else 0.0
    options = {"seed": 0, "shape": SHAPE, "batch_size": 4, "respacing": "12", "eta": eta}
    images = sample(listen, [0, 1, 2, 3], sampler=sampler, **options)
    x, output = seen[-1]
    level = float(abar()[0])
    estimate = (x.double() - (1 - level) ** 0.5 * output[:, :3].double()) / level**0.5
    np.testing.assert_allclose(images, estimate.clamp(-1, 1), rtol=0, atol=1e-6)
    assert (np.abs(images) == 1).any()
    assert (np.abs(images) < 1).any()


@pytest.mark.parametrize(("sampler", "eta"), [("ancestral", 0.0), ("ddim", 0.0), ("ddim", 1.0)])
def test_bytes_depend_on_seed_and_id_alone(sampler, eta):
    def draw(ids, **options):
        given = {"seed": 5, "shape": SHAPE, "batch_size": 8, "respacing": "6", "eta": eta, **options}
        return sample(wild, ids, sampler=sampler, **given)

    ids = np.arange(30)
    whole = draw(ids)
    assert whole.shape == (30, *SHAPE)
    assert whole.dtype == np.float32
    for cut in (8, 11, 29):
        assert np.concatenate([draw(ids[:cut]), draw(ids[cut:])]).tobytes() == whole.tobytes()
    order = np.random.default_rng(0).permutation(30)
    assert draw(order).tobytes() == whole[order].tobytes()
    assert draw([23]).tobytes() == whole[23:24].tobytes()
    # These few operations go element by element, so here not even the batch size shows.
    assert draw(ids, batch_size=3).tobytes() == whole.tobytes()
    assert len(np.unique(whole.reshape(30, -1), axis=0)) == 30
    assert not np.array_equal(draw([23], seed=6), whole[23:24])
    state = torch.get_rng_state()
    draw([0])
    assert torch.equal(state, torch.get_rng_state())


def test_deterministic_ddim_ignores_the_noise_and_the_variance_channels():
    def draw(model, eta):
        options = {"seed": 1, "shape": SHAPE, "batch_size": 2, "respacing": "5", "sampler": "ddim"}
        return sample(model, [0, 1], eta=eta, **options)

    assert np.array_equal(draw(wild, 0.0), draw(lambda x, t: wild(x, t)[:, :3], 0.0))
    assert not np.array_equal(draw(wild, 0.0), draw(wild, 1.0))


def test_progress_counts_the_steps_of_images_under_way():
    heard = []
    options = {"seed": 0, "shape": SHAPE, "batch_size": 10, "respacing": "2"}
    sample(wild, np.arange(5, 20), progress=heard.append, **options)
    assert heard == [2, 5, 10, 15]


def test_no_ids_give_no_images():
    assert sample(wild, [], seed=0, shape=SHAPE, batch_size=4).shape == (0, *SHAPE)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"sampler": "heun"}, "sampler must be one of ancestral, ddim, got 'heun'"),
        ({"eta": 0.5}, "eta is DDIM's"),
        ({"sampler": "ddim", "eta": 1.5}, "from 0 to 1; got 1.5"),
        ({"sampler": "ddim", "eta": float("nan")}, "from 0 to 1; got nan"),
        ({"batch_size": 0}, "batch_size"),
        ({"respacing": "fast"}, "'fast'"),
        ({"schedule": Schedule.linear_vp()}, "linear_vp schedule has no levels"),
    ],
)
def test_bad_options_are_refused(options, match):
    given = {"seed": 0, "shape": SHAPE, "batch_size": 2, "respacing": "3", **options}
    with pytest.raises(InputError, match=match) as error:
        sample(wild, [0], **given)
    assert "\n" not in str(error.value)


def test_without_a_learned_variance_the_noise_of_a_step_is_beta():
    process = Process(kept_steps("10"))
    x, noise = (torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(k)).double() for k in (0, 1))
    eps = x / 2
    still = process.ancestral_step(5, x, eps, torch.zeros_like(x))
    moved = process.ancestral_step(5, x, eps, noise)
    torch.testing.assert_close(moved - still, noise * np.sqrt(process.betas[5]))
    # v = 1 places a learned variance at its upper end, which is beta.
    learned = process.ancestral_step(5, x, torch.cat([eps, torch.ones_like(eps)], dim=1), noise)
    torch.testing.assert_close(learned, moved)
    assert torch.equal(process.ancestral_step(0, x, eps, noise), process.clean(0, x, eps))


@pytest.mark.parametrize(("sampler", "channels"), [("ancestral", 4), ("ancestral", 5), ("ddim", 4)])
def test_a_network_of_another_shape_is_refused(sampler, channels):
    def model(x, time):
        return torch.zeros(len(x), channels, 4, 4)

    with pytest.raises(InputError, match=rf"returned shape \(2, {channels}, 4, 4\).*needed is"):
        sample(model, [0], seed=0, shape=SHAPE, batch_size=2, respacing="3", sampler=sampler)
