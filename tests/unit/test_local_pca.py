"""Local PCA on planes of known dimension, with and without duplicates."""

import tracemalloc

import numpy as np
import pytest
from sklearn.decomposition import PCA

from mmh.compute import rng
from mmh.errors import InputError
from mmh.lid import count_above, knn, local_pca
from mmh.lid.covariance import bootstrap_stderr, neighbourhood_variances


def _plane(dim, n, ambient=30, seed=0, offset=0.0):
    random = np.random.default_rng(seed)
    basis = np.linalg.qr(random.standard_normal((ambient, dim)))[0]
    return random.standard_normal((n, dim)) @ basis.T + offset


@pytest.mark.parametrize(("dim", "ambient"), [(1, 30), (3, 30), (9, 30), (2, 5)])
def test_affine_planes(dim, ambient):
    # No noise: only the plane's own variances are not zero, and nearly all exceed so low a percentile.
    result = local_pca(_plane(dim, 200, ambient, offset=2.0), k=20, percentile=1e-3, radius=None)
    assert (result.lid >= dim - 1).all()
    assert np.count_nonzero(result.lid != dim) <= 1  # the very smallest variance is the threshold's lower end
    assert result.pool_used == 200 * dim
    assert result.pool_zero == 200 * (20 - dim)
    assert 0 < result.threshold <= np.sort(result.variances[:, dim - 1])[1]


def test_variances_are_those_of_a_covariance_of_the_neighbours():
    x = _plane(6, 80, ambient=9) + 0.1 * np.random.default_rng(1).standard_normal((80, 9))
    for k in (7, 20):  # fewer neighbours than dimensions, and more
        result = local_pca(x, k=k, radius=None)
        _, indices = knn(x, x, k, exclude_self=True)
        for i in (0, 17, 79):
            expected = np.linalg.eigvalsh(np.cov(x[indices[i]].T, ddof=1))[::-1][: min(k, 9)]
            np.testing.assert_allclose(result.variances[i, : min(k, 9)], expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(result.kept, k)


def test_the_threshold_is_the_percentile_of_the_pool_without_zeros():
    x = _plane(4, 100)
    result = local_pca(x, k=10, percentile=10, radius=None)
    pool = result.variances[:, :4]
    assert result.threshold == pytest.approx(np.percentile(pool, 10), rel=1e-12)
    np.testing.assert_array_equal(result.lid, (pool > result.threshold).sum(1))
    assert result.lid.sum() == np.ceil(0.9 * 399)


def test_exact_duplicates_read_zero_with_the_radius_and_not_without():
    plane = _plane(5, 300)
    x = np.concatenate([plane, np.repeat(plane[:4], 30, axis=0)]).astype(np.float32)
    copies = np.r_[0:4, 300:420]
    with_radius = local_pca(x, k=60)
    np.testing.assert_array_equal(with_radius.lid[copies], 0)
    np.testing.assert_array_equal(with_radius.kept[copies], 30)
    without = local_pca(x, k=60, radius=None)
    assert (without.lid[copies] >= 3).all()
    assert np.median(with_radius.lid[4:300]) >= 4


def test_a_radius_of_zero_keeps_exact_duplicates_only():
    plane = _plane(3, 40)
    x = np.concatenate([plane, np.repeat(plane[:1], 39, axis=0)])
    result = local_pca(x, k=20, percentile=20)
    assert result.radius == 0.0
    copies = np.r_[0, 40:79]
    np.testing.assert_array_equal(result.lid[copies], 0)
    np.testing.assert_array_equal(result.kept[copies], 20)
    np.testing.assert_array_equal(result.kept[1:40], 20)  # none within the radius: all are kept
    assert (result.lid[1:40] > 0).mean() > 0.9


def test_the_radius_is_the_percentile_of_the_distances_and_is_inclusive():
    x = np.random.default_rng(5).integers(0, 3, (200, 3)).astype(float)  # a grid: many equal distances
    result = local_pca(x, k=15, percentile=30)
    distances, _ = knn(x, x, 15, exclude_self=True)
    assert result.radius == np.percentile(distances, 30)
    assert (distances == result.radius).any()
    within = (distances <= result.radius).sum(1)
    np.testing.assert_array_equal(result.kept, np.where(within > 0, within, 15))


def test_all_pairs_radius():
    x = _plane(4, 150)
    result = local_pca(x, k=20, radius="all")
    pairs = np.sqrt(((x[:, None] - x) ** 2).sum(2))[np.triu_indices(150, 1)]
    assert result.radius == pytest.approx(np.percentile(pairs, 10), rel=1e-9)
    assert result.radius > local_pca(x, k=20).radius


def test_queries_equal_to_training_points_give_the_training_result():
    plane = _plane(5, 200)
    x = np.concatenate([plane, np.repeat(plane[:2], 25, axis=0)])
    whole = local_pca(x, k=30)
    chosen = np.r_[0:40, 210, 240]
    some = local_pca(x, k=30, query=x[chosen])
    np.testing.assert_array_equal(some.lid, whole.lid[chosen])
    np.testing.assert_array_equal(some.kept, whole.kept[chosen])
    np.testing.assert_allclose(some.variances, whole.variances[chosen], rtol=1e-8, atol=1e-12)
    assert some.threshold == whole.threshold


def test_neighbours_at_hand_are_used():
    x = _plane(5, 100)
    near = knn(x, x, 12, exclude_self=True)
    np.testing.assert_array_equal(local_pca(x, k=12).lid, local_pca(x, k=12, neighbours=near).lid)


def test_scale_does_not_matter():
    x = _plane(6, 150) + 0.05 * np.random.default_rng(6).standard_normal((150, 30))
    np.testing.assert_array_equal(local_pca(x, k=25).lid, local_pca(2 * x, k=25).lid)


def test_identical_points_read_zero():
    result = local_pca(np.ones((10, 4)), k=3)
    np.testing.assert_array_equal(result.lid, 0)
    assert (result.threshold, result.pool_used, result.pool_zero) == (0.0, 0, 30)


def test_bad_input():
    x = _plane(2, 10)
    with pytest.raises(InputError, match="below the 10"):
        local_pca(x, k=10)
    with pytest.raises(InputError, match="at least 2"):
        local_pca(x, k=1)
    with pytest.raises(InputError, match="percentile"):
        local_pca(x, k=3, percentile=0)
    with pytest.raises(InputError, match="radius"):
        local_pca(x, k=3, radius="some")
    with pytest.raises(InputError, match="neighbours"):
        local_pca(x, k=3, neighbours=knn(x, x, 4))
    with pytest.raises(InputError, match="bootstrap"):
        local_pca(x, k=3, bootstrap=1)
    with pytest.raises(InputError, match="10 integer ids"):
        local_pca(x, k=3, bootstrap=5, ids=[1, 2])


def test_variances_are_those_of_scikit_learn():
    x = _plane(20, 150, ambient=400, offset=0.5) + 0.05 * np.random.default_rng(1).standard_normal((150, 400))
    result = local_pca(x, k=50, radius=None)
    _, indices = knn(x, x, 50, exclude_self=True)
    for i in range(0, 150, 10):
        expected = PCA().fit(x[indices[i]]).explained_variance_[:49]
        np.testing.assert_allclose(result.variances[i, :49], expected, rtol=1e-8)
        assert result.variances[i, 49] < 1e-12


def test_memory_does_not_grow_with_the_number_of_points():
    peaks = []
    for n in (200, 800):
        x = np.random.default_rng(0).standard_normal((n, 2000)).astype(np.float32)
        near = np.zeros((n, 50)), np.random.default_rng(1).integers(0, n, (n, 50))
        tracemalloc.start()
        local_pca(x, k=50, radius=None, neighbours=near)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # One neighbourhood of 50 x 2000 doubles and some columns of k per point; x itself is not counted.
    assert peaks[1] - peaks[0] < 600 * 50 * 8 * 6
    assert peaks[0] < 4 * 50 * 2000 * 8


@pytest.mark.parametrize(("dim", "k"), [(60, 30), (12, 40)])
def test_the_bootstrap_error_is_the_spread_over_data_sets(dim, k):
    # Many neighbourhoods of one law, given as such: their counts vary by sampling alone.
    n = 150
    random = np.random.default_rng(2)
    scale = np.exp(-np.arange(dim) / (6 if k < dim else 3))
    x = random.standard_normal((n * k, dim)) * scale
    groups = np.arange(n * k).reshape(n, k)
    kept = np.full(n, k)
    variances = neighbourhood_variances(x[:n], x, groups, kept)
    threshold = np.percentile(variances[variances > 1e-12], 40)
    lid = count_above(variances, threshold)
    options = {"threshold": threshold, "replicates": 40, "seed": 0, "ids": np.arange(n)}
    stderr = bootstrap_stderr(x[:n], x, groups, kept, **options)
    assert lid.std() > 0.3
    assert np.sqrt((stderr**2).mean()) == pytest.approx(lid.std(), rel=0.6)


def test_the_bootstrap_follows_seed_and_id_alone():
    x = _plane(6, 80) + 0.1 * np.random.default_rng(6).standard_normal((80, 30))
    x = np.concatenate([x, np.repeat(x[:1], 30, axis=0)])
    whole = local_pca(x, k=20, bootstrap=10)
    assert local_pca(x, k=20).stderr is None
    np.testing.assert_array_equal(whole.stderr[[0, *range(80, 110)]], 0)  # copies of one point: no spread
    some = local_pca(x, k=20, bootstrap=10, query=x[[40, 7]], ids=[40, 7])
    np.testing.assert_allclose(some.stderr, whole.stderr[[40, 7]], atol=1e-12)
    assert (local_pca(x, k=20, bootstrap=10, seed=1).stderr != whole.stderr).any()


def test_one_near_neighbour_is_no_point_mass_but_one_duplicate_is():
    generator = np.random.default_rng(5)
    points = generator.standard_normal((60, 4)) * 10
    points[1] = points[0] + 1e-3  # near, not equal
    points[3] = points[2]  # equal
    result = local_pca(points, k=20, percentile=0.2, radius="knn")
    assert result.kept[0] == 20
    assert result.lid[0] > 0
    assert result.kept[2] == 1
    assert result.lid[2] == 0


def test_pixels_as_bytes_give_what_floats_give():
    x = np.random.default_rng(8).integers(0, 256, (150, 48), dtype=np.uint8)
    x[100:140] = x[0]
    bytes_, floats = local_pca(x, k=20), local_pca(x.astype(np.float64), k=20)
    np.testing.assert_array_equal(bytes_.lid, floats.lid)
    np.testing.assert_allclose(bytes_.variances, floats.variances, rtol=1e-9, atol=1e-9)
    assert (bytes_.lid[100:140] == 0).all()


@pytest.mark.parametrize(("dim", "k"), [(12, 7), (5, 9)])
def test_the_bootstrap_error_by_brute_force(dim, k):
    """Weights m w on the simplex, the covariance about the weighted mean, divisor m - 1; then a plain deviation."""
    random = np.random.default_rng(9)
    x = random.standard_normal((30, dim)) * np.exp(-np.arange(dim) / 3.0) + 4.0
    groups = np.array([random.choice(30, k, replace=False) for _ in range(3)])
    kept, ids = np.array([k, k - 2, k]), np.array([5, 0, 11])
    threshold = float(neighbourhood_variances(x[:3], x, groups, kept)[:, 2].mean())
    found = bootstrap_stderr(x[:3], x, groups, kept, threshold=threshold, replicates=25, seed=3, ids=ids)
    for row in range(3):
        near = x[groups[row, : kept[row]]]
        stream = rng.generator(3, "local-pca-bootstrap", int(ids[row]))
        counts = []
        for exponential in stream.standard_exponential((25, len(near))):
            weight = exponential / exponential.sum()
            away = near - weight @ near
            covariance = len(near) * (weight[:, None] * away).T @ away / (len(near) - 1)
            counts.append((np.linalg.eigvalsh(covariance) > threshold).sum())
        assert found[row] == pytest.approx(np.std(counts, ddof=1))
    assert (found > 0.1).sum() >= 2
