"""AUC and other statistics of ROC curves; intervals of AUC are in test_intervals.py."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from mmh.errors import InputError
from mmh.stats import curves as stats
from mmh.stats.resampling import weighted_roc


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


def test_delong_equals_the_definition():
    score, positive = scored(2, n=80, ties=True)
    a, b = score[positive], score[~positive]
    wins = (a[:, None] > b).astype(float) + 0.5 * (a[:, None] == b)
    variance = wins.mean(1).var(ddof=1) / len(a) + wins.mean(0).var(ddof=1) / len(b)
    found = stats.delong_interval(score, positive)
    assert found.high - found.estimate == pytest.approx(1.959964 * np.sqrt(variance), rel=1e-6)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775328), (5, 10, 0.2365931, 0.7634069), (10, 10, 0.7224672, 1.0)],
)
def test_wilson_against_published_values(successes, n, low, high):
    found = stats.wilson_interval(successes, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)
    assert found.low <= found.estimate <= found.high
    assert (found.n, found.level) == (n, 0.95)


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
    ],
)
def test_errors_say_what_is_wrong(call, text):
    with pytest.raises(InputError, match=text):
        call()
