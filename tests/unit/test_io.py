"""Tables and arrays: what is written is checked, and what cannot be read is named."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmh.errors import InputError
from mmh.io import arrays, image_shards, table_files
from mmh.io.tables import SCORES


def scores(**changes: object) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "item": [0, 1],
            "estimator": "flipd",
            "t": 0.1,
            "index": 100,
            "sigma": 0.2,
            "value": [1.0, 2.0],
            "stderr": None,
            "probes": None,
            "seed": 0,
            "dtype": "float32",
        }
    )
    return table.assign(**changes)


def test_a_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    table_files.write_table(scores(), path, SCORES)
    back = table_files.read_table(path, SCORES)
    assert back["value"].tolist() == [1.0, 2.0]
    assert back["stderr"].isna().all()
    assert list(back.columns) == list(SCORES.columns)


def test_equal_tables_have_equal_bytes(tmp_path: Path) -> None:
    table_files.write_table(scores(), tmp_path / "a.parquet", SCORES)
    table_files.write_table(scores(), tmp_path / "b.parquet", SCORES)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_refused_by_item(tmp_path: Path, bad: float) -> None:
    path = tmp_path / "scores.parquet"
    with pytest.raises(InputError, match="value"):
        table_files.write_table(scores(value=[1.0, bad]), path, SCORES)
    assert list(tmp_path.iterdir()) == []


def test_missing_value_names_the_item(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="first at item 1"):
        table_files.write_table(scores(value=[1.0, np.nan]), tmp_path / "scores.parquet", SCORES)


def test_other_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a scores table has columns"):
        table_files.write_table(
            scores().rename(columns={"value": "lid"}), tmp_path / "scores.parquet", SCORES
        )


@pytest.mark.parametrize("keep", [0, 10, 0.5, -1])
def test_a_truncated_table_is_named_with_its_remedy(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "scores.parquet"
    table_files.write_table(scores(), path, SCORES)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep) if 0 < keep < 1 else int(keep)])
    with pytest.raises(
        InputError, match=r"scores\.parquet: cannot be read as a Parquet table.*delete it and run again"
    ):
        table_files.read_table(path, SCORES)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        table_files.read_table(tmp_path / "scores.parquet", SCORES)


@pytest.mark.parametrize("keep", [0, 30, 0.5, -1])
def test_a_truncated_image_shard_is_named_with_its_remedy(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "000000-000001.npz"
    arrays.write_arrays(path, x=np.zeros((2, 1, 8, 8), np.float32), id=np.arange(2))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep) if 0 < keep < 1 else int(keep)])
    with pytest.raises(InputError, match=r"000000-000001\.npz: cannot be read .*delete it and run again"):
        image_shards.read_images(path)


def test_images_come_in_the_order_of_the_wanted_ids(tmp_path: Path) -> None:
    x = np.arange(6, dtype=np.float32).reshape(6, 1)
    arrays.write_arrays(tmp_path / "b.npz", x=x[3:], id=np.arange(3, 6))
    arrays.write_arrays(tmp_path / "a.npz", x=x[:3], id=np.arange(3))
    shards = [tmp_path / "b.npz", tmp_path / "a.npz"]
    got, ids = image_shards.read_images(shards, np.array([4, 0]))
    assert got.ravel().tolist() == [4.0, 0.0]
    assert ids.tolist() == [4, 0]
    assert image_shards.read_images(shards)[1].tolist() == list(range(6))
    with pytest.raises(InputError, match="holds no id 9"):
        image_shards.read_images(shards, np.array([9]))


def test_eight_bit_images_are_mapped_to_the_unit_range(tmp_path: Path) -> None:
    arrays.write_arrays(tmp_path / "a.npz", image=np.array([[[[0]], [[255]]]], np.uint8), id=np.arange(1))
    x, _ = image_shards.read_images(tmp_path / "a.npz")
    assert x.ravel().tolist() == [-1.0, 1.0]


def test_repeated_ids_are_refused(tmp_path: Path) -> None:
    arrays.write_arrays(tmp_path / "a.npz", x=np.zeros((2, 1), np.float32), id=np.zeros(2, np.int64))
    with pytest.raises(InputError, match="occurs twice"):
        image_shards.read_images(tmp_path / "a.npz")


def test_arrays_that_are_not_finite_name_the_id(tmp_path: Path) -> None:
    x = np.zeros((2, 3), np.float32)
    x[1, 2] = np.nan
    with pytest.raises(InputError, match="first at id 8"):
        arrays.write_arrays(tmp_path / "a.npz", x=x, id=np.array([7, 8]))
    assert list(tmp_path.iterdir()) == []


def test_a_span_of_chosen_samples_counts_places(tmp_path):
    x = np.arange(12, dtype=np.float32).reshape(4, 1, 1, 3) / 12
    arrays.write_arrays(tmp_path / "chosen.npz", x=x, id=np.array([40, 7, 19, 23]))
    pixels, ids = image_shards.read_span(tmp_path / "chosen.npz", "000001-000002", "selected")
    assert ids.tolist() == [19, 23]
    np.testing.assert_array_equal(pixels, x[[2, 3]])
    pixels, ids = image_shards.read_span([tmp_path / "chosen.npz"], "000007-000007", "samples")
    assert ids.tolist() == [7]
    np.testing.assert_array_equal(pixels, x[[1]])


def test_a_column_comes_in_the_order_asked_over_all_shards(tmp_path):
    for name, ids in (("a", [3, 1]), ("b", [2, 0])):
        held = {"x": np.zeros((2, 1)), "id": np.array(ids), "class": np.array(ids) * 10}
        arrays.write_arrays(tmp_path / f"{name}.npz", **held)
    shards = [tmp_path / "a.npz", tmp_path / "b.npz"]
    assert image_shards.read_column(shards, "class", np.array([2, 1, 3])).tolist() == [20, 10, 30]
    assert image_shards.read_column(shards, "z", np.array([2])) is None
    with pytest.raises(InputError, match="'class' holds no id 9"):
        image_shards.read_column(shards, "class", np.array([9]))
