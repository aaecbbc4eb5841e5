"""Earlier definitions of copying: by distance, by mass, by three samples; and the table of what each finds."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, mannwhitneyu

from mmh.copying import definitions, distances, excess, three_sample
from mmh.copying.grouping import grouped
from mmh.errors import InputError
from mmh.plotting.copying.found import found_figure, shown
from mmh.worlds.base import WORLDS
from mmh.worlds.sets import digits, fresh, von_mises

TRAIN = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0], [10.0, 0.0]])


def test_two_nearest_against_all_distances():
    rng = np.random.default_rng(0)
    x, train = rng.normal(size=(700, 2, 3)), rng.normal(size=(40, 2, 3))
    found, rows = distances.nearest_two(x, train)
    apart = np.sqrt(((x[:, None] - train[None]) ** 2).sum(axis=(2, 3)))
    np.testing.assert_allclose(found, np.sort(apart, axis=1)[:, :2], atol=1e-12)
    np.testing.assert_array_equal(rows, np.argsort(apart, axis=1)[:, :2])
    with pytest.raises(InputError, match="two nearest"):
        distances.nearest_two(x, train[:1])


def test_ratio_of_two_neighbours_by_hand():
    x = np.array([[0.5, 0.0], [3.0, 1.0], [0.0, 0.0]])
    np.testing.assert_allclose(distances.nearest_ratio(x, TRAIN), [0.5 / 2.5, 1 / 3, 0.0])
    # A repeated item hides its copies.
    twice = np.concatenate([TRAIN, TRAIN[:1]])
    np.testing.assert_allclose(distances.nearest_ratio(x, twice), [1.0, 1 / 3, 1.0])


def test_authenticity_by_hand():
    x = np.array([[0.5, 0.0], [3.0, 1.0], [-4.0, 0.0], [0.0, 0.0]])
    np.testing.assert_allclose(distances.authenticity(x, TRAIN), [0.5 / 3, 1 / 3, 4 / 3, 0.0])
    twice = np.concatenate([TRAIN, TRAIN[:1]])
    np.testing.assert_allclose(distances.authenticity(x, twice), [np.inf, 1 / 3, np.inf, 0.0])


def test_bound_of_a_known_law_is_the_inverse_of_the_binomial():
    bound = excess.known_bound(lambda row, radii: 0.001 * (row + 1) * radii, 200)
    mass, low = bound(1, np.array([1.0, 2.0]), np.array([5, 9]), 0.01)
    np.testing.assert_allclose(mass, [0.002, 0.004])
    for k, p, ratio in zip((5, 9), mass, low, strict=True):
        assert binom.sf(k - 1, 200, p * ratio) == pytest.approx(0.01)


def test_bound_of_a_counted_law_is_the_inverse_of_the_binomial():
    train, test = np.zeros((1, 1)), np.arange(1, 101.0)[:, None]
    bound = excess.counted_bound(train, test, samples=50)
    mass, low = bound(0, np.array([0.5, 7.0]), np.array([4, 20]), 0.02)
    np.testing.assert_allclose(mass, [1 / 101, 8 / 101])
    for k, m, ratio in zip((4, 20), (0, 7), low, strict=True):
        share = ratio * 50 / (ratio * 50 + 100)
        assert binom.sf(k - 1, k + m, share) == pytest.approx(0.02)


def uniform_law(centres):
    return lambda row, radii: np.clip(centres[row, 0] + radii, 0, 1) - np.clip(centres[row, 0] - radii, 0, 1)


@pytest.mark.parametrize("known", [True, False])
def test_no_sample_of_the_law_itself_is_shown_to_be_a_copy(known):
    """60 models that are the law: in at most one of twenty does any sample exceed 1 (here with few: 6)."""
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(60):
        train, x, test = (rng.uniform(size=(n, 1)) for n in (15, 400, 500))
        bound = (
            excess.known_bound(uniform_law(train), 400) if known else excess.counted_bound(train, test, 400)
        )
        wrong += excess.shown_excess(x, train, bound, gamma=0.2).max() > 1
    assert wrong <= 6


def test_copies_are_shown_with_the_excess_that_they_have():
    rng = np.random.default_rng(2)
    train = np.linspace(0.05, 0.95, 10)[:, None]
    x = np.concatenate([rng.uniform(size=(1500, 1)), 0.35 + 0.001 * rng.normal(size=(500, 1))])
    copy = np.arange(2000) >= 1500
    value = excess.shown_excess(x, train, excess.known_bound(uniform_law(train), 2000), gamma=0.1)
    assert (value[copy] > 20).mean() > 0.9  # their ball of radius .003 holds 1/4 against .006
    away = ~copy & (np.abs(x[:, 0] - 0.35) > 0.05)  # nearest to another training item
    assert value[away].max() < 1
    # Of the law that has the same copies, they are none; nor where the ball may not be so large.
    test = np.concatenate([rng.uniform(size=(3000, 1)), 0.35 + 0.001 * rng.normal(size=(1000, 1))])
    assert excess.shown_excess(x, train, excess.counted_bound(train, test, 2000), 0.5)[copy].max() < 1.3
    assert excess.shown_excess(x, train, excess.counted_bound(train, test, 2000), 0.01)[copy].max() < 1.3


def test_a_sample_counts_for_its_nearest_item_alone():
    train = np.array([[0.0], [1.0]])
    x = np.array([[0.01]] * 6 + [[0.9]])
    flat = excess.known_bound(lambda row, radii: np.where(radii < 0.5, 0.001, 0.5), 7)
    value = excess.shown_excess(x, train, flat, gamma=0.1)
    assert (value[:6] > 0).all()
    assert value[6] == pytest.approx(flat(1, np.array([0.1]), np.array([1]), 0.05 / 6)[1][0])


def test_mann_whitney_is_scipys_with_ties():
    rng = np.random.default_rng(3)
    for m, n in ((30, 50), (200, 20)):
        first, second = rng.integers(0, 9, size=m), rng.integers(1, 9, size=n)
        reference = mannwhitneyu(first, second, method="asymptotic", use_continuity=False)
        z = three_sample.mann_whitney_z(first, second)
        assert 2 * binom_tail(abs(z)) == pytest.approx(reference.pvalue, rel=1e-6)
        assert np.sign(z) == np.sign(reference.statistic - m * n / 2)
    assert three_sample.mann_whitney_z(np.ones(4), np.ones(5)) == 0


def binom_tail(z):
    from scipy.stats import norm

    return norm.sf(z)


def test_c_t_by_hand_of_one_cell():
    train = np.array([[0.0], [10.0]])
    test, made = np.arange(1, 31.0)[:, None] / 100, np.arange(1, 26.0)[:, None] / 1000
    found = three_sample.data_copying(train, test, made, cells=1)
    assert found.statistic == pytest.approx(three_sample.mann_whitney_z(made[:, 0], test[:, 0]))
    assert found.deviation == 1
    few = three_sample.data_copying(train, test, made[:5], cells=1)
    assert np.isnan(few.statistic)
    assert few.cells["generated"].tolist() == [5]


def test_c_t_has_its_null_and_sees_copies():
    rng = np.random.default_rng(4)
    values = []
    for _ in range(150):
        # Each training set is asked once: one set's own test items and samples are what varies.
        train, test, made = (rng.normal(size=(n, 2)) for n in (60, 150, 150))
        found = three_sample.data_copying(train, test, made)
        values.append(found.statistic / found.deviation)
    assert np.mean(values) == pytest.approx(0, abs=0.3)
    assert np.std(values) == pytest.approx(1, abs=0.2)
    copies = train[rng.integers(60, size=150)] + 0.001 * rng.normal(size=(150, 2))
    copied = three_sample.data_copying(train, test, copies)
    assert copied.statistic < -8
    assert copied.cells["weight"].sum() == pytest.approx(1)


def test_fresh_digits_keep_the_proportions_and_hold_nothing_of_the_training_set():
    options = {
        "n_ordinary": 400,
        "n_duplicated": 20,
        "copies": 25,
        "n_template_variants": 150,
        "patch": 3,
        "seed": 0,
    }
    x, table = digits.make(**options)
    items, repeated = fresh.of_digits(options)
    scale = (1797 - 421) / 400
    assert repeated.sum() == 20 * round(25 * scale)
    assert len(items) == (1797 - 421) + repeated.sum() + round(150 * scale)
    known = {row.tobytes() for row in x}
    assert [row.tobytes() in known for row in items] == repeated.tolist()
    base = x[(table["population"] == "template").to_numpy()][0]
    family = items[len(items) - round(150 * scale) :]
    assert (family[:, ~digits.free_pixels(3)] == base[~digits.free_pixels(3)]).all()
    few, none = fresh.of_overfit({"n_train": 60, "seed": 0})
    assert (len(few), none.sum()) == (1737, 0)
    again = WORLDS["digits-overfit"].fresh_of({"n_train": 60, "seed": 0})[0]
    np.testing.assert_array_equal(few, again)


def test_fresh_points_are_of_the_law():
    points, atom = fresh.of_von_mises(
        {"concentration": 2.0, "centre_weight": 0.3, "seed": 307, "n_train": 100}
    )
    assert atom.mean() == pytest.approx(0.3, abs=0.02)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), np.where(atom, 0, 1), atol=1e-6)
    assert von_mises.make(seed=307)[0][0].tolist() not in points.tolist()


def found():
    """Ten copies, five of them found, and twenty others, one of them found."""
    value = np.concatenate([[0.1] * 5, [0.9] * 5, [0.2], [0.95] * 19])
    rules = [
        definitions.Rule("A", "law", value, 0.5),
        definitions.Rule("B", "", np.where(np.arange(30) < 10, 0.0, np.inf), None),
    ]
    sample = pd.DataFrame(
        {
            "sample": np.arange(30),
            "group": ["exact"] * 10 + ["not_memorized"] * 20,
            "cluster": np.arange(30) // 2,
        }
    )
    cells = pd.DataFrame({"cell": [0], "test": [9], "generated": [30], "z": [-4.0], "weight": [1.0]})
    tests = {"law": three_sample.CopyingTest(-4.0, 1.0, cells)}
    names = ("exact", "reconstructive", "not_memorized")
    return definitions.table(rules, tests, sample, groups=names, negative="not_memorized")


def test_the_table_counts_what_each_rule_finds():
    table = found()
    assert list(table.columns) == definitions.COLUMNS
    shares = table[table["statistic"] == "share found"].set_index("group")
    assert shares["count"].to_dict() == {"exact": 5, "not_memorized": 1, "all": 6}
    assert shares["n_clusters"].to_dict() == {"exact": 5, "not_memorized": 10, "all": 15}
    areas = table[table["statistic"] == "AUC"].set_index("definition")
    # 5 of 10 lie below all others, 5 above one of them and below 19.
    assert areas["value"]["A"] == pytest.approx((5 * 20 + 5 * 19) / 200)
    assert areas["value"]["B"] == 1
    test = table[table["statistic"] == "C_T"].iloc[0]
    assert (test["value"], test["low"], test["n"]) == (-4, pytest.approx(-5.96), 30)


def test_the_figure_holds_the_compared_groups(tmp_path):
    table = shown(found())
    assert set(table["group"]) == {"exact", "not_memorized", "all"}
    assert set(table.loc[table["group"] == "all", "statistic"]) == {"C_T"}
    fig = found_figure(table, "title")
    assert [ax.get_title().split("\n")[0] for ax in fig.axes] == ["exactly", "not", "Meehan et al.: $C_T$"]


def test_points_are_grouped_by_place_and_images_by_label():
    train, table = von_mises.make(seed=307)
    x = np.concatenate([train[:4] + 0.001, [[0.5, 0.5]]]).astype(np.float32)
    sample, names, negative = grouped(x, np.arange(10, 15), train, table)
    assert (names, negative) == (("isolated", "centre", "arc", "off"), "arc")
    assert sample["id"].tolist() == [10, 11, 12, 13, 14]
    assert sample["group"].iloc[-1] == "off"
    assert sample["cluster"].tolist()[:4] == table["group"].iloc[:4].tolist()
    labels = pd.DataFrame(
        {
            "sample": [11, 12],
            "train": [0, 3],
            "label": ["exact", "not_memorized"],
            "raters": 1,
            "source": "planted",
        }
    )
    matches = pd.DataFrame(
        {
            "sample": [11, 12],
            "metric": "calibrated_l2",
            "rank": 1,
            "train": [0, 3],
            "distance": 0.0,
            "score": 0.0,
        }
    )
    sample, _, negative = grouped(x, np.arange(10, 15), train, table, labels=labels, matches=matches)
    assert sample["sample"].tolist() == [1, 2]
    assert sample["group"].tolist() == ["exact", "not_memorized"]
    assert negative == "not_memorized"
