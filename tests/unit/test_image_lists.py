"""Lists of captioned images: every kind of file, every malformed one by its message, draws by seed."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mmh.errors import InputError
from mmh.images.image_lists import (
    Row,
    draw_rows,
    embedded_images,
    is_embedded,
    list_table,
    pick_captions,
    read_captions,
    read_list,
)

ROWS = [
    ("http://a.example/1", "one"),
    ("http://a.example/2", 'two "quoted", ü'),
    ("http://a.example/3", "three"),
]
COLUMNS = {"url": "url", "caption": "caption"}


def records() -> list[dict[str, Any]]:
    return [{"url": url, "caption": caption, "kind": "MN"[i % 2]} for i, (url, caption) in enumerate(ROWS)]


def write(folder: Path, suffix: str) -> Path:
    path = folder / f"list{suffix}"
    if suffix == ".json":
        path.write_text(json.dumps(records()))
    elif suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in records()) + "\n")
    elif suffix == ".tsv":
        lines = ["\t".join(row) for row in [["url", "caption", "kind"], *(r.values() for r in records())]]
        path.write_text("\r\n".join(lines) + "\r\n", newline="", encoding="utf-8-sig")
    elif suffix == ".csv":
        pd.DataFrame(records()).to_csv(path, index=False)
    else:
        pd.DataFrame(records()).to_parquet(path)
    return path


def pairs(rows: list[Row]) -> list[tuple[str, str]]:
    return [(row.url, row.caption) for row in rows]


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".tsv", ".csv", ".parquet"])
def test_all_kinds_hold_the_same_rows(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path, suffix)
    assert pairs(read_list(path, columns=COLUMNS)) == ROWS
    assert pairs(read_list(path, columns=COLUMNS, where={"kind": ["N", "other"]})) == [ROWS[1]]


def test_separated_files_without_a_header(tmp_path: Path) -> None:
    path = tmp_path / "labels.tsv"
    path.write_text("".join(f"{caption}\t{url}\n" for url, caption in ROWS))
    assert pairs(read_list(path, columns=COLUMNS, header=["caption", "url"])) == ROWS


def test_a_text_holds_addresses(tmp_path: Path) -> None:
    path = tmp_path / "urls.txt"
    path.write_text("http://a.example/1\n\n http://a.example/2\r\n")
    rows = read_list(path, columns={"url": "line", "caption": "line"})
    assert [row.url for row in rows] == ["http://a.example/1", "http://a.example/2"]


def test_empty_and_repeated_rows_are_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "list.parquet"
    urls = ["http://a/1", None, "http://a/1", "http://a/1", "http://a/2"]
    captions = ["one", "two", "one", "another", None]
    pd.DataFrame({"url": urls, "caption": captions}).to_parquet(path)
    assert pairs(read_list(path, columns=COLUMNS)) == [("http://a/1", "one"), ("http://a/1", "another")]
    assert "2 rows; left out: 2 empty, 1 repeated (empty: row 1, 4)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        (
            "a.jsonl",
            '{"caption": NaN, "url": "http://a/0"}\n{"caption": "b", "url": "http://a/1"}\n',
            "line 1",
        ),
        ("a.json", '[{"caption": "b", "url": "http://a/1"}, {"caption": "c", "url": NaN}]', "entry 1"),
        ("A.TSV", "caption\turl\nb\thttp://a/1\n\thttp://a/2\n", "line 3"),
    ],
)
def test_a_cell_that_holds_nothing_costs_its_row_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str, place: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    assert pairs(read_list(path, columns=COLUMNS)) == [("http://a/1", "b")]
    assert f"left out: 1 empty (empty: {place})" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["a.tsv", "a.csv"])
def test_an_address_may_hold_a_whole_image(tmp_path: Path, name: str) -> None:
    long, cut = "data:image/png;base64" + "A" * 300_000, "\t" if name == "a.tsv" else ","
    path = tmp_path / name
    path.write_text(f"caption{cut}url\none{cut}{long}\ntwo{cut}http://a/2\n")
    assert pairs(read_list(path, columns=COLUMNS)) == [(long, "one"), ("http://a/2", "two")]


@pytest.mark.parametrize(
    ("name", "content", "columns", "message"),
    [
        ("list.xlsx", b"", COLUMNS, "is no list that is known; expected a name in .json"),
        ("list.jsonl", b'{"url": "a", "caption": "b"}\n{"url": "a"\n', COLUMNS, "line 2: no JSON"),
        (
            "list.jsonl",
            b'{"url": "a", "caption": "b"}\n{"url": "a"}\n',
            COLUMNS,
            "line 2: no 'caption' among",
        ),
        (
            "list.jsonl",
            b'\n["a", "b"]\n',
            COLUMNS,
            "line 2: ['a', 'b'], expected an object with caption, url",
        ),
        (
            "list.jsonl",
            b'{"url": 5, "caption": "b"}\n',
            COLUMNS,
            "line 1: column 'url' holds 5, expected an address",
        ),
        (
            "list.jsonl",
            b'{"url": "a", "caption": [1]}\n',
            COLUMNS,
            "column 'caption' holds [1], expected a text",
        ),
        ("list.json", b'[{"url": "a",\n "caption": }]', COLUMNS, "line 2: no JSON"),
        ("list.json", b'{"url": "a"}', COLUMNS, "expected a JSON array of objects"),
        ("list.json", b'["a"]', COLUMNS, "entry 0: 'a', expected an object"),
        ("list.tsv", b"url\tcaption\na\tb\na\n", COLUMNS, "line 3: 1 fields, expected 2: url, caption"),
        ("list.csv", b'url,caption\na,"b\n', COLUMNS, "line 2: unexpected end of data"),
        ("list.csv", b"URL,TEXT\na,b\n", COLUMNS, "has no column 'caption' but URL, TEXT; correct columns"),
        ("list.tsv", b"url\tcaption\n", COLUMNS, "no row is left (the file is empty)"),
        ("list.tsv", b"url\tcaption\na\t\xff\n", COLUMNS, "byte 14 is not UTF-8"),
        ("list.txt", b"a\n", COLUMNS, "has no column 'caption' but line"),
        ("list.parquet", b"PAR1 and no more", COLUMNS, "cannot be read as Parquet"),
    ],
)
def test_malformed_lists_stop_by_name_and_line(
    tmp_path: Path, name: str, content: bytes, columns: dict[str, str], message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_list(path, columns=columns)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_list_and_a_filter_that_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.csv: cannot be read \(No such file"):
        read_list(tmp_path / "none.csv", columns=COLUMNS)
    with pytest.raises(InputError, match=r"no row is left .*found kind 'M', kind 'N'; correct where"):
        read_list(write(tmp_path, ".jsonl"), columns=COLUMNS, where={"kind": ["MV"]})


# ---- images within a file


def test_images_within_a_file(tmp_path: Path) -> None:
    path = tmp_path / "tuxemon.parquet"
    images = [{"bytes": b"%d" % i, "path": None} for i in (0, 1, 2, 1)]
    captions = ["a", "b", "", "b"]
    pd.DataFrame({"image": images, "raw": [b"0", b"1", b"2", b"1"], "text": captions}).to_parquet(path)
    for column in ("image", "raw"):
        rows = read_list(path, columns={"image": column, "caption": "text"})
        assert pairs(rows) == [("tuxemon.parquet#0", "a"), ("tuxemon.parquet#1", "b")]
    urls = [row.url for row in rows]
    assert all(map(is_embedded, urls))
    assert not is_embedded("http://a.example/tuxemon.parquet#1")
    found = list(embedded_images(path, "image", [*urls[1:], "other.parquet#9"]))
    assert found == [("tuxemon.parquet#1", b"1")]
    with pytest.raises(InputError, match=r"has no row tuxemon\.parquet#4"):
        list(embedded_images(path, "image", ["tuxemon.parquet#4"]))
    with pytest.raises(InputError, match=r"row 0: column 'text' holds 'a', expected bytes of an image"):
        read_list(path, columns={"image": "text", "caption": "text"})


# ---- captions


def test_rows_are_picked_by_captions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = read_list(write(tmp_path, ".json"), columns=COLUMNS)
    path = tmp_path / "captions.json"
    path.write_text(json.dumps(["three ", "one", "none"]))
    assert pairs(pick_captions(rows, read_captions(path), what=str(path))) == [ROWS[0], ROWS[2]]
    assert "1 of 3 captions" in capsys.readouterr().out
    text = tmp_path / "captions.txt"
    text.write_text("three\none\n")
    assert read_captions(text) == ["three", "one"]
    with pytest.raises(InputError, match="none of its 1 captions is a caption of the 3 rows"):
        pick_captions(rows, ["four"], what="captions.txt")
    for content, message in (
        ('{"a": 1}', "expected a JSON array"),
        ('["a", 1]', "entry 1 is 1"),
        ("[", "no JSON"),
    ):
        path.write_text(content)
        with pytest.raises(InputError, match=message):
            read_captions(path)


# ---- draws


def many(n: int) -> list[Row]:
    return [Row(f"http://a/{i}", f"{i}", bytes([i % 256, i // 256]) * 16) for i in range(n)]


def test_a_draw_depends_on_the_rows_and_the_seed_alone() -> None:
    rows = many(400)
    drawn = draw_rows(rows, 50, 7)
    shuffled = [rows[i] for i in np.random.default_rng(0).permutation(400)]
    assert draw_rows(shuffled, 50, 7) == drawn
    assert draw_rows(rows, 20, 7) == drawn[:20]
    assert set(draw_rows(rows, 50, 8)) != set(drawn)
    assert len(set(drawn)) == 50
    assert draw_rows(rows, None, 7) == rows
    assert len(draw_rows(rows, 1000, 7)) == 400
    longer = draw_rows(many(440), 50, 7)  # one in ten more: about five of fifty are displaced
    assert len(set(longer) & set(drawn)) >= 35


def test_a_draw_favours_no_row() -> None:
    """Each of 20 rows is among 5 drawn with probability 1/4: 500 +- 6 standard deviations of 19 in 2000."""
    counts = Counter(row.url for seed in range(2000) for row in draw_rows(many(20), 5, seed))
    assert len(counts) == 20
    assert all(abs(count - 500) < 117 for count in counts.values())


def test_the_table_of_a_list() -> None:
    table = list_table(many(3))
    assert table["item"].tolist() == [0, 1, 2]
    assert table["caption"].tolist() == ["0", "1", "2"]


def test_the_published_lists_fit_together() -> None:
    folder = os.environ.get("MMH_PROMPT_LISTS")
    if not folder:
        pytest.skip("MMH_PROMPT_LISTS names no folder with sdv1_500_memorized.jsonl and its companions")
    rows = read_list(Path(folder) / "sdv1_500_memorized.jsonl", columns=COLUMNS)
    assert 490 <= len(rows) <= 500
    captions = read_captions(Path(folder) / "match_verbatim_captions.json")
    assert len(captions) == 86
    picked = pick_captions(rows, captions, what="match_verbatim_captions.json")
    assert {row.caption.strip() for row in picked} == {caption.strip() for caption in captions}
    assert all(row.url.startswith("http") for row in picked)
