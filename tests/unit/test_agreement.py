"""Kappas against examples worked by hand, scikit-learn and large-sample theory; the tables made of votes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from mmh.errors import InputError
from mmh.labels import agreement
from mmh.labels.classes import CLASSES
from mmh.labels.kappa import cohen_kappa, fleiss_kappa
from mmh.labels.merging import merge_labels


def two_raters(table):
    """Labels of two raters whose confusion matrix is `table`."""
    table = np.asarray(table)
    a, b = np.indices(table.shape).reshape(2, -1)
    return np.repeat(a, table.ravel()), np.repeat(b, table.ravel())


def votes_of(rows):
    """Votes from (sample, train, rater, label) and optionally the round."""
    full = [(*row, 1)[:5] for row in rows]
    table = pd.DataFrame(full, columns=["sample", "train", "rater", "label", "round"])
    types = {"sample": np.int64, "train": np.int64, "round": np.int64, "rater": str, "label": str}
    return table.astype(types).assign(pair="")


def random_votes(seed, n, raters, right=0.7):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, n)
    return votes_of(
        (k // 2, k, rater, CLASSES[truth[k] if rng.random() < right else rng.integers(4)])
        for rater in raters
        for k in range(n)
    )


def test_cohen_by_hand():
    # Fifty applications, two readers who say yes or no: p_o = 35/50, p_e = 25/50 * 30/50 + 25/50 * 20/50.
    found = cohen_kappa(*two_raters([[20, 5], [10, 15]]))
    assert found.estimate == pytest.approx((0.7 - 0.5) / (1 - 0.5))
    assert found.n == 50
    # Disagreement everywhere, with p_e = 1/2.
    assert cohen_kappa([0, 1] * 3, [1, 0] * 3).estimate == pytest.approx(-1)
    # Cells equal to the product of their margins: agreement by chance alone.
    assert cohen_kappa(*two_raters(np.outer([1, 2, 3], [2, 2, 4]))).estimate == pytest.approx(0)


def test_cohen_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    for k in range(2, 6):
        a = rng.integers(0, k, 60)
        b = np.where(rng.random(60) < 0.5, a, rng.integers(0, k, 60))
        names = np.array([*CLASSES, "else"])
        found = cohen_kappa(names[a], names[b])
        assert found.estimate == pytest.approx(cohen_kappa_score(a, b))
        assert found.low < found.estimate < found.high


def test_cohen_interval_is_that_of_large_samples():
    """Against the variance of Fleiss, Cohen and Everitt (1969)."""
    table = np.array([[120, 30, 10], [20, 150, 40], [5, 25, 100]])
    n = table.sum()
    p = table / n
    row, column = p.sum(axis=1), p.sum(axis=0)
    observed, chance = np.trace(p), row @ column
    own = (np.diag(p) * ((1 - chance) - (row + column) * (1 - observed)) ** 2).sum()
    cross = p * (column[:, None] + row[None, :]) ** 2
    other = (1 - observed) ** 2 * (cross.sum() - np.trace(cross))
    variance = own + other - (observed * chance - 2 * chance + observed) ** 2
    error = np.sqrt(variance / n) / (1 - chance) ** 2
    found = cohen_kappa(*two_raters(table), resamples=4000)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.06)


def test_pairs_of_one_sample_are_drawn_together():
    """Every item twice over says no more than once, if it is known to be twice the same."""
    a, b = two_raters([[30, 10], [5, 40]])
    once = cohen_kappa(a, b)
    item = np.arange(len(a))
    twice = cohen_kappa(np.repeat(a, 2), np.repeat(b, 2), np.repeat(item, 2))
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))
    blind = cohen_kappa(np.repeat(a, 2), np.repeat(b, 2))
    assert blind.high - blind.low == pytest.approx((once.high - once.low) / np.sqrt(2), rel=0.1)
    counts = np.stack([(a == 0) * 1 + (b == 0), (a == 1) * 1 + (b == 1)], axis=1)
    once = fleiss_kappa(counts)
    twice = fleiss_kappa(np.repeat(counts, 2, axis=0), np.repeat(item, 2))
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))


def test_fleiss_by_hand():
    # Fourteen raters, ten subjects, five classes.
    rows = [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
    # Shares of the classes 20, 28, 39, 21, 32 of 140; sum over subjects of agreeing pairs / 182 = 3.780.
    chance = (20**2 + 28**2 + 39**2 + 21**2 + 32**2) / 140**2
    observed = (182 + 46 + 56 + 80 + 60 + 84 + 42 + 32 + 52 + 54) / 182 / 10
    found = fleiss_kappa(np.array(rows))
    assert found.estimate == pytest.approx((observed - chance) / (1 - chance))
    assert found.estimate == pytest.approx(0.210, abs=5e-4)
    assert found.n == 10


def test_fleiss_of_two_raters_is_scotts_pi_and_single_votes_do_not_count():
    a, b = two_raters([[20, 5], [10, 15]])
    counts = np.stack([(a == 0) * 1 + (b == 0), (a == 1) * 1 + (b == 1)], axis=1)
    chance = (55 / 100) ** 2 + (45 / 100) ** 2  # both raters share one margin
    expected = (0.7 - chance) / (1 - chance)
    assert fleiss_kappa(counts).estimate == pytest.approx(expected)
    more = fleiss_kappa(np.concatenate([counts, [[1, 0]] * 40, [[0, 0]]]))
    assert more.estimate == pytest.approx(expected)
    assert more.n == 50


def test_fleiss_where_pairs_have_two_votes_or_three():
    # Shares of agreement 1, 1/3, 0; shares of the first class 1, 1/3, 1/2.
    chance = (11 / 18) ** 2 + (7 / 18) ** 2
    found = fleiss_kappa(np.array([[2, 0], [1, 2], [1, 1]]))
    assert found.estimate == pytest.approx((4 / 9 - chance) / (1 - chance))


@pytest.mark.parametrize(
    ("a", "b", "estimate", "note"),
    [
        ([], [], None, "no pair with two votes"),
        (["exact"] * 30, ["exact"] * 30, None, "all labels are of one class"),
        (["exact", "unsure"] * 15, ["exact", "unsure"] * 15, 1, "nobody disagrees: no interval"),
        (
            ["exact", "unsure"] * 9,
            ["exact", "unsure"] * 8 + ["exact"] * 2,
            8 / 9,
            "fewer than 20 pairs: no interval",
        ),
        (["exact"] * 60, ["exact"] * 59 + ["unsure"], 0, "nearly all labels are of one class: no interval"),
    ],
)
def test_what_the_data_do_not_give_is_missing_and_says_why(a, b, estimate, note):
    names = sorted({*a, *b})
    counts = np.array([[(x, y).count(name) for name in names] for x, y in zip(a, b, strict=True)], dtype=int)
    for found in (cohen_kappa(a, b), fleiss_kappa(counts.reshape(len(a), len(names)))):
        assert found.note == note
        assert np.isnan([found.low, found.high]).all()
        assert found.n == len(a)
        if estimate is None:
            assert np.isnan(found.estimate)
        else:
            assert found.estimate == pytest.approx(estimate, abs=0.01)


def test_few_samples_are_drawn_by_pair():
    a, b = two_raters([[30, 10], [5, 40]])
    few = cohen_kappa(a, b, np.arange(len(a)) % 5)
    assert few.note == "fewer than 20 samples: resampled by pair"
    assert few.low == cohen_kappa(a, b).low


def test_bad_arguments_are_refused():
    with pytest.raises(InputError, match="the same items by both raters, got 2 and 1"):
        cohen_kappa([1, 2], [1])
    for counts in (np.ones(3, dtype=int), np.ones((2, 2)), np.array([[-1, 3]])):
        with pytest.raises(InputError, match="needs a table of counts"):
            fleiss_kappa(counts)


def test_the_table_of_agreement():
    votes = random_votes(0, 60, ("ann", "bob"))
    votes = pd.concat([votes, random_votes(1, 30, ("cy",))], ignore_index=True)
    table = agreement.agreement_table(votes, resamples=200)
    assert list(table) == list(agreement.AGREEMENT)
    wide = votes.pivot(index=["sample", "train"], columns="rater", values="label")

    kappas = table[table["statistic"] == "cohen_kappa"].set_index(["rater_a", "rater_b"])
    shares = table[table["statistic"] == "agreement"].set_index(["rater_a", "rater_b"])
    confusion = table[table["statistic"] == "confusion"].set_index(["rater_a", "rater_b"])
    assert kappas.index.tolist() == [("ann", "bob"), ("ann", "cy"), ("bob", "cy")]
    for a, b in kappas.index:
        both = wide[[a, b]].dropna()
        assert kappas.loc[(a, b), "n"] == shares.loc[(a, b), "n"] == len(both)
        assert kappas.loc[(a, b), "value"] == pytest.approx(cohen_kappa_score(both[a], both[b]))
        assert shares.loc[(a, b), "value"] == pytest.approx((both[a] == both[b]).mean())
        cells = confusion.loc[(a, b)].pivot(index="label_a", columns="label_b", values="n")
        expected = pd.crosstab(both[a], both[b]).reindex(index=CLASSES, columns=CLASSES, fill_value=0)
        np.testing.assert_array_equal(cells.loc[list(CLASSES), list(CLASSES)], expected)
    # All pairs have two votes or more, 30 of them three.
    assert table.loc[table["statistic"] == "fleiss_kappa", "n"].tolist() == [60]
    own = table[(table["statistic"] == "votes") & (table["rater_a"] == "cy")].set_index("label_a")["n"]
    assert own.to_dict() == votes[votes["rater"] == "cy"]["label"].value_counts().reindex(CLASSES).to_dict()
    merged = merge_labels(votes, source="people")["label"].value_counts()
    rows = table[table["statistic"] == "merged"].set_index("label_a")["n"]
    assert rows.to_dict() == merged.reindex(CLASSES, fill_value=0).to_dict()
    assert table.loc[table["statistic"].isin(["merged", "votes", "confusion"]), "value"].isna().all()
    pd.testing.assert_frame_equal(
        table, agreement.agreement_table(votes.sample(frac=1, random_state=0), resamples=200)
    )


def test_one_rater_gives_counts_alone_and_strangers_no_kappa():
    one = agreement.agreement_table(votes_of([(0, 0, "ann", "exact"), (1, 0, "ann", "unsure")]))
    assert set(one["statistic"]) == {"votes", "merged", "unresolved"}
    assert one.loc[one["statistic"] == "unresolved", "n"].tolist() == [0]
    two = agreement.agreement_table(votes_of([(0, 0, "ann", "exact"), (1, 0, "bob", "unsure")]))
    kappas = two[two["statistic"].str.endswith("kappa")].set_index("statistic")
    assert kappas["note"].to_dict() == {
        "cohen_kappa": "no pair in common",
        "fleiss_kappa": "no pair with two votes",
    }
    assert kappas["value"].isna().all()


def test_the_second_round_decides_and_tells_nothing_of_agreement():
    first = [(0, 0, "ann", "exact"), (0, 0, "bob", "unsure"), (1, 0, "ann", "exact"), (1, 0, "bob", "exact")]
    second = [(0, 0, "ann", "not_memorized", 2), (0, 0, "bob", "not_memorized", 2)]
    before, after = (agreement.agreement_table(votes_of(rows)) for rows in (first, first + second))
    unresolved = after["statistic"] == "unresolved"
    assert after.loc[unresolved, "n"].tolist() == [0]
    assert before.loc[before["statistic"] == "unresolved", "n"].tolist() == [1]
    counted = after[after["statistic"] == "second_round_votes"].set_index(["rater_a", "label_a"])["n"]
    assert counted[counted > 0].to_dict() == {("ann", "not_memorized"): 1, ("bob", "not_memorized"): 1}
    for statistic in ("cohen_kappa", "agreement", "fleiss_kappa", "confusion", "votes"):
        rows = [table[table["statistic"] == statistic].reset_index(drop=True) for table in (before, after)]
        pd.testing.assert_frame_equal(*rows)


def test_disagreements_are_what_a_page_can_show():
    votes = votes_of(
        [(s, 0, rater, label) for s in (0, 1) for rater, label in (("a", "exact"), ("b", "unsure"))]
    )
    assert agreement.disagreements(votes)["sample"].tolist() == [0, 1]
    votes.loc[votes["sample"] == 1, "pair"] = "p1"
    listed = agreement.disagreements(votes)
    assert listed[["pair", "sample", "raters", "exact", "unsure", "state", "label"]].to_numpy().tolist() == [
        ["p1", 1, 2, 1, 1, "unresolved", "unsure"]
    ]
