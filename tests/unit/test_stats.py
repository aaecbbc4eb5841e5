"""AUC, intervals and the bootstrap."""

import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from mmh.errors import InputError
from mmh.stats import curves as stats
from mmh.stats.resampling import weighted_median, weighted_roc


def scored(seed, n=400, ties=False, shift=1.0):
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.3
    score = rng.normal(size=n) + shift * positive
    return (np.round(score) if ties else score), positive


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_auc_equals_sklearn(seed, ties):
    score, positive = scored(seed, ties=ties)
    assert stats.auc(score, positive) == pytest.approx(roc_auc_score(positive, score), abs=1e-12)


def test_auc_counts_ties_half_and_reverses():
    assert stats.auc(np.zeros(5), np.array([1, 0, 0, 1, 0], bool)) == 0.5
    score, positive = scored(0, ties=True)
    assert stats.auc(score, positive) + stats.auc(-score, positive) == pytest.approx(1)
    assert stats.auc(np.exp(score), positive) == stats.auc(score, positive)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("level", [0.0, 0.01, 0.1, 0.5, 1.0])
def test_tpr_is_the_largest_within_the_level(ties, level):
    score, positive = scored(3, ties=ties)
    fpr, tpr, _ = roc_curve(positive, score, drop_intermediate=False)
    assert stats.tpr_at_fpr(score, positive, level) == pytest.approx(tpr[fpr <= level + 1e-12].max())


def test_tpr_does_not_interpolate():
    score, positive = np.array([4.0, 3, 2, 1]), np.array([True, False, True, False])
    assert stats.tpr_at_fpr(score, positive, 0.49) == 0.5
    assert stats.tpr_at_fpr(score, positive, 0.5) == 1.0


def test_bootstrap_weights_equal_explicit_resampling():
    """The weighted AUC of a draw is the AUC of the rows repeated as often as they were drawn."""
    score, positive = scored(1, n=60, ties=True)
    weight = np.random.default_rng(0).multinomial(60, np.full(60, 1 / 60), size=20).astype(float)
    area, rate = weighted_roc(score, positive, weight, 0.2)
    for k, row in enumerate(weight):
        again = np.repeat(np.arange(60), row.astype(int))
        assert area[k] == pytest.approx(roc_auc_score(positive[again], score[again]))
        assert rate[k] == pytest.approx(stats.tpr_at_fpr(score[again], positive[again], 0.2))


def test_bootstrap_agrees_with_delong_on_normal_data():
    score, positive = scored(7, n=1500)
    draws = stats.cluster_bootstrap(score, positive, resamples=2000)
    ours = stats.percentile_interval(draws.auc[0], draws.auc_resampled[:, 0], 1500)
    theirs = stats.delong_interval(score, positive)
    assert ours.estimate == pytest.approx(theirs.estimate, abs=1e-12)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.004)


def test_delong_equals_the_definition():
    score, positive = scored(2, n=80, ties=True)
    a, b = score[positive], score[~positive]
    wins = (a[:, None] > b).astype(float) + 0.5 * (a[:, None] == b)
    variance = wins.mean(1).var(ddof=1) / len(a) + wins.mean(0).var(ddof=1) / len(b)
    found = stats.delong_interval(score, positive)
    assert found.high - found.estimate == pytest.approx(1.959964 * np.sqrt(variance), rel=1e-6)


def test_coverage_of_auc_intervals():
    truth = 0.7602499389  # Phi(1 / sqrt 2)
    hits = {"bootstrap": 0, "delong": 0}
    for seed in range(200):
        score, positive = scored(seed, n=150)
        draws = stats.cluster_bootstrap(score, positive, resamples=300, seed=seed)
        ours = stats.percentile_interval(draws.auc[0], draws.auc_resampled[:, 0], 150)
        theirs = stats.delong_interval(score, positive)
        hits["bootstrap"] += ours.low <= truth <= ours.high
        hits["delong"] += theirs.low <= truth <= theirs.high
    assert all(180 <= count <= 199 for count in hits.values()), hits


def test_clusters_widen_the_interval():
    """Sixty clusters of twenty equal rows carry as much as sixty rows; by sample they pass for 1200."""
    rng = np.random.default_rng(0)
    positive = np.arange(60) < 30
    score = np.repeat(rng.normal(size=60) + positive, 20)
    labels, clusters = np.repeat(positive, 20), np.repeat(np.arange(60), 20)
    wide = stats.cluster_bootstrap(score, labels, clusters)
    narrow = stats.cluster_bootstrap(score, labels)
    alone = stats.cluster_bootstrap(score[::20], positive)
    assert wide.n_clusters == 30  # of each class
    assert wide.auc_resampled.std() == pytest.approx(alone.auc_resampled.std(), rel=0.15)
    assert wide.auc_resampled.std() > 3 * narrow.auc_resampled.std()


def test_few_clusters_are_resampled_by_observation():
    score, positive = scored(0, n=300)
    one = np.where(positive, 0, np.arange(300) + 1)  # all positives in one cluster
    found = stats.cluster_bootstrap(score, positive, one)
    assert found.n_clusters == 1
    by_sample = stats.cluster_bootstrap(score, positive)
    assert found.auc_resampled.std() == pytest.approx(by_sample.auc_resampled.std(), rel=0.1)
    frozen = stats.cluster_bootstrap(score, positive, one, min_clusters=1)
    assert frozen.auc_resampled.std() < 0.8 * found.auc_resampled.std()


def test_every_resample_has_both_classes():
    positive = np.arange(50) == 0
    found = stats.cluster_bootstrap(np.arange(50.0), positive, resamples=500)
    assert np.isfinite(found.auc_resampled).all()


def test_bootstrap_depends_on_seed_and_ids_only():
    score, positive = scored(0)
    runs = [
        stats.cluster_bootstrap(score, positive, seed=seed, ids=ids, resamples=50).auc_resampled
        for seed, ids in ((0, ()), (0, ()), (1, ()), (0, (1,)))
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])
    assert not np.array_equal(runs[0], runs[3])


def test_more_scores_do_not_change_the_draws():
    score, positive = scored(0)
    alone = stats.cluster_bootstrap(score, positive, resamples=50)
    both = stats.cluster_bootstrap(np.stack([-score, score], 1), positive, resamples=50)
    np.testing.assert_array_equal(both.auc_resampled[:, 1], alone.auc_resampled[:, 0])
    np.testing.assert_allclose(both.auc_resampled.sum(axis=1), 1)


def test_paired_difference_is_tighter_than_unpaired():
    score, positive = scored(0)
    other = score + 0.1 * np.random.default_rng(1).normal(size=len(score))
    found = stats.paired_auc_difference(score, other, positive)
    assert found.estimate == pytest.approx(stats.auc(score, positive) - stats.auc(other, positive))
    assert (
        found.high - found.low
        < 0.03
        < stats.delong_interval(score, positive).high - stats.auc(score, positive)
    )
    same = stats.paired_auc_difference(score, 2 * score + 1, positive)
    assert (same.estimate, same.low, same.high) == (0, 0, 0)


def test_bootstrap_is_fast():
    rng = np.random.default_rng(0)
    scores, positive = rng.normal(size=(2000, 7)), np.arange(2000) < 600
    start = time.process_time()
    stats.cluster_bootstrap(scores, positive, rng.integers(0, 500, 2000), resamples=1000)
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775328), (5, 10, 0.2365931, 0.7634069), (10, 10, 0.7224672, 1.0)],
)
def test_wilson_against_published_values(successes, n, low, high):
    found = stats.wilson_interval(successes, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)
    assert found.low <= found.estimate <= found.high
    assert (found.n, found.level) == (n, 0.95)


def test_median_equals_numpy_and_covers():
    hits = 0
    for seed in range(200):
        values = np.random.default_rng(seed).exponential(size=41 + seed % 2)
        found = stats.median_interval(values, resamples=300, seed=seed)
        assert found.estimate == np.median(values)
        hits += found.low <= np.log(2) <= found.high
    assert 180 <= hits <= 199


@pytest.mark.parametrize("n", [30, 31])
def test_weighted_median_equals_numpy_on_repeated_rows(n):
    rng = np.random.default_rng(0)
    values = rng.normal(size=n)
    weight = rng.multinomial(n, np.full(n, 1 / n), size=50).astype(float)
    expected = [np.median(np.repeat(values, row.astype(int))) for row in weight]
    np.testing.assert_allclose(weighted_median(values, weight), expected)


def test_median_differences():
    rng = np.random.default_rng(0)
    base = rng.normal(scale=10, size=200)
    paired = stats.median_interval(base + 3, base, paired=True)
    apart = stats.median_interval(base + 3, base)
    assert (paired.low, paired.high, paired.n) == pytest.approx((3, 3, 200))
    assert apart.high - apart.low > 2
    assert apart.n == 400
    clustered = stats.median_interval(np.repeat(base[:40], 50), clusters=np.repeat(np.arange(40), 50))
    plain = stats.median_interval(np.repeat(base[:40], 50))
    assert clustered.high - clustered.low > 3 * (plain.high - plain.low)


def test_few_values_do_not_bound_a_median():
    found = stats.median_interval(np.arange(5.0))
    assert found.estimate == 2
    assert np.isnan([found.low, found.high]).all()
    assert np.isnan(stats.median_interval(np.zeros(0)).estimate)
    assert np.isfinite(stats.median_interval(np.arange(6.0)).low)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: stats.auc(np.zeros(3), np.ones(3, bool)),
            "both classes are needed, there are 3 positive of 3",
        ),
        (lambda: stats.auc(np.array([0, np.nan]), np.array([True, False])), "1 scores are not finite"),
        (lambda: stats.auc(np.zeros(3), np.ones(4, bool)), "do not match"),
        (lambda: stats.tpr_at_fpr(np.zeros(2), np.array([True, False]), 1.5), "must lie in"),
        (lambda: stats.wilson_interval(3, 2), "3 of 2"),
        (lambda: stats.delong_interval(np.zeros(3), np.array([True, False, False])), "there are 1 and 2"),
        (lambda: stats.median_interval(np.array([np.inf])), "not finite"),
        (lambda: stats.median_interval(np.zeros(3), np.zeros(2), paired=True), "equally many"),
    ],
)
def test_errors_say_what_is_wrong(call, text):
    with pytest.raises(InputError, match=text):
        call()
