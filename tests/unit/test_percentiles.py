"""The sweep over percentiles against the evaluation of a single threshold, and the log-volume."""

import numpy as np
import pandas as pd
import pytest
import sweep_percentiles

from mmh.errors import InputError
from mmh.evaluation.percentiles import COLUMNS, log_volume, sweep
from mmh.evaluation.samples import evaluate
from mmh.io.arrays import write_arrays
from mmh.io.table_files import write_table
from mmh.io.tables import LABELS, MATCHES, TRAIN
from mmh.lid.spectra import count_above, pooled_threshold

LEVELS = [1, 5, 10, 50, 90]


def world(n=120, d=12, seed=0):
    """Spectra of n samples, of which every third is exact and every third reconstructive, in 40 clusters."""
    rng = np.random.default_rng(seed)
    label = np.array(["exact", "reconstructive", "not_memorized"])[np.arange(n) % 3]
    scale = np.select([label == "exact", label == "reconstructive"], [0.4, 0.7], 1.0)[:, None]
    spectra = -np.sort(-scale * rng.exponential(size=(n, d)), axis=1)
    spectra[:, -1] = 1e-9
    table = pd.DataFrame({"sample": np.arange(n), "label": label, "cluster": rng.integers(0, 40, n)})
    return spectra, np.arange(n), table


def run(spectra, ids, table, **options):
    return sweep(
        spectra,
        ids,
        table,
        **{"estimator": "jacobian", "side": "above", "percentiles": LEVELS, **options},
    )


def area(low, high):
    """P(low < high) + P(low = high) / 2, by comparing all pairs."""
    difference = np.asarray(high)[None, :] - np.asarray(low)[:, None]
    return (difference > 0).mean() + (difference == 0).mean() / 2


class TestSweep:
    def test_areas_and_medians_by_counting(self):
        spectra, ids, table = world()
        rows = run(spectra, ids, table).set_index(["estimator", "contrast", "percentile"])
        label = table["label"].to_numpy()
        for percentile in LEVELS:
            threshold = np.percentile(spectra, percentile)
            lid = (spectra > threshold).sum(axis=1)
            for contrast in ("exact", "reconstructive"):
                row = rows.loc[("jacobian", contrast, percentile)]
                mine, others = lid[label == contrast], lid[label == "not_memorized"]
                assert row["threshold"] == pytest.approx(threshold, rel=1e-12)
                assert row["auc"] == pytest.approx(area(mine, others), abs=1e-12)
                assert row["median_positive"] == np.median(mine)
                assert row["median_negative"] == np.median(others)
                assert (row["n_positive"], row["n_negative"]) == (40, 40)
                assert row["auc_low"] <= row["auc"] <= row["auc_high"]

    def test_one_percentile_is_the_row_of_the_evaluation(self):
        spectra, ids, table = world()
        lid = count_above(spectra, pooled_threshold(spectra, 10)).astype(float)
        scores = pd.DataFrame({"items": "samples", "item": ids, "estimator": "jacobian", "value": lid})
        labels = pd.DataFrame({"sample": ids, "train": ids, "label": table["label"]})
        train = pd.DataFrame({"train": ids, "group": table["cluster"]})
        best = pd.DataFrame({"sample": ids, "metric": "sscd", "rank": 1, "train": ids, "score": 0.0})
        wanted = evaluate(scores, labels, best, train, estimators=["jacobian"])
        found = run(spectra, ids, table)
        found = found[found["percentile"] == 10].reset_index(drop=True)
        names = ["contrast", "n_positive", "n_negative", "n_clusters", "unit", "auc", "auc_low", "auc_high"]
        pd.testing.assert_frame_equal(found[names], wanted[names])

    def test_log_volume_is_the_last_row_without_threshold(self):
        spectra, ids, table = world()
        found = run(spectra, ids, table)
        last = found.groupby("contrast", sort=False).tail(1)
        assert last["estimator"].tolist() == ["jacobian_log_volume"] * 3
        assert last[["percentile", "threshold"]].isna().all(axis=None)
        volume = np.log(spectra[:, :-1]).sum(axis=1)
        memorized = (table["label"] != "not_memorized").to_numpy()
        row = last[last["contrast"] == "memorized"].iloc[0]
        assert row["auc"] == pytest.approx(area(volume[memorized], volume[~memorized]), abs=1e-12)
        assert row["median_positive"] == pytest.approx(np.median(volume[memorized]), rel=1e-12)

    def test_the_smallest_value_is_left_out_for_a_generator_only(self):
        spectra, ids, table = world()
        changed = spectra.copy()
        changed[:, -1] = np.where(table["label"] == "exact", 1e-9, 1e-300)
        volume = run(changed, ids, table).query("estimator == 'jacobian_log_volume'")["auc"]
        before = run(spectra, ids, table).query("estimator == 'jacobian_log_volume'")["auc"]
        np.testing.assert_array_equal(volume, before)
        kept = run(changed, ids, table, structural_zeros=0).query("estimator == 'jacobian_log_volume'")["auc"]
        assert not np.allclose(kept, before)

    def test_below_counts_small_values_and_wants_large_volumes(self):
        spectra, ids, table = world()
        mirrored = 1 / (spectra[:, ::-1] + 0.1)  # descending; large where the others are small
        above = run(spectra + 0.1, ids, table, structural_zeros=0)
        below = run(mirrored, ids, table, side="below", percentiles=[100 - p for p in LEVELS])
        for contrast in ("exact", "reconstructive", "memorized"):
            first, second = (t[t["contrast"] == contrast].reset_index(drop=True) for t in (above, below))
            volumes = [t["auc"].iloc[-1] for t in (first, second)]
            assert volumes[0] == pytest.approx(volumes[1], abs=1e-12)
            # x > t above is 1/x < 1/t below; thresholds agree but for the interpolation between two values.
            np.testing.assert_allclose(first["auc"][:-1], second["auc"][:-1], atol=0.02)

    def test_unlabelled_samples_belong_to_the_pool_only(self):
        spectra, ids, table = world()
        few = table[table["sample"] < 60]
        found = run(spectra, ids, few)
        assert found["n_positive"].max() == 40
        assert found["threshold"].iloc[0] == np.percentile(spectra, LEVELS[0])
        more = pd.concat([few, few.assign(sample=few["sample"] + 1000)])  # labelled, but without spectra
        pd.testing.assert_frame_equal(run(spectra, ids, more), found)

    def test_rows_may_come_in_any_order(self):
        spectra, ids, table = world()
        order = np.random.default_rng(1).permutation(len(ids))
        pd.testing.assert_frame_equal(run(spectra[order], ids[order], table), run(spectra, ids, table))

    def test_nothing_labelled_gives_no_rows(self):
        spectra, ids, table = world()
        found = run(spectra, ids, table.head(0))
        assert found.empty
        assert list(found.columns) == list(COLUMNS)

    def test_bad_options(self):
        spectra, ids, table = world()
        with pytest.raises(InputError, match="side must be one of above, below, it is 'left'"):
            run(spectra, ids, table, side="left")
        with pytest.raises(InputError, match=r"a percentile must lie in \(0, 100\), got 100"):
            run(spectra, ids, table, percentiles=[10, 100])
        with pytest.raises(InputError, match="sample 0 has several spectra of 'jacobian'"):
            run(spectra, np.zeros_like(ids), table)


class TestLogVolume:
    def test_is_the_log_determinant(self):
        matrix = np.random.default_rng(0).standard_normal((9, 5))
        values = np.linalg.svd(matrix, compute_uv=False)[None]
        expected = 0.5 * np.linalg.slogdet(matrix.T @ matrix)[1]
        assert log_volume(values)[0] == pytest.approx(expected, rel=1e-12)

    def test_zeros_stay_finite_and_smallest(self):
        volume = log_volume(np.array([[2.0, 1.0, 0.0], [2.0, 1.0, 1e-10]]))
        assert np.isfinite(volume).all()
        assert volume[0] < volume[1]

    def test_nothing_left(self):
        for values, zeros in ((np.ones((2, 1)), 1), (np.zeros((2, 3)), 0), (np.ones((2, 3)), -1)):
            with pytest.raises(InputError, match="needs positive singular values"):
                log_volume(values, zeros)


def test_script_reads_shards_and_leaves_calibration_out(tmp_path):
    spectra, ids, table = world()
    paths = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for path, part in zip(paths, (slice(0, 70), slice(70, None)), strict=True):
        write_arrays(path, spectrum=spectra[part], id=ids[part])
    n = len(ids)
    files = [tmp_path / f"{name}.parquet" for name in ("labels", "matches", "train")]
    labels = pd.DataFrame(
        {"sample": ids, "train": ids, "label": table["label"], "raters": 1, "source": "planted"}
    )
    best = {"sample": ids, "metric": "sscd", "rank": np.int32(1), "train": ids, "distance": 0.0, "score": 0.0}
    train = {
        "train": ids,
        "source": ids,
        "population": "p",
        "group": table["cluster"],
        "copies": np.ones(n, int),
    }
    write_table(pd.DataFrame(best), files[1], MATCHES)
    write_table(pd.DataFrame(train), files[2], TRAIN)
    for name, rows, first in (("all", labels, 30), ("none", labels.head(0), 0)):
        write_table(rows, files[0], LABELS)
        out = tmp_path / f"{name}.csv"
        sweep_percentiles.main(
            paths,
            *files,
            out,
            estimator="jacobian",
            calibration=first,
            options={"side": "above", "percentiles": LEVELS},
        )
        wanted = run(spectra, ids, table[table["sample"] >= first] if len(rows) else table.head(0))
        found = pd.read_csv(out).fillna({"auc_reason": ""})
        assert list(found.columns) == list(COLUMNS)
        pd.testing.assert_frame_equal(found, wanted, check_dtype=False, rtol=1e-5)
