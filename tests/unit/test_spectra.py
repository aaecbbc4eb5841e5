"""Pooled thresholds and counts."""

import numpy as np
import pytest

from mmh.errors import InputError
from mmh.lid import count_above, count_below, pooled_threshold


def test_the_pool_decides_the_mean_count_but_not_each_count():
    random = np.random.default_rng(0)
    spectra = np.sort(random.random((200, 50)) * random.uniform(0.1, 3, (200, 1)))[:, ::-1]
    tau = pooled_threshold(spectra, 10)
    counts = count_below(spectra, tau)
    assert counts.dtype == np.int64
    assert counts.mean() == pytest.approx(5.0, abs=1 / 200)
    assert counts.std() > 1
    np.testing.assert_array_equal(counts + count_above(spectra, tau), 50)


def test_a_value_at_the_threshold_counts_as_below():
    spectra = np.array([[3.0, 2.0, 2.0, 1.0]])
    assert count_below(spectra, 2.0) == [3]
    assert count_above(spectra, 2.0) == [1]


def test_linear_interpolation():
    assert pooled_threshold(np.arange(11.0)[None], 25) == 2.5


@pytest.mark.parametrize("percentile", [0, 100, -1, 101, float("nan")])
def test_percentile_range(percentile):
    with pytest.raises(InputError, match="percentile"):
        pooled_threshold(np.ones((2, 2)), percentile)


def test_bad_spectra():
    with pytest.raises(InputError, match="finite"):
        pooled_threshold(np.array([[1.0, np.nan]]))
    with pytest.raises(InputError, match="finite"):
        pooled_threshold(np.empty((0, 4)))
    with pytest.raises(InputError, match="NaN"):
        count_below(np.array([[np.nan]]), 1.0)
    with pytest.raises(InputError, match="shape"):
        count_above(np.ones(3), 1.0)
