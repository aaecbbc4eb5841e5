"""Verdicts by intervals: p-values by inversion, adjustment for many questions, what could be found at all."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from mmh.claims import table as claims
from mmh.stats.clusters import clopper_pearson
from mmh.stats.correlation import spearman, spearman_difference
from mmh.stats.curves import compare
from mmh.stats.decisions import SMALLEST, decide, detectable, holm, p_value
from mmh.stats.medians import median_interval
from mmh.stats.resampling import Interval


def normal(estimate, error, level=0.95):
    from scipy.stats import norm

    half = norm.isf((1 - level) / 2) * error
    return Interval(estimate, estimate - half, estimate + half, 10, level)


@pytest.mark.parametrize(
    ("estimate", "region"), [(1.3, (0, np.inf)), (-1.3, (0, np.inf)), (0.7, (-np.inf, 2))]
)
def test_p_is_that_of_the_two_sided_test(estimate, region):
    from scipy.stats import norm

    distance = min(abs(estimate - end) for end in region if np.isfinite(end))
    p = p_value(partial(normal, estimate, 0.5), region)
    assert p == pytest.approx(2 * norm.sf(distance / 0.5), rel=2e-3)


def test_p_of_an_interval_region_is_that_of_the_nearer_end():
    from scipy.stats import norm

    assert p_value(partial(normal, 0.1, 0.2), (-0.5, 0.5)) == pytest.approx(2 * norm.sf(0.4 / 0.2), rel=0.02)


def test_p_is_below_the_level_just_where_the_interval_decides():
    rng = np.random.default_rng(0)
    positive, cluster = np.arange(90) < 30, np.arange(90) // 3
    for shift in np.linspace(0, 1.2, 13):
        both = rng.normal(size=(90, 2)) + shift * positive[:, None] * [1, 0]
        found = compare(both, positive, cluster)
        for at, region in (
            (partial(found.area, 0), (0.56, np.inf)),
            (partial(found.difference, 0, 1), (0.02, np.inf)),
            (partial(median_interval, both[:, 0], clusters=cluster), (-0.3, 0.3)),
        ):
            assert (p_value(at, region) < 0.05) == (decide(at(level=0.95), region) != "open")


def test_p_of_a_binomial_share_is_clopper_pearsons():
    from scipy.stats import binom

    def at(level):
        return Interval(0.4, *clopper_pearson(8, 20, level), 20, level)

    assert p_value(at, (0.2, 1)) == pytest.approx(2 * binom.sf(7, 20, 0.2), rel=2e-3)


def test_p_is_not_taken_from_levels_beyond_an_open_one():
    """Bounds of a difference of correlated areas draw in again where those of both saturate."""

    def at(level):
        wide = 0.3 if 0.96 < level < 0.9999 else 0.01
        return Interval(0.1, 0.1 - wide, 0.1 + wide, 9, level)

    assert 0.01 < p_value(at, (0.0, 1.0)) < 0.05


def test_p_without_bounds_and_by_definition():
    assert np.isnan(p_value(lambda level: Interval(0.5, np.nan, np.nan, 3, level), (0, 1)))
    assert p_value(lambda level: Interval(0.5, 0.5, 0.5, 3, level), (0, 1)) == SMALLEST
    assert p_value(lambda level: Interval(0.5, 0.5, 0.5, 3, level), (0.5, 1)) == 1


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, np.nan, 0.005]), [0.03, 0.06, 0.06, np.nan, 0.02])
    np.testing.assert_allclose(holm([0.6, 0.7]), [1, 1])
    assert holm([]).size == 0


def test_holm_keeps_false_decisions_of_any_kind_rare():
    rng = np.random.default_rng(1)
    found = [(holm(rng.random(42)) <= 0.05).any() for _ in range(4000)]
    assert np.mean(found) == pytest.approx(0.05, abs=0.012)


def test_an_effect_that_is_detectable_is_found_four_times_in_five():
    rng = np.random.default_rng(2)
    effect = detectable(normal(0.0, 0.3))
    found = [decide(normal(effect + 0.3 * rng.normal(), 0.3), (0, np.inf)) == "inside" for _ in range(4000)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.02)


def test_a_difference_of_correlations():
    rng = np.random.default_rng(3)
    x = rng.normal(size=200)
    y, other = x + rng.normal(size=200), 0.3 * x + rng.normal(size=200)
    found = spearman_difference(x, y, other)
    q = np.arctanh(spearman(x, y)[0]) - np.arctanh(spearman(x, other)[0])
    assert found.estimate == pytest.approx(float(q))
    assert found.low < found.estimate < found.high
    same = spearman_difference(x, y, y + 1e-3 * rng.normal(size=200))
    assert abs(same.high - same.low) < 0.02  # paired: what both share does not count
    apart = [spearman_difference(x, y, rng.permutation(y)).low > 0 for _ in range(20)]
    assert all(apart)


def rows(**columns):
    plain = {**dict.fromkeys(claims.COLUMNS, ""), "n": 9}
    return pd.DataFrame(
        [
            {**plain, **dict(zip(columns, values, strict=True))}
            for values in zip(*columns.values(), strict=True)
        ]
    )


def test_a_run_adjusts_over_its_experiments():
    one = rows(claim=["1", "2"], statistic=["a", "b"], p=[0.001, 0.04], alone=["holds", "holds"])
    other = rows(claim=["2", "4"], statistic=["c", "d"], p=[0.2, np.nan], alone=["undecided", "undecided"])
    whole = claims.of_run({"one": one, "other": other})
    assert whole["experiment"].tolist() == ["one", "one", "other", "other"]
    # Four were asked, though the data could not answer one of them.
    np.testing.assert_allclose(whole["p_holm"].astype(float), [0.004, 0.12, 0.4, np.nan])
    assert whole["verdict"].tolist() == ["holds", "undecided", "undecided", "undecided"]
    assert claims.of_run({})["verdict"].tolist() == []


def test_a_question_depends_if_its_choices_differ():
    table = rows(
        claim=["4", "4", "4", "4"],
        statistic=["a", "a", "b", "b"],
        under=["knn", "all", "knn", "all"],
        alone=["holds", "fails", "holds", "holds"],
    )
    assert claims.settled(table, "alone").tolist() == ["depends", "depends", "holds", "holds"]
