"""Nearest neighbours against a plain float64 search."""

import numpy as np
import pytest

from mmh.errors import InputError
from mmh.lid import neighbours, points
from mmh.lid.neighbours import knn


def _plain(query, base):
    return np.sqrt(((query[:, None].astype(float) - base[None].astype(float)) ** 2).sum(2))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_agrees_with_a_plain_search(dtype):
    random = np.random.default_rng(0)
    base, query = random.random((300, 12)).astype(dtype), random.random((40, 12)).astype(dtype)
    distances, indices = knn(query, base, 7)
    full = _plain(query, base)
    np.testing.assert_array_equal(indices, np.argsort(full, axis=1, kind="stable")[:, :7])
    np.testing.assert_allclose(distances, np.sort(full, axis=1)[:, :7], rtol=1e-14)
    assert distances.dtype == np.float64
    assert indices.dtype == np.int64


def test_blocks_do_not_change_the_result(monkeypatch):
    random = np.random.default_rng(1)
    base = random.random((500, 6)).astype(np.float32)
    whole = knn(base, base, 5, exclude_self=True)
    monkeypatch.setattr(neighbours, "BLOCK_BYTES", 4 * 6 * 33)
    monkeypatch.setattr(points, "PART_BYTES", 1)
    for a, b in zip(whole, knn(base, base, 5, exclude_self=True), strict=True):
        np.testing.assert_array_equal(a, b)


def test_self_is_left_out_by_index_so_duplicates_stay():
    base = np.concatenate([np.zeros((40, 4)), np.eye(4)]).astype(np.float32)
    distances, indices = knn(base, base, 3, exclude_self=True)
    assert (indices != np.arange(44)[:, None]).all()
    np.testing.assert_array_equal(distances[:40], 0.0)
    assert (distances[40:, 0] == 1.0).all()


def test_small_distances_far_from_the_origin_are_not_lost():
    # In float32 with |x|^2 about 1e6, a product form of the distance is off by about 0.1 = (0.3)^2.
    random = np.random.default_rng(2)
    base = (1000.0 + random.random((200, 3)) * 0.5).astype(np.float32)
    distances, indices = knn(base, base, 4, exclude_self=True)
    full = _plain(base, base)
    np.fill_diagonal(full, np.inf)
    np.testing.assert_allclose(distances, np.sort(full, axis=1)[:, :4], rtol=1e-14)
    np.testing.assert_array_equal(np.take_along_axis(full, indices, 1), distances)


def test_images_are_flattened():
    images = np.random.default_rng(3).random((20, 1, 4, 4))
    a = knn(images, images, 2)
    b = knn(images.reshape(20, 16), images.reshape(20, 16), 2)
    np.testing.assert_array_equal(a[1], b[1])
    np.testing.assert_array_equal(a[0][:, 0], 0.0)


def test_bad_input():
    x = np.random.default_rng(4).random((5, 2))
    with pytest.raises(InputError, match=r"1\.\.4"):
        knn(x, x, 5, exclude_self=True)
    with pytest.raises(InputError, match=r"1\.\.5"):
        knn(x, x, 6)
    with pytest.raises(InputError, match="differ"):
        knn(x, np.ones((5, 3)), 1)
    with pytest.raises(InputError, match="query = base"):
        knn(x[:3], x, 1, exclude_self=True)
    with pytest.raises(InputError, match="base holds"):
        knn(x, np.where(x == x[2, 1], np.nan, x), 1)


@pytest.mark.parametrize("exclude", [False, True])
def test_many_equally_near_points_are_ordered_by_row(exclude):
    # 60 copies of one point and 150 at one distance: more than the candidates that are asked for first.
    base = np.concatenate([np.zeros((60, 200)), 5 * np.eye(200)[:150]]).astype(np.float32)
    base = base[np.random.default_rng(5).permutation(210)]
    distances, indices = knn(base, base, 80, exclude_self=exclude)
    full = _plain(base, base)
    if exclude:
        np.fill_diagonal(full, np.inf)
    np.testing.assert_array_equal(indices, np.argsort(full, axis=1, kind="stable")[:, :80])
    np.testing.assert_allclose(distances, np.sort(full, axis=1)[:, :80], rtol=1e-12)


def test_small_integers_are_searched_as_they_are():
    random = np.random.default_rng(6)
    base = random.integers(0, 256, (300, 48), dtype=np.uint8)
    search = neighbours.ExactSearch(base)
    assert search.points.dtype == np.uint8
    distances, indices = search.nearest(base[:50], 9)
    full = _plain(base[:50], base)
    np.testing.assert_array_equal(distances, np.sort(full, axis=1)[:, :9])
    np.testing.assert_array_equal(indices, np.argsort(full, axis=1, kind="stable")[:, :9])


def test_near_points_lose_no_digits():
    random = np.random.default_rng(7)
    base = random.standard_normal((100, 500)).astype(np.float32)
    query = base + np.float32(1e-4) * random.standard_normal((100, 500)).astype(np.float32)
    distances, indices = knn(query, base, 3)
    full = _plain(query, base)
    np.testing.assert_array_equal(indices[:, 0], np.arange(100))
    np.testing.assert_allclose(distances, np.sort(full, axis=1)[:, :3], rtol=1e-12)


def test_only_some_rows_are_searched(monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK_BYTES", 4 * 5 * 16)
    monkeypatch.setattr(points, "PART_BYTES", 1)
    random = np.random.default_rng(8)
    base, rows = random.random((120, 5)), np.sort(random.choice(120, 70, replace=False))
    distances, indices = neighbours.ExactSearch(base, rows=rows).nearest(base, 4)
    expected, places = knn(base, base[rows], 4)
    np.testing.assert_array_equal(indices, rows[places])
    np.testing.assert_allclose(distances, expected, rtol=1e-12)


def test_pytorch_finds_the_same_candidates():
    random = np.random.default_rng(9)
    base, query = random.random((400, 30)).astype(np.float32), random.random((60, 30)).astype(np.float32)
    plain = knn(query, base, 6)
    # A device name that is not "cpu" takes PyTorch's way, here on the processor.
    for a, b in zip(plain, knn(query, base, 6, device="cpu:0"), strict=True):
        np.testing.assert_array_equal(a, b)


def test_points_that_float32_cannot_tell_apart_are_in_their_order():
    """Distances that grow by a billionth: their squares in float32 are equal, or in another order."""
    random = np.random.default_rng(10)
    direction = np.linalg.qr(random.standard_normal((20, 20)))[0]
    rank = random.permutation(20)
    base = direction * (1 + 1e-9 * rank)[:, None]
    distances, indices = knn(np.zeros((1, 20)), base, 12)
    np.testing.assert_array_equal(rank[indices[0]], np.arange(12))
    np.testing.assert_allclose(distances[0] - 1, 1e-9 * np.arange(12), atol=1e-14)


@pytest.mark.parametrize("size", [1e20, 1e-20, 1e200, 1e-200])
@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_values_whose_squares_float32_cannot_hold_have_the_same_neighbours(size, shift):
    random = np.random.default_rng(4)
    base, query = random.normal(size=(300, 6)) + shift, random.normal(size=(50, 6)) + shift
    distances, indices = knn(query, base, 5)
    far, found = knn(query * size, base * size, 5)
    np.testing.assert_array_equal(found, indices)
    np.testing.assert_allclose(far / size, distances, rtol=1e-12)
    distances, indices = knn(base, base, 5, exclude_self=True)
    far, found = knn(base * size, base * size, 5, exclude_self=True)
    np.testing.assert_array_equal(found, indices)
    np.testing.assert_allclose(far / size, distances, rtol=1e-12)


def test_queries_on_another_scale_than_the_points_are_named():
    base = np.random.default_rng(5).normal(size=(30, 6))
    with pytest.raises(InputError, match=r"query holds values of the size .e\+20, base none above"):
        knn(base * 1e20, base, 5)
