"""Pooled thresholds and counts."""

import numpy as np
import pandas as pd
import pytest

from mmh.errors import InputError
from mmh.io.arrays import write_arrays
from mmh.io.table_files import write_table
from mmh.io.tables import CANDIDATES
from mmh.lid import count_above, count_below, pooled_threshold
from mmh.scores.base import SCORES
from mmh.scores.steps import count_spectra


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


SPECTRA = np.array([[9.0, 8, 7, 1], [9, 5, 2, 1], [3, 2, 1, 1], [9, 9, 9, 9], [4, 4, 4, 0]])


@pytest.mark.parametrize(("method", "above"), [("jacobian", True), ("normal-bundle", False)])
@pytest.mark.parametrize("listed", [False, True])
def test_spectra_are_counted_on_the_side_of_their_estimator(method, above, listed, tmp_path):
    """A generator stretches along the manifold, a score points away from it; candidates are not of the pool."""
    ids, cut = np.array([7, 3, 4, 12, 5]), 2
    once = {} if above else {"index": np.array([3]), "sigma": np.array([0.5])}
    for name, rows in (("a", slice(0, cut)), ("b", slice(cut, None))):
        beside = {} if above else {"left_out": np.repeat(SPECTRA[rows][:, None], 2, axis=1)}
        write_arrays(tmp_path / f"{name}.npz", spectrum=SPECTRA[rows], id=ids[rows], **beside, **once)
    files = [tmp_path / "a.npz", tmp_path / "b.npz"]
    candidates = pd.DataFrame(
        {"sample": [12], "metric": ["sscd"], "place": [1], "train": [0], "score": [0.1]}
    ).astype({"place": np.int32})
    write_table(candidates, tmp_path / "candidates.parquet", CANDIDATES)
    options = {
        "percentile": 40,
        **({"chunk": 1} if above else {"t": 0.1, "copies": 8, "groups": 2, "batch_size": 4}),
    }
    record = {}
    table = count_spectra(
        SCORES[method],
        files,
        tmp_path / "candidates.parquet" if listed else [],
        "mine",
        options=options,
        seed=0,
        record=record,
    )
    pool = np.sort(SPECTRA[ids != 12] if listed else SPECTRA, axis=None)
    place = 0.4 * (len(pool) - 1)
    low = pool[int(place)]
    threshold = low + (place - int(place)) * (pool[int(place) + 1] - low)
    assert record["threshold"] == pytest.approx(threshold)
    assert record["pool_values"] == len(pool)
    expected = [sum((v > threshold) == above for v in spectrum) for spectrum in SPECTRA]
    assert table["item"].tolist() == ids.tolist()
    assert table["value"].tolist() == expected
