"""The von Mises mixture."""

import numpy as np
import pytest

from mmh.errors import InputError
from mmh.worlds.sets import von_mises


def test_points_lie_on_the_circle_or_at_the_origin():
    x, table = von_mises.make(n_train=2000, seed=1)
    norm = np.linalg.norm(x, axis=1)
    assert x.dtype == np.float32
    centre = (table.population == "centre").to_numpy()
    assert (norm[centre] == 0).all()
    np.testing.assert_allclose(norm[~centre], 1.0, atol=1e-6)
    assert centre.mean() == pytest.approx(0.3, abs=0.03)
    # E[cos] = I1(2) / I0(2) for concentration 2
    assert x[~centre, 0].mean() == pytest.approx(0.6978, abs=0.03)
    assert x[~centre, 1].mean() == pytest.approx(0.0, abs=0.05)


def test_table_counts_the_copies_at_the_origin():
    x, table = von_mises.make(seed=2)
    centre = table[table.population == "centre"]
    assert (centre["copies"] == len(centre)).all()
    assert (centre.group == centre.train.min()).all()
    rest = table[table.population != "centre"]
    assert (rest["copies"] == 1).all()
    assert (rest.group == rest.train).all()
    row, gap = von_mises.isolated_point(x)
    assert table.population[row] == "isolated"
    assert (table.population == "isolated").sum() == 1
    others = np.delete(x[rest.train], np.flatnonzero(rest.train == row), axis=0)
    assert np.linalg.norm(others - x[row], axis=1).min() == pytest.approx(gap)


def test_isolated_point_by_hand():
    angle = np.array([0.0, 0.1, 0.3, 1.0, -0.5])
    train = np.concatenate([[[0.0, 0.0]], np.stack([np.cos(angle), np.sin(angle)], axis=1)])
    row, gap = von_mises.isolated_point(train)
    assert row == 4  # 0.7 rad from its neighbour; the last point is 0.5 rad from its own
    assert gap == pytest.approx(2 * np.sin(0.35))


def test_search_returns_the_largest_gap():
    seeds = range(40)
    gaps = [von_mises.isolated_point(von_mises.make(seed=seed)[0])[1] for seed in seeds]
    seed, gap = von_mises.most_isolated(seeds)
    assert (seed, gap) == (int(np.argmax(gaps)), max(gaps))
    capped_seed, capped = von_mises.most_isolated(seeds, at_most=0.8)
    assert gaps[capped_seed] == capped == max(g for g in gaps if g <= 0.8)


def test_seed_of_the_experiment_has_its_stated_gap():
    seed, gap = von_mises.most_isolated(range(400), at_most=1.1)
    assert seed == 307
    assert gap == pytest.approx(1.0963, abs=1e-4)
    x, table = von_mises.make(seed=seed)
    assert table.population.value_counts().to_dict() == {"arc": 73, "centre": 26, "isolated": 1}
    assert von_mises.isolated_point(x)[1] == gap


def test_density_integrates_to_one_and_has_the_right_mean():
    angle = np.linspace(-np.pi, np.pi, 2001)[:-1]
    density = von_mises.density(angle)
    step = 2 * np.pi / 2000
    assert density.sum() * step == pytest.approx(1.0)
    assert (density * np.cos(angle)).sum() * step == pytest.approx(0.69777, abs=1e-4)


def test_regions():
    x, table = von_mises.make(seed=0)
    x0 = x[table.population == "isolated"][0]
    x1 = x[table.population == "arc"][0]
    samples = np.stack([x0 * 0.97, x0 * 0.93, np.array([0.03, 0.03]), x1 * 1.08, x1 * 0.5, x1 * 1.2])
    expected = ["isolated", "arc", "centre", "arc", "off", "off"]
    assert von_mises.regions(samples, x).tolist() == expected


@pytest.mark.parametrize("options", [{"n_train": 1}, {"centre_weight": 1.0}, {"concentration": -1.0}])
def test_impossible_laws_are_refused(options):
    with pytest.raises(InputError):
        von_mises.make(**options)
