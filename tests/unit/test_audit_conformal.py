"""The tests of an audit, against closed forms and by simulated false alarms."""

import itertools

import numpy as np
import pytest

from mmh.audit.conformal import benjamini_hochberg, conformal_p, set_test
from mmh.errors import InputError


def test_a_conformal_p_value_counts_null_scores_that_are_as_large() -> None:
    p = conformal_p(np.array([0.5, 2.0, 3.0, 9.0]), np.array([3.0, 1.0, 2.0]))
    assert p == pytest.approx([4 / 4, 3 / 4, 2 / 4, 1 / 4])


def test_what_cannot_be_tested_is_refused() -> None:
    with pytest.raises(InputError, match="there are none"):
        conformal_p(np.ones(2), np.array([]))
    with pytest.raises(InputError, match="finite"):
        conformal_p(np.array([np.nan]), np.ones(2))
    with pytest.raises(InputError, match="both sides"):
        set_test(np.ones(2), np.array([]), np.random.default_rng(0))


@pytest.mark.parametrize("level", [0.05, 0.2])
def test_false_alarms_come_as_often_as_the_level_says(level: float) -> None:
    """Exchangeable scores: a fresh null sample for each trial, so trials are independent."""
    random, trials, n = np.random.default_rng(1), 2000, 99
    alarms = [conformal_p(draw[:1], draw[1:])[0] <= level for draw in random.standard_cauchy((trials, n + 1))]
    error = np.sqrt(level * (1 - level) / trials)
    assert abs(np.mean(alarms) - level) < 3 * error  # (n + 1) * level is whole: exact, not conservative


def test_ties_make_it_conservative_and_never_the_other_way() -> None:
    random = np.random.default_rng(2)
    draws = random.integers(0, 4, (2000, 50))
    alarms = [conformal_p(draw[:1], draw[1:])[0] <= 0.3 for draw in draws]
    assert np.mean(alarms) <= 0.3 + 3 * np.sqrt(0.3 * 0.7 / 2000)


def test_q_values_reject_what_the_step_up_procedure_rejects() -> None:
    """Against the definition: for each level, the largest k with p_(k) <= k alpha / m."""
    random = np.random.default_rng(3)
    for _ in range(50):
        p = random.random(12) ** 2
        q = benjamini_hochberg(p)
        for alpha in (0.01, 0.05, 0.2, 0.6):
            ordered = np.sort(p)
            kept = [k for k in range(1, 13) if ordered[k - 1] <= k * alpha / 12 + 1e-15]
            limit = ordered[max(kept) - 1] if kept else -1.0
            assert ((q <= alpha + 1e-12) == (p <= limit)).all()


def test_the_false_discovery_rate_of_conformal_p_values_is_kept() -> None:
    """One null sample for all items, as an audit has it: 40 of 200 items are memorized."""
    random, rates = np.random.default_rng(4), []
    for _ in range(200):
        null = random.normal(size=500)
        scores = np.concatenate([random.normal(3.0, 1.0, 40), random.normal(size=160)])
        found = benjamini_hochberg(conformal_p(scores, null)) <= 0.1
        rates.append(found[40:].sum() / max(found.sum(), 1))
    assert np.mean(rates) <= 0.1 * 160 / 200 + 3 * np.std(rates) / np.sqrt(len(rates))


def test_the_set_test_is_the_permutation_test_of_all_orders() -> None:
    scores, null = np.array([1.0, 4.0, 6.0]), np.array([2.0, 3.0, 5.0, 0.5])
    pooled = np.concatenate([scores, null])
    ranks = np.argsort(np.argsort(pooled)) + 1
    sums = [sum(chosen) for chosen in itertools.combinations(ranks, 3)]
    exact = np.mean([total >= ranks[:3].sum() for total in sums])
    found = set_test(scores, null, np.random.default_rng(0), draws=4_000)
    assert found.p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 4_000))
    assert found.area == pytest.approx(np.mean([s > x for s in scores for x in null]))


def test_false_alarms_of_the_set_test() -> None:
    random, trials = np.random.default_rng(5), 500
    alarms = [
        set_test(random.normal(size=20), random.normal(size=15), random, draws=199).p <= 0.05
        for _ in range(trials)
    ]
    assert abs(np.mean(alarms) - 0.05) < 3 * np.sqrt(0.05 * 0.95 / trials)


def test_copies_of_one_image_count_once() -> None:
    """Twenty-five copies of one high score are no evidence of twenty-five images."""
    random = np.random.default_rng(6)
    scores = np.concatenate([np.full(25, 5.0), random.normal(size=10)])
    clusters = np.concatenate([np.zeros(25, int), np.arange(1, 11)])
    null = random.normal(size=30)
    found = set_test(scores, null, random, clusters=clusters, draws=999)
    once = set_test(scores[24:], null, random, draws=999)
    assert found.n == 11
    assert found.area == once.area
    assert found.p > 0.01
    assert set_test(scores, null, random, draws=999).p < 0.01
