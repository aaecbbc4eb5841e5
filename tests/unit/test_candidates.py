"""Candidates by rank, the seeded selection beside them, and collecting their rows shard by shard."""

import list_candidates
import numpy as np
import pandas as pd
import pytest

from mmh.errors import InputError
from mmh.io.arrays import read_arrays, write_arrays
from mmh.io.table_files import read_table, write_table
from mmh.io.tables import CANDIDATES, MATCHES
from mmh.retrieval.candidates import candidates, gather, selection


def matches(n=30, seed=0):
    """Three ranks per sample and metric, samples in no order, scores with ties."""
    rng = np.random.default_rng(seed)
    parts = []
    for metric in ("sscd", "calibrated_l2"):
        first = np.round(rng.uniform(size=n), 1)
        for rank in (1, 2, 3):
            rows = {"sample": np.arange(n), "metric": metric, "rank": np.int32(rank)}
            train = rng.integers(0, 99, n)
            parts.append(pd.DataFrame({**rows, "train": train, "distance": first, "score": first / rank}))
    table = pd.concat(parts)
    return table.iloc[rng.permutation(len(table))].reset_index(drop=True)


class TestCandidates:
    def test_agrees_with_sorting_by_hand(self):
        table = matches()
        found = candidates(table, 7)
        assert list(found.columns) == ["sample", "metric", "place", "train", "score"]
        assert found["place"].dtype == np.int32
        for metric in ("sscd", "calibrated_l2"):
            rows = table[(table["metric"] == metric) & (table["rank"] == 1)]
            wanted = sorted(zip(rows["score"], rows["sample"], rows["train"], strict=True))[:7]
            mine = found[found["metric"] == metric]
            assert list(zip(mine["score"], mine["sample"], mine["train"], strict=True)) == wanted
            assert mine["place"].tolist() == [1, 2, 3, 4, 5, 6, 7]

    def test_lower_ranks_do_not_count(self):
        table = matches()
        table.loc[table["rank"] > 1, "score"] = -1.0
        assert (candidates(table, 5)["score"] >= 0).all()

    def test_more_than_there_are_samples(self):
        with pytest.raises(InputError, match=r"candidates.top is 31, .* fewer samples: 30 by"):
            candidates(matches(), 31)
        with pytest.raises(InputError, match="must be positive, it is 0"):
            candidates(matches(), 0)


class TestSelection:
    def test_candidates_and_exactly_as_many_as_asked_for(self):
        listed = candidates(matches(), 5)
        chosen = selection(listed, np.arange(30), 20, 0)
        assert chosen.dtype == np.int64
        assert len(chosen) == len(set(chosen)) == 20
        assert (np.diff(chosen) > 0).all()
        assert set(listed["sample"]) <= set(chosen) <= set(range(30))

    def test_order_of_samples_does_not_matter_and_the_seed_does(self):
        listed = candidates(matches(), 3)
        ids = np.random.default_rng(1).permutation(30)
        np.testing.assert_array_equal(selection(listed, ids, 15, 0), selection(listed, np.arange(30), 15, 0))
        draws = {tuple(selection(listed, ids, 15, seed)) for seed in range(5)}
        assert len(draws) > 1

    def test_a_larger_total_and_a_smaller_top_keep_what_was_drawn(self):
        large, small = candidates(matches(), 6), candidates(matches(), 2)
        base = set(selection(large, np.arange(30), 18, 0))
        assert base <= set(selection(large, np.arange(30), 25, 0))
        assert base - set(large["sample"]) <= set(selection(small, np.arange(30), 18, 0))

    def test_others_are_drawn_evenly(self):
        listed = candidates(matches(), 1)
        others = np.setdiff1d(np.arange(30), listed["sample"])
        size = listed["sample"].nunique() + 10
        drawn = np.concatenate([selection(listed, np.arange(30), size, seed) for seed in range(400)])
        share = np.bincount(drawn, minlength=30)[others] / 400
        expected = 10 / len(others)
        assert np.abs(share - expected).max() < 5 * np.sqrt(expected * (1 - expected) / 400)

    def test_impossible_totals(self):
        listed = candidates(matches(), 5)
        n = listed["sample"].nunique()
        with pytest.raises(InputError, match=rf"total is {n - 1}, but there are {n} candidates"):
            selection(listed, np.arange(30), n - 1, 0)
        with pytest.raises(InputError, match="total is 31, but there are 30 samples"):
            selection(listed, np.arange(30), 31, 0)


def shards(folder, sizes=(8, 12, 10), **extra):
    """Shards whose arrays follow from the id; ids are shuffled within a shard."""
    paths, start = [], 0
    for size in sizes:
        ids = np.random.default_rng(start).permutation(np.arange(start, start + size))
        arrays = {name: make(ids) for name, make in extra.items()}
        paths.append(folder / f"{start}.npz")
        x = np.float32(ids)[:, None, None, None] * np.ones((1, 3, 2, 2), np.float32)
        write_arrays(paths[-1], x=x, id=ids, seed=np.uint64(ids), **arrays)
        start += size
    return paths


class TestGather:
    def test_rows_and_dtypes(self, tmp_path):
        paths = shards(tmp_path, z=lambda i: np.float32(i)[:, None] / 7, **{"class": lambda i: i % 10})
        ids = np.array([0, 7, 8, 19, 29])
        found = gather(paths, ids)
        assert sorted(found) == ["class", "id", "seed", "x", "z"]
        np.testing.assert_array_equal(found["id"], ids)
        np.testing.assert_array_equal(found["x"][:, 2, 1, 1], ids)
        np.testing.assert_array_equal(found["class"], ids % 10)
        np.testing.assert_array_equal(found["z"][:, 0], np.float32(ids) / 7)
        assert (found["x"].dtype, found["seed"].dtype) == (np.float32, np.uint64)

    def test_the_cut_into_shards_does_not_matter(self, tmp_path):
        ids = np.array([3, 11, 12, 28])
        found = []
        for sizes in ((30,), (8, 12, 10), (12, 18)):
            folder = tmp_path / str(len(sizes) + sizes[0])
            folder.mkdir()
            found.append(gather(shards(folder, sizes)[::-1], ids))
        for name in found[0]:
            for other in found[1:]:
                np.testing.assert_array_equal(found[0][name], other[name])

    def test_faults_are_named(self, tmp_path):
        paths = shards(tmp_path)
        with pytest.raises(InputError, match=r"0.npz.*nor another holds id 30"):
            gather(paths, np.array([3, 30]))
        with pytest.raises(InputError, match="id 3 occurs twice"):
            gather([*paths, paths[0]], np.array([3]))
        write_arrays(tmp_path / "other.npz", x=np.zeros((1, 3, 2, 2)), id=np.array([40]))
        with pytest.raises(InputError, match=r"other.npz: holds the arrays \['id', 'x'\], the shards before"):
            gather([*paths, tmp_path / "other.npz"], np.array([3, 40]))
        write_arrays(tmp_path / "short.npz", x=np.zeros((1, 3, 2, 2)), id=np.array([50, 51]))
        with pytest.raises(InputError, match=r"short.npz: 1 rows of 'x' but 2 ids"):
            gather([tmp_path / "short.npz"], np.array([50]))

    def test_one_shard_at_a_time(self, tmp_path):
        """What is held is one shard and the chosen rows, not all shards."""
        import tracemalloc

        paths = []
        for k in range(8):
            paths.append(tmp_path / f"{k}.npz")
            write_arrays(paths[-1], x=np.zeros((50, 3, 64, 64), np.float32), id=np.arange(50) + 50 * k)
        one = 50 * 3 * 64 * 64 * 4
        tracemalloc.start()
        gather(paths, np.arange(0, 400, 50))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2.5 * one


def test_script_writes_both_files(tmp_path):
    paths = shards(tmp_path, z=lambda i: np.float32(i)[:, None], **{"class": lambda i: i % 10})
    table = matches().sort_values(["sample", "metric", "rank"])
    write_table(table, tmp_path / "matches.parquet", MATCHES)
    record = {}
    outputs = []
    for name, order in (("a", paths), ("b", paths[::-1])):
        out, selected = tmp_path / f"{name}.parquet", tmp_path / f"{name}_selected.npz"
        list_candidates.main(
            tmp_path / "matches.parquet",
            order,
            out,
            selected,
            options={"top": 4, "total": 16},
            calibration=2,
            seed=3,
            record=record,
        )
        outputs.append((out.read_bytes(), selected.read_bytes()))
    assert outputs[0] == outputs[1]
    listed = read_table(tmp_path / "a.parquet", CANDIDATES)
    assert len(listed) == 8
    x, ids, z, label, seed = read_arrays(tmp_path / "a_selected.npz", "x", "id", "z", "class", "seed")
    assert ids.min() >= 2  # the first two chose t0
    np.testing.assert_array_equal(ids, selection(listed, np.arange(2, 30), 16, 3))
    np.testing.assert_array_equal(x[:, 0, 0, 0], ids)
    np.testing.assert_array_equal(z[:, 0], ids)
    np.testing.assert_array_equal(label, ids % 10)
    np.testing.assert_array_equal(seed, ids)
    assert record == {"candidates": listed["sample"].nunique(), "selected": 16}
