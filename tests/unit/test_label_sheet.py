"""The label sheet: which pairs, their names and order, what the page and the files beside it hold."""

import base64
import csv
import hashlib
import importlib.util
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mmh.errors import InputError
from mmh.io.arrays import write_arrays
from mmh.io.table_files import read_table, write_table
from mmh.io.tables import CANDIDATES, MATCHES, SHEET
from mmh.labels import label_sheet
from mmh.labels.sheet_pairs import (
    METRICS,
    read_disagreements,
    restrict,
    sheet_hash,
    sheet_images,
    sheet_pairs,
)
from mmh.labels.spreadsheet_cells import guard_cell, unguard_cell

SCRIPT = Path(label_sheet.__file__).parents[2] / "export_label_sheet.py"


def pixels(n: int, shape: tuple[int, ...] = (8, 8, 3)) -> dict[int, np.ndarray]:
    noise = np.random.default_rng(1)
    return {i: noise.integers(0, 256, shape, dtype=np.uint8) for i in range(n)}


def tables(listed: list[tuple[int, str, int]], more: list[tuple[int, str, int, int, float]] = []):  # noqa: B006
    """Candidates (sample, metric, train), score = sample / 10, and matches: those, and more of any rank."""
    candidates = pd.DataFrame(
        [(s, m, k + 1, t, s / 10) for k, (s, m, t) in enumerate(listed)],
        columns=["sample", "metric", "place", "train", "score"],
    )
    rows = [(s, m, 1, t, s / 10, s / 10) for s, m, t in listed] + [
        (s, m, r, t, d, d) for s, m, r, t, d in more
    ]
    return candidates, pd.DataFrame(rows, columns=["sample", "metric", "rank", "train", "distance", "score"])


def pairs_of(n: int, *, seed: int = 0, experiment: str = "e", images=None, train=None) -> pd.DataFrame:
    candidates, matches = tables([(i, m, i) for i in range(n) for m in METRICS])
    return sheet_pairs(
        candidates, matches, images or pixels(n), train or pixels(n), seed=seed, experiment=experiment
    )


def page_data(page: Path) -> dict:
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.DOTALL
    )
    assert found
    return json.loads(found[1])


def decode(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


def test_pairs_are_the_union_of_both_lists():
    candidates, matches = tables(
        [(0, "sscd", 5), (1, "sscd", 6), (2, "sscd", 7), (0, "calibrated_l2", 5), (1, "calibrated_l2", 4)],
        # 6 is second by the other distance for sample 1; sample 2 is no candidate by l2, though 3 is its match
        [(1, "calibrated_l2", 2, 6, 0.9), (2, "calibrated_l2", 1, 3, 0.8)],
    )
    table = sheet_pairs(candidates, matches, pixels(8), pixels(8), seed=0, experiment="e")
    found = table.set_index(["sample", "train"]).sort_index()
    assert found["by"].to_dict() == {(0, 5): "both", (1, 4): "calibrated_l2", (1, 6): "sscd", (2, 7): "sscd"}
    scores = found[["sscd", "calibrated_l2"]].to_numpy()
    np.testing.assert_array_equal(scores, [[0, 0], [np.nan, 0.1], [0.1, 0.9], [0.2, np.nan]])
    assert table["place"].tolist() == [1, 2, 3, 4]


def test_order_tells_nothing_of_ranks_and_a_longer_list_keeps_it():
    n = 400
    order = pairs_of(n)["sample"].to_numpy()
    correlation = np.corrcoef(order, np.arange(n))[0, 1]
    assert abs(correlation) < 4 / np.sqrt(n)  # four standard deviations of a random order
    assert [i for i in order if i < 100] == pairs_of(100)["sample"].tolist()
    assert pairs_of(n, seed=1)["sample"].tolist() != order.tolist()


def test_the_name_of_a_pair_is_its_content():
    first = pairs_of(3)
    assert first["pair"].str.fullmatch("p[0-9a-f]{16}").all()
    assert first["pair"].is_unique
    assert sheet_hash(first["pair"]) == sheet_hash(first["pair"][::-1])

    def names(**options) -> set[str]:
        return set(pairs_of(3, **options)["pair"])

    assert names(seed=7) == set(first["pair"])  # neither order nor seed is content
    assert not names(experiment="f") & set(first["pair"])
    for place in ("images", "train"):
        changed = pixels(3)
        changed[1][0, 0, 0] ^= 1
        assert len(names(**{place: changed}) & set(first["pair"])) == 2
    swapped = pixels(3)
    swapped[0], swapped[1] = swapped[1], swapped[0]
    assert len(names(images=swapped, train=swapped) & set(first["pair"])) == 1  # ids count, not pixels alone


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c, m: (c.iloc[:0], m), "candidates.parquet of e is empty"),
        (
            lambda c, m: (c.assign(train=c["train"] + 1), m),
            "training image 1 is not the closest match of sample 0",
        ),
        (lambda c, m: (c, m.assign(rank=2)), "is not the closest match of sample 0 by sscd"),
    ],
)
def test_tables_that_do_not_fit_are_refused(change, message):
    candidates, matches = change(*tables([(0, "sscd", 0), (1, "sscd", 1)]))
    with pytest.raises(InputError, match=message):
        sheet_pairs(candidates, matches, pixels(3), pixels(3), seed=0, experiment="e")


def test_absent_pixels_are_named():
    with pytest.raises(InputError, match="e: the pixels of training image 2 are not given"):
        pairs_of(3, train=pixels(2))


def test_images_are_read_as_people_see_them(tmp_path):
    x = np.zeros((2, 3, 2, 2), dtype=np.float32)
    x[0, 0], x[1, 2] = 1, -3
    write_arrays(tmp_path / "a.npz", x=x, id=np.array([4, 9]))
    image = np.arange(8, dtype=np.uint8).reshape(2, 1, 2, 2)
    write_arrays(tmp_path / "b.npz", image=image, id=np.array([1, 2]))
    read = sheet_images([tmp_path / "a.npz"], [9, 4, 9])
    assert list(read) == [4, 9]
    assert read[4].shape == (2, 2, 3)
    assert read[4][0, 0].tolist() == [255, 128, 128]
    assert read[9][1, 1].tolist() == [128, 128, 0]
    np.testing.assert_array_equal(sheet_images([tmp_path / "b.npz"], [2])[2], image[1, 0])
    write_arrays(tmp_path / "c.npz", x=np.zeros((3, 2), dtype=np.float32), id=np.arange(3))
    with pytest.raises(InputError, match=r"c.npz: items have the shape \(2,\), people can label images"):
        sheet_images([tmp_path / "c.npz"], [0])


@pytest.mark.parametrize("shape", [(8, 8, 3), (8, 8)])
def test_the_page_holds_every_pixel_and_the_template_every_pair(tmp_path, shape):
    images, train = pixels(5, shape), pixels(9, shape)
    candidates, matches = tables([(i, "sscd", i % 2) for i in range(5)])
    pairs = sheet_pairs(candidates, matches, images, train, seed=0, experiment="e")
    page, template = tmp_path / "a.html", tmp_path / "a.csv"
    record = label_sheet.write_sheet(pairs, images, train, page, template, experiment="e")
    data = page_data(page)
    assert record == {
        "pairs": 5,
        "bytes": page.stat().st_size,
        "images": "lossless PNG",
        "sheet": sheet_hash(pairs["pair"]),
    }
    assert len(data["images"]) == 7  # a training image that two samples copy is stored once
    assert [row["pair"] for row in data["pairs"]] == pairs["pair"].tolist()
    for row in data["pairs"]:
        np.testing.assert_array_equal(decode(data["images"][row["generated"]]), images[row["sample"]])
        np.testing.assert_array_equal(decode(data["images"][row["match"]]), train[row["train"]])
        assert row["calibrated_l2"] is None
    with template.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == label_sheet.COLUMNS
    assert [row["pair"] for row in rows] == pairs["pair"].tolist()
    assert {row["label"] + row["rater"] + row["time"] for row in rows} == {""}
    assert {row["sheet"] for row in rows} == {record["sheet"]}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "a.html"]


def test_two_runs_give_equal_bytes(tmp_path):
    for name in "ab":
        label_sheet.write_sheet(
            pairs_of(4),
            pixels(4),
            pixels(4),
            tmp_path / f"{name}.html",
            tmp_path / f"{name}.csv",
            experiment="e",
        )
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_nothing_in_a_name_can_end_the_script_or_the_policy(tmp_path):
    name = "</script><script>alert(1)</script>@@STYLE@@&\u2028"
    page = tmp_path / "a.html"
    pairs = pairs_of(2, experiment=name)
    label_sheet.write_sheet(pairs, pixels(2), pixels(2), page, tmp_path / "a.csv", experiment=name)
    text = page.read_text()
    assert "<script>alert" not in text
    assert page_data(page)["experiment"] == name
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data: blob:"
    for kind, tag in (("script-src", "script"), ("style-src", "style")):
        (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert rules[kind] == f"'sha256-{digest}'"


def test_large_images_lose_as_little_as_fits(tmp_path):
    # Smooth images: much smaller as WebP than as PNG, because the last bits are noise.
    noise = np.random.default_rng(0)
    ramp = np.linspace(0, 200, 96)[:, None, None] + np.linspace(0, 40, 96)[None, :, None]
    images = {i: (ramp + noise.uniform(0, 9, (96, 96, 3))).astype(np.uint8) for i in range(4)}

    def write(limit: int) -> dict[str, int | str]:
        pairs = pairs_of(4, images=images, train=images)
        return label_sheet.write_sheet(
            pairs, images, images, tmp_path / "a.html", tmp_path / "a.csv", experiment="e", limit=limit
        )

    lossless = sum(map(len, page_data_after(write, 10**9, tmp_path)["images"]))
    assert write(lossless)["images"] == "lossless PNG"
    assert str(write(lossless - 1)["images"]).startswith("WebP, quality 95")
    data = page_data_after(write, lossless // 4, tmp_path)
    assert sum(map(len, data["images"])) <= lossless // 4
    seen = decode(data["images"][data["pairs"][0]["generated"]]).astype(float)
    assert np.abs(seen - images[data["pairs"][0]["sample"]]).mean() < 8
    with pytest.raises(InputError, match=r"8 images of 96x96 do not fit into a label sheet of 0 MB; lower"):
        write(100)


def page_data_after(write, limit: int, folder: Path) -> dict:
    write(limit)
    return page_data(folder / "a.html")


def test_a_second_round_takes_the_listed_pairs_in_the_same_order(tmp_path):
    pairs = pairs_of(20)
    chosen = pairs["pair"].sample(6, random_state=0).tolist()
    (tmp_path / "d.csv").write_text("label,pair\n" + "".join(f"x,{pair}\n" for pair in [*chosen, chosen[0]]))
    only = read_disagreements(tmp_path / "d.csv")
    assert only == chosen
    second = restrict(pairs, only)
    assert second["pair"].tolist() == pairs["pair"].tolist()
    asked = second.dropna(subset="place")
    assert asked["pair"].tolist() == [pair for pair in pairs["pair"] if pair in chosen]
    assert asked["place"].tolist() == [1, 2, 3, 4, 5, 6]
    record = label_sheet.write_sheet(
        second, pixels(20), pixels(20), tmp_path / "a.html", tmp_path / "a.csv", experiment="e"
    )
    assert record["sheet"] == sheet_hash(chosen) != sheet_hash(pairs["pair"])
    assert [row["pair"] for row in page_data(tmp_path / "a.html")["pairs"]] == asked["pair"].tolist()
    assert len(page_data(tmp_path / "a.html")["images"]) == 12


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "d.csv: cannot be read as CSV"),
        ("", "d.csv: cannot be read as CSV"),
        ("sample,train\n1,2\n", "d.csv: expected a column 'pair', found sample, train"),
        ("pair\n", "d.csv: lists no pair"),
    ],
)
def test_a_bad_list_of_disagreements_is_named(tmp_path, text, message):
    if text is not None:
        (tmp_path / "d.csv").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_disagreements(tmp_path / "d.csv")
    assert "\n" not in str(caught.value)


def test_an_unknown_pair_and_an_empty_page_are_refused(tmp_path):
    pairs = pairs_of(3)
    with pytest.raises(InputError, match=r"pair 'p0' \(2 unknown\) is not among the candidates"):
        restrict(pairs, ["p1", "p0"])
    with pytest.raises(InputError, match="the label sheet of e has no pair"):
        label_sheet.write_sheet(
            restrict(pairs, []), {}, {}, tmp_path / "a.html", tmp_path / "a.csv", experiment="e"
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@x", "\tx", "'=1", "''=1", "'t Hooft", "Ada", "", "'", "p12"]
)
def test_guarding_a_cell_can_be_undone(cell):
    guarded = guard_cell(cell)
    assert unguard_cell(guarded) == cell
    assert not guarded.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert (guarded == cell) == (not re.match(r"'*[=+\-@\t\r]", cell))


def test_the_stated_version_is_that_of_the_page():
    """The export reruns when code changes, and the page's files are no code: the version stands for them."""
    assert label_sheet.page_version() == label_sheet.PAGE_VERSION, (
        f"the page was edited: set PAGE_VERSION in mmh/labels/label_sheet.py to {label_sheet.page_version()!r}"
    )


def test_the_script_writes_page_template_and_table(tmp_path):
    spec = importlib.util.spec_from_file_location("export_label_sheet", SCRIPT)
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    candidates, matches = tables([(i, m, i) for i in (1, 3) for m in METRICS])
    write_table(candidates.astype({"place": np.int32}), tmp_path / "candidates.parquet", CANDIDATES)
    write_table(matches.astype({"rank": np.int32}), tmp_path / "matches.parquet", MATCHES)
    noise = np.random.default_rng(0)
    for name, ids in (("s0", [0, 1]), ("s1", [2, 3]), ("train", [0, 1, 2, 3])):
        x = noise.uniform(-1, 1, (len(ids), 3, 4, 4)).astype(np.float32)
        write_arrays(tmp_path / f"{name}.npz", x=x, id=np.array(ids))

    def export(only: str, disagreements: Path | None) -> dict:
        record: dict = {}
        script.main(
            tmp_path / "candidates.parquet",
            tmp_path / "matches.parquet",
            [tmp_path / "s0.npz", tmp_path / "s1.npz"],
            tmp_path / "train.npz",
            disagreements,
            tmp_path / "page.html",
            tmp_path / "template.csv",
            tmp_path / "sheet.parquet",
            options={"only": only},
            experiment="e",
            seed=0,
            record=record,
        )
        return record

    record = export("all", None)
    table = read_table(tmp_path / "sheet.parquet", SHEET)
    assert sorted(zip(table["sample"], table["train"], strict=True)) == [(1, 1), (3, 3)]
    assert record["pairs"] == 2
    assert record["sheet"] == sheet_hash(table["pair"])
    assert page_data(tmp_path / "page.html")["sheet"] == record["sheet"]

    (tmp_path / "d.csv").write_text(f"pair\n{table['pair'][1]}\n")
    assert export("disagreements", tmp_path / "d.csv")["pairs"] == 1
    again = read_table(tmp_path / "sheet.parquet", SHEET)
    assert again["pair"].tolist() == table["pair"].tolist()  # labels of the first round stay valid
    assert again["place"].isna().tolist() == [True, False]
    with pytest.raises(InputError, match=r"label_sheet\.only is 'disagreements', but there is no list"):
        export("disagreements", None)
