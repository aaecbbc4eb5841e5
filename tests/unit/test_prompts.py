"""Reading of prompt lists, and families of prompts."""

import csv
import json
import os
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmh.errors import InputError
from mmh.images.image_lists import read_list
from mmh.prompts import families
from mmh.prompts import lists as prompts

TEXTS = [
    "A plain prompt",
    'He said "go", twice; "really"',
    '"Watch: a ""new"" video"',
    "tab\tand, comma",
    "line separator \u2028 next line \u0085 inside",
    "  <i>Mark-up</i> & naïve 図",
]


def write(path, texts, column="caption"):
    table = pd.DataFrame({"number": range(len(texts)), column: texts})
    if path.suffix == ".txt":
        path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    elif path.suffix == ".json":
        path.write_text(json.dumps(texts), encoding="utf-8")
    elif path.suffix == ".jsonl":
        lines = [json.dumps({"index": 1, column: t}, ensure_ascii=False) + "\n" for t in texts]
        path.write_text("".join(lines), encoding="utf-8")
    elif path.suffix == ".parquet":
        table.to_parquet(path)
    elif path.suffix == ".tsv":  # knows no quotes
        lines = [f"{number}\t{text}\n" for number, text in enumerate(texts)]
        path.write_text(f"number\t{column}\n" + "".join(lines), encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([table.columns, *table.itertuples(index=False)])
    return path


def texts_for(suffix):
    """The texts that a kind of file can hold."""
    return [text for text in TEXTS if suffix != ".tsv" or "\t" not in text]


@pytest.mark.parametrize("suffix", prompts.FORMATS)
def test_every_format_gives_each_character_of_each_prompt(tmp_path, suffix):
    texts = texts_for(suffix)
    assert prompts.read_prompt_list(write(tmp_path / f"list{suffix}", texts)) == texts


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv", ".parquet"])
def test_another_column_can_be_named(tmp_path, suffix):
    texts = texts_for(suffix)
    path = write(tmp_path / f"list{suffix}", texts, "TEXT")
    assert prompts.read_prompt_list(path, column="TEXT") == texts
    with pytest.raises(InputError, match="'caption'"):
        prompts.read_prompt_list(path)


@pytest.mark.parametrize(
    ("body", "captions"),
    [
        ('"Hello"\thttp://h/1\nplain\thttp://h/2\n', ['"Hello"', "plain"]),
        (
            '"Tomorrow\thttp://h/1\nnever dies"\thttp://h/2\nplain\thttp://h/3\n',
            ['"Tomorrow', 'never dies"', "plain"],
        ),
        ('"To be" or not\thttp://h/1\n', ['"To be" or not']),
    ],
)
def test_quotes_of_a_tsv_file_are_part_of_prompts_as_of_captions(tmp_path, body, captions):
    path = tmp_path / "a.tsv"
    path.write_text("caption\turl\n" + body)
    assert prompts.read_prompt_list(path) == captions
    listed = read_list(path, columns={"caption": "caption", "url": "url"})
    assert [row.caption for row in listed] == captions


def test_windows_line_ends_and_a_byte_order_mark_are_no_part_of_a_prompt(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\nthree")
    assert prompts.read_prompt_list(path) == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", b"one\n\nthree\n", "line 2: the prompt is empty"),
        ("a.txt", b"one\ntw\xff\n", "line 2: is not UTF-8"),
        ("a.txt", b"one\ntw\x00o\n", "line 2: holds the control character"),
        ("a.txt", b"", "holds no prompt"),
        ("a.txt", b"\n<!DOCTYPE html><html>", "is a web page"),
        ("a.json", b'["one",\n "two"', "line 2: is not JSON"),
        ("a.json", b'{"caption": "one"}', "holds a JSON dict"),
        ("a.json", b'["one", 2]', "item 1: a prompt is a string, this is 2"),
        ("a.json", b'["one", {"text": "two"}]', "item 1: has no key 'caption', it has ['text']"),
        ("a.jsonl", b'{"caption": "one"}\n{"caption": \n', "line 2: is not JSON"),
        ("a.jsonl", b'{"caption": "one"}\n{"caption": null}\n', "line 2: a prompt is a string, this is None"),
        ("a.csv", b"caption,url\none,u\ntwo\n", "line 3: has 1 cells, the header has 2"),
        ("a.csv", b'caption,url\n"one\nmore",u\n" ",u\n', "line 4: the prompt is empty"),
        ("a.csv", b'caption,url\n"one,u\n', "is not a table"),
        ("a.tsv", b"text\turl\none\tu\n", "line 1: needs one column 'caption'"),
        ("a.parquet", b"PAR1", "cannot be read as a Parquet table"),
        ("a.dat", b"one\n", "ends in one of .txt"),
    ],
)
def test_a_malformed_list_is_refused_by_file_and_line(tmp_path, name, data, message):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        prompts.read_prompt_list(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".txt", ".parquet"])
def test_a_missing_list_is_named(tmp_path, suffix):
    with pytest.raises(InputError, match=f"none{suffix}"):
        prompts.read_prompt_list(tmp_path / f"none{suffix}")


def test_duplicates_are_exact_and_in_order():
    assert families.duplicates(["b", "a", "A", "a", "b", "b", "b "]) == [("b", 3), ("a", 2)]


def jaccard(one, other, gram=3):
    sets = [
        {f" {families.normalized(t)} "[k:][:gram] for k in range(len(families.normalized(t)) + 3 - gram)}
        for t in (one, other)
    ]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def partition(families):
    return {frozenset(np.flatnonzero(families == f).tolist()) for f in np.unique(families)}


def random_prompts(n, seed):
    rng = np.random.default_rng(seed)
    words = ["red", "rug", "area", "blue", "sofa", "lamp", "by", "mills", "dark", "grey"]
    return [" ".join(rng.choice(words, size=4)) for _ in range(n)]


@pytest.mark.parametrize("similar", [0.4, 0.5, 0.75])
def test_families_are_the_components_of_the_pairs_that_overlap(monkeypatch, similar):
    texts = random_prompts(40, seed=1)
    reach = {i: {i} for i in range(len(texts))}
    for i, j in combinations(range(len(texts)), 2):
        if jaccard(texts[i], texts[j]) >= similar and reach[i] is not reach[j]:
            reach[i] |= reach[j]
            for member in reach[j]:
                reach[member] = reach[i]
    expected = np.array([min(reach[i]) for i in range(len(texts))])
    monkeypatch.setattr(families, "_ROWS", 7)
    found = families.prompt_families(texts, similar=similar, template_size=1000)
    assert found.dtype == np.int64
    assert 1 < len(np.unique(expected)) < len(texts)
    assert (found == expected).all()


def test_a_chain_of_near_duplicates_is_one_family_and_case_or_marks_do_not_count():
    chain = ["abcdefgh", "efghijkl abcdefgh", "efghijkl"]
    assert jaccard(chain[0], chain[2]) < 0.4 <= min(jaccard(chain[0], chain[1]), jaccard(chain[1], chain[2]))
    assert families.prompt_families(chain).tolist() == [0, 0, 0]
    assert families.prompt_families(
        ["<i>The Stick</i> of Truth!", "something else", "the stick OF truth"]
    ).tolist() == [0, 1, 0]


def shaw(n):
    """Prompts that share their first two words and nothing else."""
    return [f"Shaw Floors {chr(97 + k) * 9} {chr(110 + k) * 9} {100003 * (k + 1)}" for k in range(n)]


def test_prompts_that_a_template_begins_are_one_family():
    texts = ["a lonely boat", *shaw(6), "Floors shaw sand"]
    assert max(jaccard(a, b) for a, b in combinations(texts, 2)) < 0.4
    assert families.prompt_families(texts).tolist() == [0, *[1] * 6, 7]
    assert len(np.unique(families.prompt_families(shaw(4)))) == 4  # too few to be a template
    short = [t.replace("Shaw Floors", "A man") for t in shaw(6)]
    assert len(np.unique(families.prompt_families(short))) == 6  # a beginning of any language
    mixed = shaw(6) + [f"Shaw {chr(97 + k) * 11} {700001 * (k + 3)}" for k in range(7)]
    assert len(np.unique(families.prompt_families(mixed))) == 13  # "Shaw" goes on otherwise in most


def test_families_do_not_depend_on_the_order():
    texts = random_prompts(40, seed=2) + shaw(6)
    order = np.random.default_rng(0).permutation(len(texts))
    shuffled = families.prompt_families([texts[i] for i in order])
    straight = families.prompt_families(texts)
    assert partition(straight) == {frozenset(order[list(group)].tolist()) for group in partition(shuffled)}


@pytest.mark.parametrize(
    "options", [{"similar": 0}, {"similar": 1.1}, {"gram": 0}, {"template_size": 1}, {"template_share": 0}]
)
def test_options_of_families_are_checked(options):
    with pytest.raises(InputError, match="prompt families need"):
        families.prompt_families(["a"], **options)


def test_a_table_of_lists_survives_its_file_and_is_described(tmp_path):
    lists = {
        "memorized": [*shaw(6), "one red rug", "one red rug"],
        "control": ["One red rug", "two big lamps", "a sofa"],
    }
    table = prompts.prompt_table(lists)
    table.to_parquet(tmp_path / "prompts.parquet")
    read = prompts.read_prompts(tmp_path / "prompts.parquet")
    pd.testing.assert_frame_equal(read, table, check_dtype=False)
    assert tuple(read.columns) == prompts.COLUMNS
    report = prompts.describe(read)
    assert json.loads(json.dumps(report)) == report
    assert report["shared"] == {"memorized & control": {"texts": 0, "normalized": 1, "families": 1}}
    memorized = report["lists"]["memorized"]
    assert (memorized["prompts"], memorized["families"]) == (8, 2)
    assert memorized["duplicates"] == [{"text": "one red rug", "count": 2}]
    assert [f["size"] for f in memorized["largest_families"]] == [6, 2]
    assert report["lists"]["control"]["largest_families"] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="family"), "needs the columns"),
        (lambda t: t.assign(text=["a", None]), "row 1 has no text"),
        (lambda t: t.assign(prompt=[0, 2]), "not numbered 0 to 1"),
    ],
)
def test_a_malformed_table_of_prompts_is_refused(tmp_path, change, message):
    path = tmp_path / "prompts.parquet"
    change(prompts.prompt_table({"s": ["one prompt", "another"]})).to_parquet(path)
    with pytest.raises(InputError, match=message):
        prompts.read_prompts(path)


def test_the_public_lists():
    folder = os.environ.get("MMH_PROMPT_LISTS")
    if not folder:
        pytest.skip("MMH_PROMPT_LISTS does not name a folder with sd1_mem.txt, sd1_nmem.txt and the like")
    memorized, mixed, rows, verbatim = (
        prompts.read_prompt_list(Path(folder) / name)
        for name in (
            "sd1_mem.txt",
            "sd1_nmem.txt",
            "sdv1_500_memorized.jsonl",
            "match_verbatim_captions.json",
        )
    )
    assert [len(memorized), len(mixed), len(rows), len(verbatim)] == [500, 500, 500, 86]
    assert memorized == rows  # the same list in two formats, quotes and all
    assert set(verbatim) < set(memorized)
    table = prompts.prompt_table({"memorized": memorized, "mixed": mixed})
    floors = table[table["text"].str.startswith("Shaw Floors")]
    assert len(floors) == 148
    assert floors["family"].nunique() == 1
    families = table.groupby("prompt_set")["family"].nunique()
    assert 200 <= families["memorized"] <= 304  # 304 is what another near-duplicate filter leaves
    assert not set(table[table["prompt_set"] == "mixed"]["family"]) & set(
        table[table["prompt_set"] == "memorized"]["family"]
    )


def test_a_text_file_whose_lines_end_as_on_an_old_mac_is_no_single_prompt(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"one\rtwo\rthree\r")
    assert prompts.read_prompt_list(path) == ["one", "two", "three"]
    path.write_bytes("one\u2028still one\nt\rwo\n".encode())
    assert prompts.read_prompt_list(path) == ["one\u2028still one", "t\rwo"]


@pytest.mark.parametrize("name", ["a.tsv", "A.CSV"])
def test_a_table_of_prompts_may_hold_whole_images_beside_them(tmp_path: Path, name: str) -> None:
    cut = "\t" if name == "a.tsv" else ","
    path = tmp_path / name
    path.write_text(f"caption{cut}url\none{cut}data:{'A' * 300_000}\ntwo{cut}x\n")
    assert prompts.read_prompt_list(path) == ["one", "two"]
