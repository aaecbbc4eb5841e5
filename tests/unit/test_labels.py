"""Label files, merging, classes of samples, planted labels."""

import csv
import importlib.util
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmh.errors import InputError
from mmh.io.table_files import read_table, write_table
from mmh.io.tables import LABELS, MATCHES, SHEET, VOTES
from mmh.labels import agreement, label_sheet
from mmh.labels import label_files as labels
from mmh.labels.classes import sample_classes
from mmh.labels.label_rows import SHEET_COLUMNS
from mmh.labels.merging import merge_labels
from mmh.labels.planted import plant_labels, planted_distances
from mmh.labels.sheet_pairs import read_disagreements, sheet_hash
from mmh.labels.spreadsheet_cells import guard_cell

SCRIPT = Path(__file__).parents[2] / "workflow" / "scripts" / "import_labels.py"
HEADER = "sample,train,label,rater,time\n"


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def match_table(pairs, metric="calibrated_l2"):
    rows = [(s, metric, r, t, 1.0, 1.0) for s, t, r in pairs]
    return pd.DataFrame(rows, columns=["sample", "metric", "rank", "train", "distance", "score"])


def read(*paths, pairs=None, sheet=None):
    """Read files into votes; any small pair counts as retrieved unless `pairs` says which are."""
    pairs = [(s, t) for s in range(10) for t in range(10)] if pairs is None else pairs
    matches = match_table([(*pair, 1) for pair in pairs])
    return labels.read_label_files(paths, matches=matches, sheet=sheet)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_line_in_which_excel_names_its_separator_is_passed_over(tmp_path, separator, end):
    lines = [f"sep={separator}", "sample,train,label,rater,time", "3,7,exact,ann,", "4,x,unsure,ann,"]
    text = end.join([lines[0], *(line.replace(",", separator) for line in lines[1:3])]) + end
    table, _ = read(write(tmp_path / "a.csv", "\ufeff" + text))
    assert table[["sample", "label", "line"]].to_numpy().tolist() == [[3, "exact", 3]]
    with pytest.raises(InputError, match=r"a.csv, line 4: train is 'x', expected an id"):
        read(write(tmp_path / "a.csv", text + lines[3].replace(",", separator) + end))


def test_reads_a_file_with_marks_blank_lines_and_other_order(tmp_path):
    text = (
        "\ufefflabel,sample,train,rater,time\r\nexact,3,7,ann,2025-03-01T12:30:00\r\n\r\nunsure,4,7,ann,\r\n"
    )
    table, passed_over = read(write(tmp_path / "a.csv", text))
    assert table[["sample", "train", "label", "rater", "line"]].to_numpy().tolist() == [
        [3, 7, "exact", "ann", 2],
        [4, 7, "unsure", "ann", 4],
    ]
    assert table["sample"].dtype == np.int64
    assert list(table) == list(labels.VOTES)
    assert table[["pair", "blind", "round"]].to_numpy().tolist() == [["", "", 1]] * 2
    assert passed_over == 0


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
        read(write(tmp_path / "a.csv", text))
    assert "a.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_faults_are_listed_at_once(tmp_path):
    text = HEADER + "x,y,exact,a,\n1,2,maybe,a,\n3,4,exact,a,\n"
    with pytest.raises(InputError) as caught:
        read(write(tmp_path / "a.csv", text))
    for part in ("line 2: sample is 'x'", "line 2: train is 'y'", "line 3: unknown label 'maybe'"):
        assert part in str(caught.value)
    assert "line 4" not in str(caught.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv: cannot be read"):
        read(tmp_path / "none.csv")


def test_merge_takes_the_majority_and_ties_are_unsure(tmp_path):
    rows = ["1,5,exact,a,", "2,5,exact,a,", "3,5,not_memorized,a,", "1,6,not_memorized,a,"]
    more = ["1,5,exact,b,", "1,5,unsure,c,", "2,5,reconstructive,b,"]
    files = [
        write(tmp_path / f"{k}.csv", HEADER + "\n".join(part) + "\n") for k, part in enumerate((rows, more))
    ]
    votes, _ = read(*files)
    merged = merge_labels(votes, source="people")
    assert merged.to_numpy().tolist() == [
        [1, 5, "exact", 3, "people"],
        [1, 6, "not_memorized", 1, "people"],
        [2, 5, "unsure", 2, "people"],
        [3, 5, "not_memorized", 1, "people"],
    ]
    assert list(merged.columns) == ["sample", "train", "label", "raters", "source"]
    pd.testing.assert_frame_equal(votes, read(*files[::-1])[0])


def test_merge_names_unknown_samples_pairs_and_repeats(tmp_path):
    first = write(tmp_path / "a.csv", HEADER + "9,5,exact,a,\n1,8,exact,a,\n1,5,exact,a,\n")
    second = write(tmp_path / "b.csv", HEADER + "1,5,unsure,a,\n")
    with pytest.raises(InputError) as caught:
        read(first, second, pairs=[(1, 5)])
    text = str(caught.value)
    assert "a.csv, line 2: unknown sample 9" in text
    assert "a.csv, line 3: training image 8 is no match of sample 1" in text
    assert re.search(r"b\.csv, line 2: sample 1, train 5, rater 'a' is in \S*a\.csv, line 4 already", text)


def test_merge_of_no_files_is_an_empty_table():
    votes, passed_over = read()
    assert votes.empty
    assert passed_over == 0
    merged = merge_labels(votes, source="people")
    assert merged.empty
    assert list(merged.columns) == ["sample", "train", "label", "raters", "source"]
    assert agreement.agreement_table(votes).empty
    assert agreement.disagreements(votes).empty


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
    assert sample_classes(table, matches).to_numpy().tolist() == expected
    assert sample_classes(table.iloc[::-1], matches).to_numpy().tolist() == expected
    assert sample_classes(table)["train"].tolist() == [9, 4, 7, 5]


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
    ids = np.arange(10, 10 + len(samples))
    distances = planted_distances(np.stack(samples), ids, train, table, matches)
    found = plant_labels(distances, exact_distance=0.5, not_distance=2)
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
    distances = planted_distances(train[1:2], np.array([10]), train, table, matches)
    found = plant_labels(distances, exact_distance=0.5, not_distance=2)
    found.to_csv(tmp_path / "planted.csv", index=False)
    votes, _ = read(tmp_path / "planted.csv", pairs=[(10, 1), (10, 0)])
    merged = merge_labels(votes, source="planted")
    assert sample_classes(merged).to_numpy().tolist() == [[10, "exact", 1]]


def test_planted_distances_are_to_the_image_or_to_the_base_of_its_family(world):
    train, table = world
    near, free = train[0] + np.float32(0.3), train[3].copy()
    free[0, 0, :2] = 50  # not the family's base
    free[0, 1, 3] += 0.5
    matches = match_table([(11, 3, 1), (10, 0, 1), (10, 1, 2), (10, 0, 3)])
    found = planted_distances(np.stack([near, free]), np.array([10, 11]), train, table, matches)
    assert found[["sample", "train", "close"]].to_numpy().tolist() == [
        [10, 0, "exact"],
        [10, 1, "exact"],
        [11, 3, "reconstructive"],
    ]
    wanted = [0.3 * np.sqrt(8), 6.3 * np.sqrt(8), 0.5]
    np.testing.assert_allclose(found["distance"], wanted, rtol=1e-6)
    # From image 0 to the family, from the duplicates to it, from its base to either, on the pixels of each.
    to_family = [np.linalg.norm((train[3:] - train[k]).reshape(6, 8), axis=1).min() for k in (0, 1)]
    np.testing.assert_allclose(found["gap"], [*to_family, 3 * np.sqrt(6)], rtol=1e-6)
    alone = planted_distances(train[:1], np.array([10]), train[:1], table[:1], match_table([(10, 0, 1)]))
    assert alone["gap"].isna().all()


def test_planted_errors(world):
    train, table = world
    distances = planted_distances(train[:1], np.array([4]), train, table, match_table([(4, 0, 1)]))
    with pytest.raises(InputError, match="0 < exact_distance <= not_distance"):
        plant_labels(distances, exact_distance=2, not_distance=1)
    with pytest.raises(InputError, match="matches name sample 4, which does not exist"):
        planted_distances(train[:1], np.array([0]), train, table, match_table([(4, 0, 1)]))


@pytest.fixture
def round_one():
    """Six pairs, two of them of one sample."""
    ids = [(0, 3), (1, 3), (1, 4), (2, 5), (3, 6), (4, 7)]
    pairs = {f"p{k:016x}": pair for k, pair in enumerate(ids)}
    return labels.Sheet(pairs=pairs, rounds={sheet_hash(pairs): (1, set(pairs))})


def export(sheet, rater="ann", label="exact", name=None, chosen=None, time="2026-01-31T12:00:00Z"):
    """Write what the page exports, one list of cells for each line."""
    name = next(iter(sheet.rounds)) if name is None else name
    rows = [list(label_sheet.COLUMNS)]
    for pair, (sample, train) in sheet.pairs.items():
        if chosen is None or pair in chosen:
            cells = [pair, sample, train, label, guard_cell(rater), time, "yes", "1-0", name]
            rows.append([str(cell) for cell in cells])
    return rows


def save(path, rows, *, delimiter=",", encoding="utf-8", newline="\n"):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=newline).writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


NO_PAIRS: list[tuple[int, int]] = []  # matches play no part in files of a label sheet


def test_the_columns_are_those_of_the_page():
    assert SHEET_COLUMNS == label_sheet.COLUMNS


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_file_of_the_sheet_is_read_however_a_spreadsheet_separates_it(
    tmp_path, round_one, delimiter, encoding
):
    rows = export(round_one, rater='=Zo\u00eb, "Z";\u2028Q')
    for row in rows[3:]:
        row[3] = row[5] = row[6] = ""  # the template, partly filled in
    rows[2][3:7] = ["unsure", rows[2][4], "", ""]
    for row in rows:
        row += ["", ""]  # columns that a spreadsheet has added
    rows.append([""] * 11)
    path = save(tmp_path / "a.csv", rows, delimiter=delimiter, encoding=encoding, newline="\r\n")
    votes, passed_over = read(path, pairs=NO_PAIRS, sheet=round_one)
    assert passed_over == 4
    rater = '=Zo\u00eb, "Z"; Q'
    assert votes.drop(columns="file").to_numpy().tolist() == [
        ["p" + "0" * 16, 0, 3, "exact", rater, "2026-01-31T12:00:00Z", "yes", 1, 2],
        ["p" + "0" * 15 + "1", 1, 3, "unsure", rater, "", "", 1, 3],
    ]


def test_a_short_file_is_checked_against_the_matches_and_gets_the_names_of_pairs(tmp_path, round_one):
    path = write(tmp_path / "a.csv", HEADER + "1,4,exact,a,\n8,8,exact,a,\n")
    votes, _ = read(path, pairs=[(1, 4), (8, 8)], sheet=round_one)
    assert votes["pair"].tolist() == ["p" + "0" * 15 + "2", ""]


def test_names_that_look_alike_are_one_name(tmp_path, round_one):
    composed = save(tmp_path / "a.csv", export(round_one, rater="Zo\u00eb  Q"))
    decomposed = save(tmp_path / "b.csv", export(round_one, rater=" Zoe\u0308\u00a0Q"))
    assert read(composed, sheet=round_one)[0]["rater"].unique().tolist() == ["Zo\u00eb Q"]
    with pytest.raises(InputError, match=r"rater 'Zo\u00eb Q' is in \S*a.csv, line 2 already"):
        read(composed, decomposed, sheet=round_one)
    other = save(tmp_path / "c.csv", export(round_one, rater="zo\u00eb q"))
    with pytest.raises(InputError, match=r"rater 'zo\u00eb q' is 'Zo\u00eb Q' in .*a.csv, line 2; spell"):
        read(composed, other, sheet=round_one)


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("pair", "p1", "unknown pair 'p1'"),
        ("pair", "p" + "0" * 16, r"pair p0{16} is sample 0, train 3, found 1, 3"),
        ("sample", "4", r"pair p0{15}1 is sample 1, train 3, found 4, 3"),
        ("sample", "1.2E+15", r"sample is '1.2E\+15', expected an id .*; a spreadsheet changed it"),
        ("sample", "1.234", "sample is '1.234', expected an id .*; a spreadsheet changed it"),
        ("train", "12/03/2024", "train is '12/03/2024', expected an id .*; a spreadsheet changed it"),
        ("train", "Mar-03", "train is 'Mar-03', expected an id .*; a spreadsheet changed it"),
        ("train", "#VALUE!", r"train is '#VALUE!', expected an id \(a whole number, 0 or more\)$"),
        ("sheet", "s0", r"it is of sheet 's0', expected s[0-9a-f]{16}"),
        ("label", "Exact", "unknown label 'Exact'"),
        ("label", "", "unknown label ''"),  # it has a time, so a label is lost
        ("rater", "", "rater is empty"),
        ("time", "31.01.2026 12:00", "time is '31.01.2026 12:00', expected ISO 8601"),
        ("time", "46053.5", "time is '46053.5', expected ISO 8601"),
        ("blind", "WAHR", "blind is 'WAHR', expected yes, no or nothing"),
    ],
)
def test_a_damaged_cell_is_named(tmp_path, round_one, column, cell, message):
    rows = export(round_one)
    rows[2][label_sheet.COLUMNS.index(column)] = cell
    with pytest.raises(InputError, match=message) as caught:
        read(save(tmp_path / "a.csv", rows), sheet=round_one)
    assert f"{tmp_path / 'a.csv'}, line 3: " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.encode("utf-16"), "a.csv, line 1: not UTF-8 (UTF-16)"),
        (lambda text: text.encode("utf-16-le"), "a.csv: not UTF-8 (UTF-16, by its zero bytes)"),
        (
            lambda text: text.replace("ann", "Zo\u00eb").encode("latin-1"),
            "a.csv, line 2: not UTF-8 (byte 0xeb)",
        ),
        (lambda text: text.replace("ann", "Smith, Ann", 1).encode(), "a.csv, line 2: 10 cells, expected 9"),
        (lambda text: text.replace("ann", '"Smith, Ann', 1).encode(), "a.csv, line 2: not CSV"),
        (
            lambda text: text.replace("ann", '"ann', 1).replace(",ann,", ',a",', 1).encode(),
            "a.csv, line 2: a cell goes on to line 3: mend its quotes",
        ),
        (lambda text: text.replace("blind", "blind,note").encode(), "a.csv, line 1: unknown column 'note'"),
        (lambda text: text.replace("sheet\n", "\n").encode(), "a.csv, line 1: column 'sheet' is missing"),
        (lambda text: text.replace(",", "|").encode(), "a.csv, line 1: unknown column 'pair|sample"),
        (lambda text: text.splitlines()[0].encode(), "a.csv: no rows below the header; remove the file"),
        (
            lambda text: re.sub("exact,ann,[^,]*,yes", ",ann,,", text).encode(),
            "a.csv: none of its 6 rows has a label; remove the file",
        ),
    ],
    ids=[
        *("UTF-16", "UTF-16 without mark", "Latin-1", "lost quotes", "lost quote", "lost quotes of two rows"),
        *("one more column", "one column less", "other delimiter", "header alone", "nothing filled in"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, round_one, change, message):
    text = save(tmp_path / "a.csv", export(round_one)).read_text()
    with pytest.raises(InputError, match=re.escape(message)):
        read(write(tmp_path / "a.csv", change(text)), sheet=round_one)


def test_a_sheet_where_there_is_none_is_refused(tmp_path, round_one):
    with pytest.raises(InputError, match=r"a\.csv, line 2: it is of a label sheet, this experiment has none"):
        read(save(tmp_path / "a.csv", export(round_one)))


def test_faults_of_all_files_are_listed_up_to_a_number(tmp_path, round_one):
    short = write(tmp_path / "b.csv", HEADER + "x,3,exact,b,\n")
    bad = write(tmp_path / "c.csv", b"\xff")
    rows = export(round_one, name="s0")
    with pytest.raises(InputError) as caught:
        read(save(tmp_path / "a.csv", rows), short, bad, sheet=round_one)
    lines = str(caught.value).splitlines()
    assert lines[0] == "8 faults in label files:"
    assert [line.strip().removeprefix(str(tmp_path))[:14] for line in lines[1:]] == [
        *(f"/a.csv, line {k}" for k in range(2, 8)),
        "/b.csv, line 2",
        "/c.csv, line 1",
    ]
    with pytest.raises(InputError) as caught:
        read(save(tmp_path / "a.csv", [rows[0], *rows[1:] * 10]), sheet=round_one)
    lines = str(caught.value).splitlines()
    assert lines[0] == "60 faults in label files:"
    assert len(lines) == 1 + labels.MOST_FAULTS + 1
    assert lines[-1] == "  and 10 more"


def test_a_second_round_settles_what_it_asks_for(tmp_path, round_one):
    pairs = list(round_one.pairs)
    asked = pairs[1:3]
    first, second = next(iter(round_one.rounds)), sheet_hash(asked)
    both = labels.Sheet(round_one.pairs, {second: (2, set(asked)), **round_one.rounds})
    files = [
        save(tmp_path / "a.csv", export(both, name=first, label="exact", chosen=pairs[:4])),
        save(tmp_path / "b.csv", export(both, "bob", "unsure", first, pairs[1:4])),
        save(tmp_path / "c.csv", export(both, "cy", "exact", first, pairs[2:3])),
        save(tmp_path / "d.csv", export(both, "ann", "reconstructive", second, asked[:1])),
        save(tmp_path / "e.csv", export(both, "ann & bob", "not_memorized", second, asked[1:])),
    ]
    votes, _ = read(*files, sheet=both)
    merged = merge_labels(votes, source="people")
    assert merged[["sample", "train", "label", "raters"]].to_numpy().tolist() == [
        [0, 3, "exact", 1],
        [1, 3, "reconstructive", 1],  # ann has changed her mind: the second round holds against both
        [1, 4, "not_memorized", 1],  # even against a majority
        [2, 5, "unsure", 2],
    ]
    listed = agreement.disagreements(votes)
    assert listed[["pair", "raters", "exact", "unsure", "state", "label"]].to_numpy().tolist() == [
        [pairs[1], 2, 1, 1, "second round", "reconstructive"],
        [pairs[2], 3, 2, 1, "second round", "not_memorized"],
        [pairs[3], 2, 1, 1, "unresolved", "unsure"],
    ]
    before = agreement.disagreements(read(*files[:3], sheet=both)[0])
    assert before["pair"].tolist() == listed["pair"].tolist()
    assert before["state"].tolist() == ["unresolved", "majority", "unresolved"]
    stray = save(tmp_path / "f.csv", export(both, "bob", "exact", second, pairs[:1]))
    with pytest.raises(InputError, match=f"pair {pairs[0]} is not on sheet {second}"):
        read(stray, sheet=both)


def damaged(rows, rng):
    """Damage one cell or row as spreadsheets do; returns the line, or None where it may be harmless."""
    k = int(rng.integers(1, len(rows)))
    row, column = rows[k], int(rng.integers(len(rows[0])))
    kind = rng.choice(["long", "date", "cut", "more", "less", "blank", "twice", "swap"])
    if kind == "long":
        row[rng.integers(1, 3)] = f"{rng.random() * 9 + 1:.1f}E+15"
    elif kind == "date":
        row[rng.integers(1, 3)] = f"{rng.integers(1, 28):02}.{rng.integers(1, 12):02}.2026"
    elif kind == "cut":
        row[0] = row[0][: rng.integers(0, 17)]
    elif kind == "more":
        row.insert(column, "x")
    elif kind == "less":
        row.pop(column)
    elif kind == "blank":
        if column in (label_sheet.COLUMNS.index(name) for name in ("time", "blind", "page_version")):
            k = 0
        row[column] = ""
    elif kind == "twice":
        rows.append(list(row))
        k = len(rows) - 1
    else:
        row[column], row[column - 1] = row[column - 1], row[column]
        k = 0 if {column, column - 1} <= {6, 7} and row[6] == row[7] else k
    return k + 1 if k else None


def test_damage_by_a_spreadsheet_is_found_on_its_line(tmp_path, round_one):
    """No crash and no silent loss: the damaged row is named, or every row is read."""
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(300):
        rows = export(round_one)
        line = damaged(rows, rng)
        path = save(tmp_path / "a.csv", rows, delimiter=rng.choice([",", ";", "\t"]))
        if line is None:
            votes, passed_over = read(path, sheet=round_one)
            assert len(votes) + passed_over == len(rows) - 1
        else:
            with pytest.raises(InputError, match=f"a.csv, line {line}: "):
                read(path, sheet=round_one)
            found += 1
    assert 200 < found < 300


def test_damaged_bytes_are_refused_or_every_row_is_accounted_for(tmp_path, round_one):
    rng = np.random.default_rng(1)
    rows = export(round_one, rater="Zo\u00eb, Q")
    rows[4][3], rows[4][5], rows[4][6] = "", "", ""
    intact = save(tmp_path / "a.csv", rows).read_bytes()
    keys = [(row[0], int(row[1]), int(row[2])) for row in rows[1:]]
    read_well = unnamed = 0
    for _ in range(600):
        content = bytearray(intact)
        for _ in range(rng.integers(1, 4)):
            place = int(rng.integers(len(content)))
            kind = rng.integers(3)
            if kind == 0:
                content[place] = rng.choice([*b'",;\r\n\t 0p\x00\xff', int(rng.integers(256))])
            elif kind == 1:
                del content[place]
            else:
                content.insert(place, rng.choice(list(b'",;\r\n 0')))
        path = write(tmp_path / "a.csv", bytes(content))
        try:
            votes, passed_over = read(path, sheet=round_one)
        except InputError as error:
            unnamed += "a.csv" not in str(error)
            continue
        # What is read says of six pairs what they are, and the one without a label stays without.
        assert len(votes) + passed_over == len(keys)
        assert passed_over == 1
        assert list(votes[["pair", "sample", "train"]].itertuples(index=False, name=None)) == [
            key for key in keys if key != keys[3]
        ]
        assert votes["label"].eq("exact").all()
        read_well += 1
    assert 0 < read_well < 300
    assert not unnamed


def test_the_script_writes_all_tables(tmp_path, round_one):
    spec = importlib.util.spec_from_file_location("import_labels", SCRIPT)
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    out = [tmp_path / name for name in ("l.parquet", "v.parquet", "agreement.csv", "disagreements.csv")]
    matches = match_table([(8, 8, 1)]).astype({"rank": np.int32})
    write_table(matches, tmp_path / "m.parquet", MATCHES)

    def run(*files, sheet=None) -> dict:
        record: dict = {}
        script.main(list(files), tmp_path / "m.parquet", sheet, *out, source="people", seed=0, record=record)
        return record

    assert run() == {"files": 0, "votes": 0, "without_label": 0, "disagreements": 0}
    assert [len(read_table(out[0], LABELS)), len(read_table(out[1], VOTES))] == [0, 0]
    assert out[2].read_text() == ",".join(agreement.AGREEMENT) + "\n"
    assert out[3].read_text() == ",".join(agreement.DISAGREEMENTS) + "\n"

    pairs = list(round_one.pairs)
    table = pd.DataFrame({"pair": pairs, "sample": [s for s, _ in round_one.pairs.values()]})
    table["train"] = [t for _, t in round_one.pairs.values()]
    table = table.assign(
        sscd=0.5, calibrated_l2=np.nan, by="sscd", place=pd.array([1, 2] + [None] * 4, "Int64")
    )
    write_table(table, tmp_path / "s.parquet", SHEET)
    files = [
        save(tmp_path / "a.csv", export(round_one, rater="=a")),
        save(tmp_path / "b.csv", export(round_one, rater="b", label="unsure", chosen=pairs[:2])),
        save(
            tmp_path / "c.csv",
            export(round_one, "=a", name=sheet_hash(pairs[:2]), chosen=pairs[:1]),
        ),
        write(tmp_path / "d.csv", HEADER + "8,8,not_memorized,b,\n"),
    ]
    assert run(*files, sheet=tmp_path / "s.parquet") == {
        "files": 4,
        "votes": 10,
        "without_label": 0,
        "disagreements": 2,
    }
    merged = read_table(out[0], LABELS)
    assert merged["label"].tolist() == ["exact", "unsure", *["exact"] * 4, "not_memorized"]
    votes = read_table(out[1], VOTES)
    assert votes["round"].tolist() == [1, 1, 2, 1, 1, 1, 1, 1, 1, 1]
    assert set(votes["rater"]) == {"=a", "b"}
    assert read_disagreements(out[3]) == pairs[:2]
    table = pd.read_csv(out[2])
    assert table.loc[table["statistic"] == "unresolved", "n"].tolist() == [1]
