"""Label files, merging, classes of samples, planted labels."""

import re

import numpy as np
import pandas as pd
import pytest

from mmh import labels
from mmh.errors import InputError

HEADER = "sample,train,label,rater,time\n"


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def match_table(pairs, metric="calibrated_l2"):
    rows = [(s, metric, r, t, 1.0, 1.0) for s, t, r in pairs]
    return pd.DataFrame(rows, columns=["sample", "metric", "rank", "train", "distance", "score"])


def test_reads_a_file_with_marks_blank_lines_and_other_order(tmp_path):
    text = (
        "\ufefflabel,sample,train,rater,time\r\nexact,3,7,ann,2025-03-01T12:30:00\r\n\r\nunsure,4,7,ann,\r\n"
    )
    table = labels.read_label_file(write(tmp_path / "a.csv", text))
    assert table[["sample", "train", "label", "rater", "line"]].to_numpy().tolist() == [
        [3, 7, "exact", "ann", 2],
        [4, 7, "unsure", "ann", 4],
    ]
    assert table["sample"].dtype == np.int64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "a.csv: empty; expected a header sample,train,label,rater,time"),
        (HEADER, "a.csv: no rows below the header"),
        (
            HEADER.replace("rater", "who") + "1,2,exact,a,\n",
            "line 1: unknown column 'who'; column 'rater' is missing",
        ),
        ("sample,sample,train,label,rater,time\n1,1,2,exact,a,\n", "column 'sample' occurs twice"),
        (HEADER + "1,2,exact\n", "line 2: 3 cells, expected 5"),
        (HEADER + "1.0,2,exact,a,\n", "line 2: sample is '1.0', expected an id"),
        (HEADER + "-1,2,exact,a,\n", "line 2: sample is '-1', expected an id"),
        (HEADER + "1,,exact,a,\n", "line 2: train is '', expected an id"),
        (
            HEADER + "1,2,Exact,a,\n",
            "unknown label 'Exact', expected one of exact, reconstructive, unsure, not_mem",
        ),
        (HEADER + "1,2,exact,,\n", "line 2: rater is empty"),
        (HEADER + "1,2,exact,a,yesterday\n", "line 2: time is 'yesterday', expected ISO 8601"),
        (
            HEADER + "1,2,exact,a,\n1,2,unsure,a,\n",
            "line 3: sample 1, train 2, rater 'a' is on line 2 already",
        ),
        (HEADER.encode() + b"1,2,exact,\xff,\n", "line 2: not UTF-8"),
        (HEADER + '1,2,exact,"a,\n', "not CSV"),
    ],
)
def test_faults_are_named_with_file_and_line(tmp_path, text, message):
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        labels.read_label_file(write(tmp_path / "a.csv", text))
    assert "a.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_faults_are_listed_at_once(tmp_path):
    text = HEADER + "x,y,exact,a,\n1,2,maybe,a,\n3,4,exact,a,\n"
    with pytest.raises(InputError) as caught:
        labels.read_label_file(write(tmp_path / "a.csv", text))
    for part in ("line 2: sample is 'x'", "line 2: train is 'y'", "line 3: unknown label 'maybe'"):
        assert part in str(caught.value)
    assert "line 4" not in str(caught.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv: cannot be read"):
        labels.read_label_file(tmp_path / "none.csv")


def test_merge_takes_the_majority_and_ties_are_unsure(tmp_path):
    rows = ["1,5,exact,a,", "2,5,exact,a,", "3,5,not_memorized,a,", "1,6,not_memorized,a,"]
    more = ["1,5,exact,b,", "1,5,unsure,c,", "2,5,reconstructive,b,"]
    files = [
        labels.read_label_file(write(tmp_path / f"{k}.csv", HEADER + "\n".join(part)))
        for k, part in enumerate((rows, more))
    ]
    matches = match_table([(1, 5, 1), (1, 6, 2), (2, 5, 1), (3, 5, 1)])
    merged = labels.merge_labels(files, samples=[1, 2, 3], matches=matches, source="people")
    assert merged.to_numpy().tolist() == [
        [1, 5, "exact", 3, "people"],
        [1, 6, "not_memorized", 1, "people"],
        [2, 5, "unsure", 2, "people"],
        [3, 5, "not_memorized", 1, "people"],
    ]
    assert list(merged.columns) == ["sample", "train", "label", "raters", "source"]
    again = labels.merge_labels(files[::-1], samples=[1, 2, 3], matches=matches, source="people")
    pd.testing.assert_frame_equal(merged, again)


def test_merge_names_unknown_samples_pairs_and_repeats(tmp_path):
    first = labels.read_label_file(
        write(tmp_path / "a.csv", HEADER + "9,5,exact,a,\n1,8,exact,a,\n1,5,exact,a,\n")
    )
    second = labels.read_label_file(write(tmp_path / "b.csv", HEADER + "1,5,unsure,a,\n"))
    with pytest.raises(InputError) as caught:
        labels.merge_labels([first, second], samples=[1], matches=match_table([(1, 5, 1)]), source="people")
    text = str(caught.value)
    assert "a.csv, line 2: unknown sample 9" in text
    assert "a.csv, line 3: training image 8 is no match of sample 1" in text
    assert re.search(r"b\.csv, line 2: sample 1, train 5, rater 'a' is in \S*a\.csv, line 4 already", text)


def test_merge_of_no_files_is_an_empty_table():
    merged = labels.merge_labels([], samples=[], matches=match_table([]), source="people")
    assert merged.empty
    assert list(merged.columns) == ["sample", "train", "label", "raters", "source"]


def test_sample_class_is_the_most_severe_and_names_its_pair():
    table = pd.DataFrame(
        [
            (1, 3, "not_memorized"),
            (1, 9, "reconstructive"),
            (2, 4, "exact"),
            (2, 8, "exact"),
            (3, 4, "not_memorized"),
            (3, 7, "unsure"),
            (4, 6, "exact"),
            (4, 5, "exact"),
        ],
        columns=["sample", "train", "label"],
    )
    matches = pd.concat([match_table([(2, 8, 1), (2, 4, 2)]), match_table([(4, 6, 1)], metric="sscd")])
    expected = [[1, "reconstructive", 9], [2, "exact", 8], [3, "unsure", 7], [4, "exact", 5]]
    assert labels.sample_classes(table, matches).to_numpy().tolist() == expected
    assert labels.sample_classes(table.iloc[::-1], matches).to_numpy().tolist() == expected
    assert labels.sample_classes(table)["train"].tolist() == [9, 4, 7, 5]


@pytest.fixture
def world():
    """Image 0 ordinary, 1 and 2 duplicates, 3..8 a family that is free in its first two pixels."""
    rng = np.random.default_rng(0)
    train = np.zeros((9, 1, 2, 4), dtype=np.float32)
    train[0] = 3
    train[1:3] = -3
    train[3:, 0, 0, :2] = rng.uniform(-1, 1, (6, 2))
    table = pd.DataFrame(
        {
            "train": np.arange(9),
            "population": ["ordinary"] + ["duplicate"] * 2 + ["template"] * 6,
            "group": [0, 1, 1] + [3] * 6,
        }
    )
    return train, table


def planted(world, samples, pairs):
    train, table = world
    matches = match_table([(s, t, 1) for s, t in pairs])
    found = labels.plant_labels(
        np.stack(samples),
        np.arange(10, 10 + len(samples)),
        train,
        table,
        matches,
        exact_distance=0.5,
        not_distance=2,
    )
    assert list(found.columns) == ["sample", "train", "label", "rater", "time"]
    return found["label"].tolist()


def test_planted_labels_by_distance(world):
    train, _ = world
    near, between, far = (train[0] + np.float32(d / np.sqrt(8)) for d in (0.49, 1.0, 2.1))
    assert planted(world, [near, between, far], [(10, 0), (11, 0), (12, 0)]) == [
        "exact",
        "unsure",
        "not_memorized",
    ]


def test_the_free_patch_does_not_count(world):
    train, _ = world
    free, spoiled = train[3].copy(), train[3].copy()
    free[0, 0, :2] = 50  # far from every variant, on the family's base
    spoiled[0, 1, 3] += 0.6  # on the variant's patch, off the base
    result = planted(world, [free, spoiled, train[4]], [(10, 3), (11, 3), (12, 4)])
    assert result == ["reconstructive", "unsure", "reconstructive"]


def test_planted_file_reads_back(world, tmp_path):
    train, table = world
    matches = match_table([(10, 1, 1), (10, 0, 2)])
    found = labels.plant_labels(
        train[1:2], np.array([10]), train, table, matches, exact_distance=0.5, not_distance=2
    )
    found.to_csv(tmp_path / "planted.csv", index=False)
    read = labels.read_label_file(tmp_path / "planted.csv")
    merged = labels.merge_labels([read], samples=[10], matches=matches, source="planted")
    assert labels.sample_classes(merged).to_numpy().tolist() == [[10, "exact", 1]]


def test_planted_errors(world):
    train, table = world
    for options, text in (
        ({"exact_distance": 2, "not_distance": 1}, "0 < exact_distance <= not_distance"),
        ({"exact_distance": 1, "not_distance": 2}, "matches name sample 4, which does not exist"),
    ):
        with pytest.raises(InputError, match=text):
            labels.plant_labels(train[:1], np.array([0]), train, table, match_table([(4, 0, 1)]), **options)
