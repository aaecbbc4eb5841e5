"""Intervals over clusters: against closed forms and brute-force twins, and what is said where there is none."""

import time

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import beta, binom, rankdata, spearmanr
from scipy.stats import t as student

from mmh.errors import InputError
from mmh.stats import curves as stats
from mmh.stats.areas import left_out_areas
from mmh.stats.clusters import effective_df, exact_low, jackknife_variance, share_interval, without_each
from mmh.stats.correlation import spearman_interval
from mmh.stats.medians import median_interval
from mmh.stats.rates import least_negatives, tpr_interval
from mmh.stats.resampling import FEW
from mmh.stats.roc import roc_table


def scored(seed, n=400, ties=False, shift=1.0):
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.3
    score = rng.normal(size=n) + shift * positive
    return (np.round(score) if ties else score), positive


def wins(score, positive):
    a, b = score[positive][:, None], score[~positive]
    return ((a > b) + 0.5 * (a == b)).mean()


@pytest.mark.parametrize("ties", [False, True])
def test_areas_without_each_cluster_equal_those_of_the_rows_that_are_left(ties):
    """Also where a cluster holds both classes, whose pairs are lost with it once."""
    score, positive = scored(0, n=80, ties=ties)
    cluster = np.random.default_rng(1).integers(0, 12, 80)
    found = left_out_areas(np.stack([score, -score], 1), positive, cluster)
    assert found.area == pytest.approx([wins(score, positive), 1 - wins(score, positive)])
    both = np.concatenate(found.strata)
    assert len(both) == 12
    expected = [wins(score[cluster != g], positive[cluster != g]) for g in range(12)]
    np.testing.assert_allclose(np.sort(both[:, 0]), np.sort(expected))
    assert found.clusters == tuple(len(np.unique(cluster[rows])) for rows in (positive, ~positive))


def test_positives_and_negatives_are_two_sources():
    score, positive = scored(3, n=60)
    found = left_out_areas(score, positive)
    assert [len(part) for part in found.strata] == [positive.sum(), (~positive).sum()]
    one = [np.delete(np.arange(60), k) for k in range(60)]
    areas = np.array([wins(score[rows], positive[rows]) for rows in one])
    expected = sum(jackknife_variance(areas[rows]) for rows in (positive, ~positive))
    assert found.variance([part[:, 0] for part in found.strata]) == pytest.approx(expected)


def test_the_jackknife_of_independent_values_is_delongs_error():
    """Without one observation the AUC is linear in its placement value, so both variances are the same."""
    score, positive = scored(7, n=300)
    theirs = stats.delong_interval(score, positive)
    left_out = left_out_areas(score, positive)
    error = np.sqrt(left_out.variance([part[:, 0] for part in left_out.strata]))
    assert error == pytest.approx((theirs.high - theirs.estimate) / 1.959964, rel=1e-5)


def test_auc_interval_is_symmetric_in_the_logit():
    score, positive = scored(4, n=150)
    found = stats.auc_interval(score, positive)
    middle = logit(found.estimate)
    assert logit(found.high) - middle == pytest.approx(middle - logit(found.low))
    left_out = left_out_areas(score, positive)
    error = np.sqrt(left_out.variance([part[:, 0] for part in left_out.strata]))
    df = min(positive.sum(), (~positive).sum()) - 1
    slope = found.estimate * (1 - found.estimate)
    assert found.high == pytest.approx(expit(middle + student.ppf(0.975, df) * error / slope))
    assert (found.n, found.n_clusters, found.unit, found.reason) == (150, df + 1, "observation", "")


def test_few_clusters_take_the_jackknife_of_the_logit():
    rng = np.random.default_rng(0)
    cluster = np.concatenate([np.repeat(np.arange(13), 10), 13 + np.arange(200)])
    positive = cluster < 13
    score = rng.normal(size=330) + positive + 0.7 * rng.normal(size=213)[cluster]
    found = stats.auc_interval(score, positive, cluster, unit="family")
    areas = [logit(wins(score[cluster != g], positive[cluster != g])) for g in range(213)]
    variance = jackknife_variance(np.array(areas[:13])) + jackknife_variance(np.array(areas[13:]))
    middle = logit(wins(score, positive))
    assert found.high == pytest.approx(expit(middle + student.ppf(0.975, 12) * np.sqrt(variance)))
    assert (found.n_clusters, found.unit) == (13, "family")


def test_fewer_clusters_never_narrow_the_interval():
    """The same 400 correlated rows: by 20 clusters, by 19 (two of them one), and as if they were independent."""
    rng = np.random.default_rng(5)
    cluster = np.repeat(np.arange(40), 10)
    positive = cluster < 20
    score = rng.normal(size=400) + 1.5 * rng.normal(size=40)[cluster] + positive
    fewer = np.where(cluster == 1, 0, cluster)
    width = {
        name: (lambda found: found.high - found.low)(stats.auc_interval(score, positive, groups))
        for name, groups in (("twenty", cluster), ("nineteen", fewer), ("alone", None))
    }
    assert width["nineteen"] > 0.9 * width["twenty"] > 2 * width["alone"]


@pytest.mark.parametrize("which", [True, False])
def test_one_cluster_gives_no_interval_and_says_so(which):
    score, positive = scored(0, n=300)
    one = np.where(positive == which, 0, np.arange(300) + 1)
    found = stats.auc_interval(score, positive, one, unit="family")
    assert found.estimate == stats.auc(score, positive)
    assert np.isnan([found.low, found.high]).all()
    assert found.n_clusters == 1
    assert found.reason == f"all {'positives' if which else 'negatives'} are of one family"
    gain = stats.paired_auc_difference(score, -score, positive, one, unit="family")
    assert np.isnan([gain.low, gain.high]).all()
    assert gain.reason == found.reason


def test_an_area_of_one_has_an_exact_bound():
    """min(m, k) disjoint pairs all in order have probability at most AUC^min(m, k): 2.5 % at the bound."""
    positive = np.arange(64 + 200) < 64
    found = stats.auc_interval(positive + 0.0 + np.arange(264) / 1e4, positive)
    assert (found.estimate, found.high, found.method) == (1, 1, "exact")
    assert found.low**64 == pytest.approx(0.025)
    worst = stats.auc_interval(-(positive + np.arange(264) / 1e4), positive)
    assert (worst.low, worst.high) == pytest.approx((0, 1 - found.low))
    clusters = np.where(positive, np.arange(264) // 8, np.arange(264) + 1000)
    assert stats.auc_interval(positive * 1.0 + np.arange(264) / 1e4, positive, clusters).low == pytest.approx(
        0.025 ** (1 / 8)
    )


def test_an_interval_never_shrinks_to_a_point_unless_by_definition():
    positive = np.arange(128) < 64
    near = positive * 10 + np.random.default_rng(0).normal(size=128)
    near[0], near[64] = -20, -19.5  # one positive below all negatives but one
    for score in (near, positive * 10.0 + np.arange(128) / 1e3):
        found = stats.auc_interval(score, positive)
        assert found.low < found.estimate
        assert round(found.low, 3) < 1
    constant = stats.auc_interval(np.zeros(128), positive)
    assert (constant.low, constant.estimate, constant.high, constant.method) == (
        0.5,
        0.5,
        0.5,
        "by definition",
    )


def test_paired_difference_is_tighter_than_unpaired():
    score, positive = scored(0)
    other = score + 0.1 * np.random.default_rng(1).normal(size=len(score))
    found = stats.paired_auc_difference(score, other, positive)
    assert found.estimate == pytest.approx(stats.auc(score, positive) - stats.auc(other, positive))
    alone = stats.auc_interval(score, positive)
    assert 0 < found.high - found.low < 0.2 * (alone.high - alone.low)


def test_difference_bounds_follow_from_both_areas_and_their_correlation():
    """Independent scores: squared distances add. A score and its negative: distances add."""
    rng = np.random.default_rng(2)
    positive = np.arange(300) < 150
    x, y = rng.normal(size=(2, 300)) + np.array([[1.0], [0.5]]) * positive
    one, two = (stats.auc_interval(v, positive) for v in (x, y))
    found = stats.paired_auc_difference(x, y, positive)
    left_out = left_out_areas(np.stack([x, y], 1), positive)
    r = left_out.correlation(0, 1)
    a, b = one.estimate - one.low, two.high - two.estimate
    assert found.low == pytest.approx(found.estimate - np.sqrt(a * a + b * b - 2 * r * a * b))
    assert abs(r) < 0.3
    mirrored = stats.paired_auc_difference(x, -x, positive)
    assert mirrored.low == pytest.approx(mirrored.estimate - 2 * a)


def test_equal_orders_bound_the_difference_exactly():
    score, positive = scored(0)
    found = stats.paired_auc_difference(score, 2 * score + 1, positive)
    bound = 1 - exact_low(int(positive.sum()))
    assert (found.estimate, found.low, found.high) == pytest.approx((0, -bound, bound))
    itself = stats.compare(np.stack([score, score], 1), positive).difference(0, 0)
    assert (itself.low, itself.high, itself.method) == (0, 0, "by definition")


@pytest.mark.parametrize(
    ("sizes", "df"),
    [
        ([5] * 13, 12),
        ([1, 1], 1),
        ([100, 1, 1], 1),
        ([70, 65, 34, 33, 33, 27, 26, 19, 14, 14, 7, 3, 1], 7.157),
    ],
)
def test_effective_degrees_of_freedom(sizes, df):
    assert effective_df(np.array(sizes)) == pytest.approx(df, abs=1e-3)


def test_weights_leave_out_one_cluster_each():
    cluster = np.repeat(np.arange(150), 2)
    blocks = list(without_each(cluster))
    weight = np.concatenate(blocks)
    assert [len(block) for block in blocks] == [100, 50]
    for g in (0, 99, 100, 149):
        assert weight[g].tolist() == (cluster != g).astype(float).tolist()


@pytest.mark.parametrize(("hits", "n", "low", "high"), [(0, 10, 0, 0.3085), (10, 10, 0.6915, 1)])
def test_share_without_exception_is_clopper_pearsons(hits, n, low, high):
    found = share_interval(np.arange(n) < hits)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


def test_shares_by_cluster_are_wider_and_clusters_of_equal_rows_count_once():
    rng = np.random.default_rng(0)
    hit = rng.random(60) < 0.8
    by_cluster = share_interval(np.repeat(hit, 20), np.repeat(np.arange(60), 20), "sample")
    alone = share_interval(hit)
    assert (by_cluster.low, by_cluster.high) == pytest.approx((alone.low, alone.high))
    assert (by_cluster.n, by_cluster.n_clusters) == (1200, 60)
    one = share_interval(hit, np.zeros(60), "sample")
    assert np.isnan(one.low)
    assert one.reason == "all observations are of one sample"


def test_fewest_negatives_of_a_rate():
    assert least_negatives(0.01) == 368
    assert 0.99**368 <= 0.025 < 0.99**367


def test_rates_have_no_interval_where_no_threshold_is_bounded():
    rng = np.random.default_rng(0)
    for n, known in ((367, False), (368, True)):
        positive = np.arange(64 + n) < 64
        found = tpr_interval(rng.normal(size=64 + n) + 2 * positive, positive)
        assert np.isfinite(found.low) == known
        assert found.reason == (
            "" if known else "367 negatives: 368 are needed to bound the threshold of 1 % false positives"
        )
    clusters = np.where(np.arange(864) < 64, np.arange(864), 64 + np.arange(864) // 100)
    positive = np.arange(864) < 64
    score = rng.normal(size=864) + 2 * positive + 3 * rng.normal(size=1000)[clusters] * ~positive
    found = tpr_interval(score, positive, clusters, unit="family")
    assert found.reason.startswith("800 negatives (worth ")


def test_rates_take_the_threshold_from_the_largest_negatives():
    """1000 negatives: between 4 and 17 of them lie above the 1 % threshold, with 95 % probability."""
    rng = np.random.default_rng(3)
    positive = np.arange(1300) < 300
    score = rng.normal(size=1300) + 2 * positive
    found = tpr_interval(score, positive)
    assert found.estimate == stats.tpr_at_fpr(score, positive)
    below = np.sort(score[~positive])[::-1]
    most, fewest = int(binom.ppf(0.025, 1000, 0.01)) - 1, int(binom.isf(0.025, 1000, 0.01)) + 1
    ends = [(score[positive] > below[most]).mean(), (score[positive] >= below[fewest - 1]).mean()]
    own = share_interval(score[positive] > below[10])
    assert own.estimate == found.estimate
    assert found.low == pytest.approx(
        found.estimate - np.hypot(found.estimate - ends[0], found.estimate - own.low)
    )
    assert found.high == pytest.approx(
        found.estimate + np.hypot(ends[1] - found.estimate, own.high - found.estimate)
    )


def test_a_median_and_its_bounds_are_quantiles():
    for n in (41, 42):
        values = np.random.default_rng(n).exponential(size=n)
        found = median_interval(values)
        ends = 0.5 + np.array([-1, 1]) * 1.959964 * 0.5 / np.sqrt(n)
        assert found.estimate == np.median(values)
        assert (found.low, found.high) == pytest.approx(np.quantile(values, ends, method="hazen"))


def test_clusters_of_equal_values_are_as_many_values_as_clusters():
    rng = np.random.default_rng(0)
    base = rng.normal(scale=10, size=60)
    clustered = median_interval(np.repeat(base, 50), clusters=np.repeat(np.arange(60), 50), unit="family")
    alone = median_interval(base)
    assert clustered.high - clustered.low == pytest.approx(alone.high - alone.low, rel=0.15)
    plain = median_interval(np.repeat(base, 50))
    assert clustered.high - clustered.low > 3 * (plain.high - plain.low)
    assert (clustered.n, clustered.n_clusters, clustered.unit) == (3000, 60, "family")


def test_median_differences():
    rng = np.random.default_rng(0)
    base = rng.normal(scale=10, size=200)
    paired = median_interval(base + 3, base, paired=True)
    apart = median_interval(base + 3, base)
    assert (paired.low, paired.high, paired.n) == pytest.approx((3, 3, 200), abs=0.1)  # both move together
    one = median_interval(base)
    down, up = one.estimate - one.low, one.high - one.estimate
    assert (apart.low, apart.high) == pytest.approx((3 - np.hypot(down, up), 3 + np.hypot(down, up)))
    assert apart.n == 400
    family = np.arange(200) // 5
    together = median_interval(base + 3, base, clusters=family, other_clusters=family)
    by_pair = median_interval(base + 3, base, clusters=family, paired=True)
    assert (together.low, together.high) == pytest.approx((by_pair.low, by_pair.high))


@pytest.mark.parametrize(
    ("values", "clusters", "reason"),
    [
        (np.arange(5.0), None, "fewer than 6 values do not bound a median"),
        (np.arange(9.0), np.zeros(9), "all values of a group are of one family"),
        (np.arange(9.0), np.arange(9) // 5, "2 clusters of such sizes do not bound a median"),
        (np.zeros(0), None, "a group is empty"),
    ],
)
def test_medians_that_the_data_do_not_bound(values, clusters, reason):
    found = median_interval(values, clusters=clusters, unit="family")
    assert np.isnan([found.low, found.high]).all()
    assert found.reason == reason
    assert np.isnan(found.estimate) == (len(values) == 0)
    assert np.isfinite(median_interval(np.arange(6.0)).low)


def test_spearman_without_each_item_and_cluster():
    rng = np.random.default_rng(1)
    x = np.round(rng.normal(size=60), 1)
    y = np.round(0.7 * x + rng.normal(size=60), 1)
    family = np.arange(60) // 4
    for cluster, df in ((None, 59), (family, 14)):
        own = np.arange(60) if cluster is None else cluster
        rest = [spearmanr(x[own != g], y[own != g]).statistic for g in range(own.max() + 1)]
        error = np.sqrt(jackknife_variance(np.arctanh(rest)))
        found = spearman_interval(x, y, cluster)
        middle = np.arctanh(spearmanr(x, y).statistic)
        half = student.ppf(0.975, df) * error
        assert (found.low, found.high) == pytest.approx(tuple(np.tanh([middle - half, middle + half])))
        assert found.n_clusters == df + 1


@pytest.mark.parametrize(
    ("x", "clusters", "reason"),
    [
        (np.zeros(9), None, "a score does not vary"),
        (np.arange(5.0), None, "fewer than 6 items"),
        (np.arange(9.0) % 5, np.zeros(9), "all observations are of one family"),
        (np.arange(9.0), None, "all ranks agree"),
    ],
)
def test_correlations_without_bounds_say_why(x, clusters, reason):
    found = spearman_interval(x, rankdata(np.arange(len(x))), clusters, unit="family")
    assert np.isnan([found.low, found.high]).all()
    assert found.reason == reason


def test_curves_have_no_band_where_families_are_few():
    import pandas as pd

    rng = np.random.default_rng(0)
    positive = np.arange(200) < 100
    scores = pd.DataFrame({"one": rng.normal(size=200) + positive})
    many, few = (roc_table(scores, positive, np.arange(200) // size, resamples=50) for size in (2, 3))
    assert 100 // 2 >= FEW > -(-100 // 3)
    assert many["low"].notna().all()
    assert few[["low", "high"]].isna().all(axis=None)
    pd.testing.assert_series_equal(many["tpr"], few["tpr"])


def test_many_clusters_take_little_time():
    rng = np.random.default_rng(0)
    scores, positive = rng.normal(size=(2000, 7)), np.arange(2000) < 600
    start = time.process_time()
    found = stats.compare(scores, positive, rng.integers(0, 500, 2000))
    assert all(np.isfinite(found.difference(k, 0).low) for k in range(7))
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: median_interval(np.array([np.inf])), "not finite"),
        (lambda: median_interval(np.zeros(3), np.zeros(2), paired=True), "equally many"),
        (lambda: median_interval(np.zeros(3), np.zeros(2), clusters=np.zeros(3)), "of both groups"),
        (lambda: spearman_interval(np.array([0, np.nan]), np.zeros(2)), "not finite"),
        (lambda: tpr_interval(np.zeros(2), np.array([True, False]), level=1.0), "must be|in \\(0, 1\\)"),
    ],
)
def test_errors_say_what_is_wrong(call, text):
    with pytest.raises(InputError, match=text):
        call()


def test_shares_take_the_t_quantile_of_their_clusters():
    """8 of 10 independent hits: v = p (1 - p) / 9, so the effective number is 9 (z / t(9))^2."""
    found = share_interval(np.arange(10) < 8)
    effective = 9 * (1.959964 / student.ppf(0.975, 9)) ** 2
    assert found.low == pytest.approx(beta.ppf(0.025, 0.8 * effective, 0.2 * effective + 1), rel=1e-5)
    assert found.high == pytest.approx(beta.ppf(0.975, 0.8 * effective + 1, 0.2 * effective), rel=1e-5)


def test_bounds_of_a_median_over_unequal_clusters_by_brute_force():
    rng = np.random.default_rng(8)
    cluster = np.repeat(np.arange(9), [12, 9, 8, 7, 6, 5, 3, 1, 1])
    values = rng.normal(size=52) + rng.normal(size=9)[cluster]
    middle = np.sort(values)[25:27].mean()
    shares = np.array([(values[cluster != g] < middle).mean() for g in range(9)])
    error = np.sqrt(8 / 9 * ((shares - shares.mean()) ** 2).sum())
    sizes = np.bincount(cluster)
    reach = student.ppf(0.975, sizes.sum() ** 2 / (sizes**2).sum() - 1) * error
    found = median_interval(values, clusters=cluster)
    ends = np.interp(
        (0.5 + np.array([-reach, reach])) * 52, np.arange(52) + 0.5, np.sort(values)
    )  # the k-th smallest is the quantile at (k - 1/2) / n
    assert found.estimate == middle
    assert (found.low, found.high) == pytest.approx(tuple(ends))


def test_bounds_of_a_median_are_mirrored_with_the_values():
    """Ties at the median are on neither side of it: with them below, one bound would move."""
    rng = np.random.default_rng(9)
    cluster = np.repeat(np.arange(12), rng.integers(3, 9, 12))
    values = np.round(rng.exponential(size=len(cluster)) * 2)
    assert (values == np.median(values)).mean() > 0.1
    for other in (None, np.round(values + rng.normal(size=len(cluster)))):
        found, mirrored = (
            median_interval(
                sign * values, None if other is None else sign * other, paired=True, clusters=cluster
            )
            for sign in (1, -1)
        )
        assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))
