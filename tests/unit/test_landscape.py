"""Identities of score and Hessian on closed forms, dense Hessians, and the plane of the toy."""

import numpy as np
import pandas as pd
import pytest
import torch

from mmh.diffusion.schedule import Schedule
from mmh.landscape import dense, identities, measuring, plane
from mmh.models.edm import sampling
from mmh.models.edm.model import EdmModel
from mmh.models.edm.network import EdmNetwork
from mmh.oracles.exact import gaussian, random_mixture
from mmh.plotting import style
from mmh.plotting.laws import landscape
from mmh.worlds.base import WORLDS
from mmh.worlds.sets import two_modes

TOY = {"share": 0.2, "offset": 1.0, "narrow": 0.05, "wide": 0.6}
EDM = Schedule.edm(0.005, 5.0)


def _matrix(d, seed, low=0.5):
    a = np.random.default_rng(seed).standard_normal((d, d))
    return a @ a.T / d + low * np.eye(d)


def _draws(covariance, mean, n, seed):
    return np.random.default_rng(seed).multivariate_normal(mean, covariance, size=n)


def _z(values, expected):
    return (values.mean() - expected) / (values.std() / np.sqrt(len(values)))


@pytest.mark.parametrize("d", [2, 6])
def test_a_and_c_of_a_gaussian_and_not_with_the_other_sign(d):
    covariance = _matrix(d, 0)
    h = -np.linalg.inv(covariance)
    x = _draws(covariance, np.zeros(d), 100_000, 1)
    sides = identities.sides(x @ h.T, np.broadcast_to(h, (len(x), d, d)))
    for left, right in sides.values():
        assert abs(_z(left, right[0])) < 4
        assert abs(_z(left, -right[0])) > 20
        assert np.ptp(right) < 1e-9
    assert sides["c"][1][0] == pytest.approx(-np.trace(h @ h @ h))


@pytest.mark.parametrize("commuting", [True, False])
@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_b_and_d_of_two_gaussians_commuting_and_not(commuting, shift):
    d, n = 5, 200_000
    s = _matrix(d, 2)
    s_c = (s @ s + s) / 3 if commuting else _matrix(d, 3)
    h, h_c = -np.linalg.inv(s), -np.linalg.inv(s_c)
    assert np.allclose(h @ h_c, h_c @ h) == commuting
    mu = shift * np.arange(d)
    x = _draws(s_c, np.zeros(d), n, 4)
    difference = x @ h_c.T - (x - mu) @ h.T
    b, fourth = identities.of_two_gaussians(h, h_c, mu)
    assert abs(_z((difference**2).sum(1), b)) < 4
    assert abs(_z(((difference @ (h_c - h).T) ** 2).sum(1), fourth)) < 4
    if commuting and not shift:
        # the basis of one is the basis of both
        basis = np.linalg.eigh(h)[1]
        one, other = (np.diag(basis.T @ m @ basis) for m in (h, h_c))
        assert b == pytest.approx(((one - other) ** 2 / np.abs(other)).sum())
        assert fourth == pytest.approx(((one - other) ** 4 / np.abs(other)).sum())


@pytest.mark.parametrize(("schedule", "t"), [(Schedule.linear_vp(0.1, 20.0), 0.2), (EDM, 0.7)])
def test_identities_hold_on_oracles_by_the_way_that_networks_take(schedule, t):
    law = gaussian(np.zeros(3), _matrix(3, 5), schedule)
    mixture = random_mixture([1, 3], 3, schedule, seed=0, separation=2.0)
    for oracle, holds in ((law, {"a", "c"}), (mixture, {"a"})):
        x, _ = oracle.sample(4000, 0)
        table = measuring.measure_identities(
            {"exact": oracle.model}, x, np.arange(len(x)), [t], seed=0, batch_size=1000
        )
        assert table.identity.tolist() == ["a", "c"]
        for row in table.itertuples():
            wide = np.log(row.high) - np.log(row.low)  # four standard errors
            assert (abs(np.log(row.ratio)) < wide) == (row.identity in holds), (row, holds)


def test_the_dense_hessian_is_that_of_finite_differences_and_of_its_place():
    oracle = random_mixture([1, 2], 3, EDM, seed=1, separation=1.0)
    z, ids, t = np.random.default_rng(0).standard_normal((5, 3)), np.arange(5) + 3, 0.7
    score, hessian = dense.score_and_hessian(oracle.model, z, t, ids=ids, batch_size=4)
    for k in range(3):
        step = 1e-5 * np.eye(3)[k]
        ahead, behind = (oracle.model.score(torch.from_numpy(z + s), t).numpy() for s in (step, -step))
        np.testing.assert_allclose((ahead - behind) / 2e-5, hessian[:, :, k], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(score, oracle.model.score(torch.from_numpy(z), t).numpy())
    part = dense.score_and_hessian(oracle.model, z[[4, 1]], t, ids=ids[[4, 1]], batch_size=4)[1]
    assert part.tobytes() == hessian[[4, 1]].tobytes()
    turned = np.array([[[0.0, 2.0], [0.0, -3.0]]])
    np.testing.assert_allclose(dense.eigenvalues(turned), np.linalg.eigvalsh([[[0, 1], [1, -3]]]))


def test_a_ratio_is_bounded_over_clusters():
    random = np.random.default_rng(0)
    left, right = random.gamma(2.0, 1.0, 400), np.full(400, 2.0)
    alone = identities.ratio(left, right)
    assert alone["ratio"] == pytest.approx(left.mean() / 2)
    half = 1.96 * left.std() / 20 / left.mean()
    assert np.log(alone["high"] / alone["ratio"]) == pytest.approx(half, rel=0.03)
    doubled = identities.ratio(np.repeat(left, 4), np.repeat(right, 4), np.repeat(np.arange(400), 4))
    assert doubled["ratio"] == pytest.approx(alone["ratio"])
    assert doubled["high"] == pytest.approx(alone["high"], rel=1e-9)
    assert np.isnan(identities.ratio(left, -right)["low"])
    assert np.isnan(identities.ratio(left, right, np.zeros(400, int))["low"])


def test_the_toys_law_is_the_one_that_its_points_are_drawn_from():
    x, table = two_modes.make(n_train=4000, seed=0, **TOY)
    law = WORLDS["sharpness-toy"].oracle_of({**TOY, "n_train": 4000, "seed": 0}, EDM)
    assert (table.population == "memorized").mean() == pytest.approx(0.2, abs=0.02)
    assert (two_modes.modes(x, law) == table.population).mean() > 0.999
    for part, name in zip(law.parts, two_modes.MODES, strict=True):
        mine = x[table.population == name]
        np.testing.assert_allclose(mine.mean(0), part.mean, atol=0.05)
        np.testing.assert_allclose(mine.std(0) ** 2, part.variances, rtol=0.1)
    z = np.array([[-1.0, -0.9], [0.3, 0.2]])
    step = 1e-5 * np.eye(2)
    t = plane.time_of(law.model, 0.3)
    slope = [np.log(plane.density(z + s, law, 0.3) / plane.density(z - s, law, 0.3)) / 2e-5 for s in step]
    np.testing.assert_allclose(np.stack(slope, 1), law.model.score(torch.from_numpy(z), t).numpy(), rtol=1e-5)


def test_the_plane_and_the_way_of_samples():
    torch.manual_seed(0)
    network = EdmNetwork(width=8, depth=1, features=2, sigma_max=5.0)
    law = two_modes.oracle(TOY, EDM)
    ids = np.arange(30)
    how = {"seed": 0, "steps": 6, "batch_size": 10}
    x, states = sampling.trajectories(network, ids, at=[5.0, 0.3], **how)
    assert x.tobytes() == sampling.sample(network, ids, **how).tobytes()
    levels = sampling.noise_levels(0.005, 5.0, 6)
    assert list(states) == [levels[0], min(levels, key=lambda level: abs(np.log(level / 0.3)))]
    score = EdmModel(network).score_model()
    way = plane.states_table(score, law, states, two_modes.modes(x, law), ids=ids, batch_size=10)
    assert list(way.columns) == list(plane.STATES.columns)
    assert len(way) == 2 * 2 * 30
    exact = way[way.of == "exact"]
    assert (exact.lambda_min * exact.sigma**2 >= -1 - 1e-9).all()  # no exact score has one below
    table = plane.field(score, law, x, sigmas=[0.3], reach=2.5, side=21, batch_size=64)
    assert list(table.columns) == list(plane.FIELD.columns)
    area = (5.0 / 20) ** 2
    assert table[table.of == "exact"].density.sum() * area == pytest.approx(1, abs=0.05)
    one = np.array([[0.5, -0.5]])
    grid = table[table.of == "exact"][["x", "y"]].to_numpy()
    assert plane.kernel_density(grid, one, 0.3).sum() * area == pytest.approx(1, abs=0.01)


def _way(modes):
    """States at two noise levels, of samples whose eigenvalues tell their modes apart at the lower one."""
    n = len(modes)
    lowest = {0.1: np.where(np.array(modes) == "memorized", -150.0, -3.0), 1.0: np.linspace(-0.9, -0.8, n)}
    parts = [
        pd.DataFrame({"item": np.arange(n), "mode": modes, "sigma": sigma, "of": of, "x": 0.0, "y": 0.0})
        for sigma in lowest
        for of in ("exact", "learned")
    ]
    return pd.concat([part.assign(lambda_min=lowest[part["sigma"].iloc[0]]) for part in parts])


def test_the_landscapes_numbers_are_areas_counts_and_shares():
    numbers = landscape.landscape_numbers(_way(["memorized"] * 6 + ["other"] * 14)).set_index(["of", "sigma"])
    one = numbers.loc[("learned", 0.1)]
    assert one[["auc", "n_memorized", "n"]].tolist() == [1.0, 6, 20]
    assert one["beyond"] == pytest.approx(0.3)  # -150 * .1^2 is below -1
    assert one["median_other"] == -3
    assert numbers.loc[("exact", 1.0)]["beyond"] == 0
    assert numbers.loc[("exact", 1.0)]["auc"] == 1.0  # the first six are the lowest


def test_the_landscape_is_drawn_where_no_sample_is_memorized(tmp_path):
    way = _way(["other"] * 5)
    numbers = landscape.landscape_numbers(way)
    assert numbers["auc"].isna().all()
    ticks = np.linspace(-1, 1, 5)
    grid = pd.DataFrame([(x, y) for y in ticks for x in ticks], columns=["x", "y"])
    grid = grid.assign(sigma=0.1, density=1.0, score_x=1.0, score_y=0.0, lambda_min=-200.0)
    field = pd.concat([grid.assign(of=of) for of in ("exact", "learned")])
    style.save(
        landscape.landscape_figure(field, way, numbers, "none"), tmp_path / "a.pdf", tmp_path / "a.png"
    )
    assert (tmp_path / "a.png").stat().st_size > 5000
