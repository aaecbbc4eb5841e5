"""Lists of prompts: reading them, and the families of prompts that are not independent of each other.

A prompt is taken as it stands, because the model sees its every character; only ends of lines are dropped.
"""

import csv
import io
import itertools
import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmh.errors import InputError, in_short
from mmh.io.spans import span_name, span_range
from mmh.prompts.families import duplicates, normalized, prompt_families

COLUMNS = ("prompt_set", "prompt", "text", "family", "train")
FORMATS = (".txt", ".json", ".jsonl", ".csv", ".tsv", ".parquet")
CAPTION = "caption"
"""Key or column that holds the prompt, unless another is named."""
_PAGE = re.compile(r"\s*<(!doctype html|html|\?xml)", re.IGNORECASE)


def read_prompt_list(path: str | os.PathLike[str], *, column: str = CAPTION) -> list[str]:
    """Read a list of prompts; its format follows from the end of its name.

    Parameters
    ----------
    path : path
        ``.txt``: one prompt a line, quotes and commas are part of it; ``.json``: a list of strings, or of
        objects; ``.jsonl``: an object (or a string) a line; ``.csv``, ``.tsv``: a table with a header (in a
        ``.tsv`` quotes are part of the text); ``.parquet``. Text is UTF-8.
    column : str
        Key or column of the prompt in objects and tables.

    Returns
    -------
    list of str
        In the file's order, repetitions included.

    Raises
    ------
    InputError
        If the file is missing, of no known format, malformed or empty, or a prompt is empty, no string, or
        holds control characters; the message names the file and the line (row, item).
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path}: a prompt list ends in one of {', '.join(FORMATS)}; rename or convert it")
    entries = _table(path, column) if path.suffix.lower() == ".parquet" else _entries(path, column)
    prompts = [_checked(text, f"{path}, {place}") for place, text in entries]
    if not prompts:
        raise InputError(f"{path}: holds no prompt; at least one was expected")
    return prompts


def prompt_table(lists: Mapping[str, Sequence[str]], **options: Any) -> pd.DataFrame:
    """Put lists of prompts into one table, with families over all of them.

    Parameters
    ----------
    lists : mapping of str to sequence of str
        Prompts by the name of their set.
    **options
        Of `prompt_families`.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`; `prompt` counts from 0 within its set, `train` is missing throughout.
    """
    rows = [(name, i, text) for name, texts in lists.items() for i, text in enumerate(texts)]
    table = pd.DataFrame(rows, columns=list(COLUMNS[:3]))
    table["family"] = prompt_families(table["text"].tolist(), **options)
    table["train"] = pd.array([None] * len(table), dtype="Int64")
    return table


def read_columns(path: str | os.PathLike[str], columns: Sequence[str]) -> pd.DataFrame:
    """Read some columns of a Parquet table, whoever wrote it.

    Parameters
    ----------
    path : path
    columns : sequence of str

    Returns
    -------
    pandas.DataFrame
        These columns, in this order.

    Raises
    ------
    InputError
        If the file is unreadable or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; a Parquet table with the columns {list(columns)} goes there")
    try:
        table = pq.ParquetFile(path).read()
        absent = [name for name in columns if name not in table.column_names]
        if not absent:
            return table.select(list(columns)).to_pandas()
        there = f"{table.column_names}"
    except (OSError, pa.ArrowException, ValueError, LookupError, TypeError) as error:
        # Damaged names, texts and notes of pandas raise what Python raises.
        raise InputError(f"{path}: cannot be read as a Parquet table ({in_short(error)})") from error
    raise InputError(f"{path}: needs the columns {absent}, it has {there[:1000]}")


def read_prompts(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read ``prompts.parquet``.

    Parameters
    ----------
    path : path

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, rows in the file's order.

    Raises
    ------
    InputError
        If the file is unreadable, lacks a column or a value, or the prompts of a set are not 0..n-1 in order.
    """
    table = read_columns(path, COLUMNS)
    for name in COLUMNS[:4]:
        if table[name].isna().any():
            row = int(np.flatnonzero(table[name].isna())[0])
            raise InputError(f"{path}: row {row} has no {name}; every prompt needs one")
    for name, rows in table.groupby("prompt_set", sort=False):
        if rows["prompt"].tolist() != list(range(len(rows))):
            raise InputError(f"{path}: prompts of '{name}' are not numbered 0 to {len(rows) - 1} in order")
    return table


def prompts_of_span(path: str | os.PathLike[str], prompt_set: str, span: str) -> pd.Series:
    """Read the texts of one span of a set, such as ``000000-000063``, by the number of the prompt.

    Raises
    ------
    InputError
        If the set lacks one of them, or as `read_prompts` does.
    """
    numbers, table = list(span_range(span)), read_prompts(path)
    texts = table[table["prompt_set"] == prompt_set].set_index("prompt")["text"]
    if not set(numbers) <= set(texts.index):
        raise InputError(f"{path}: set {prompt_set} lacks prompts of {span}, it has {len(texts)}")
    return texts[numbers]


def first_prompts(path: str | os.PathLike[str], prompt_set: str, n: int) -> list[str]:
    """Read the texts of the first n prompts of a set; errors as of `prompts_of_span`."""
    return [str(text) for text in prompts_of_span(path, prompt_set, span_name(0, n))]


def describe(table: pd.DataFrame, largest: int = 10) -> dict[str, Any]:
    """Say what a reader of the lists must know: repetitions, families, what lists share.

    Parameters
    ----------
    table : pandas.DataFrame
        As `prompt_table` gives it.
    largest : int
        How many families to name.

    Returns
    -------
    dict
        JSON values. `lists`: by set `prompts`, `families`, `duplicates` (text, count) and `largest_families`
        (size, a member); `shared`: by pair how many `texts`, `normalized` texts, `families` both have.
    """
    lists: dict[str, Any] = {}
    members: dict[str, list[set[Any]]] = {}
    for name, rows in table.groupby("prompt_set", sort=False):
        sizes = Counter(rows["family"].tolist()).most_common(largest)  # ties in the order of occurrence
        sample = rows.drop_duplicates("family").set_index("family")["text"]
        lists[str(name)] = {
            "prompts": len(rows),
            "families": int(rows["family"].nunique()),
            "duplicates": [{"text": t, "count": c} for t, c in duplicates(rows["text"].tolist())],
            "largest_families": [{"size": size, "member": sample[f]} for f, size in sizes if size > 1],
        }
        members[str(name)] = [set(rows["text"]), {normalized(t) for t in rows["text"]}, set(rows["family"])]
    kinds = ("texts", "normalized", "families")
    shared = {
        f"{one} & {other}": {
            kind: len(mine & theirs)
            for kind, mine, theirs in zip(kinds, members[one], members[other], strict=True)
        }
        for one, other in itertools.combinations(lists, 2)
    }
    return {"lists": lists, "shared": shared}


def _entries(path: Path, column: str) -> Iterator[tuple[str, Any]]:
    """Give each entry of a text file with the place where it stands."""
    text = _text(path)
    if path.suffix.lower() == ".json":
        try:
            items = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}, line {error.lineno}: is not JSON ({error.msg}); repair it") from error
        if not isinstance(items, list):
            raise InputError(f"{path}: holds a JSON {type(items).__name__}, a list of prompts was expected")
        yield from ((f"item {i}", _pick(v, column, f"{path}, item {i}")) for i, v in enumerate(items))
    elif path.suffix.lower() in {".csv", ".tsv"}:
        yield from _cells(path, text, column)
    else:
        # Only "\n" ends a line, or "\r" where there is none: captions hold characters that splitlines takes
        # for ends of lines.
        end = "\n" if "\n" in text else "\r"
        lines = [line.removesuffix("\r") for line in text.removesuffix(end).split(end)]
        for number, line in enumerate(lines if text else [], start=1):
            place = f"line {number}"
            if path.suffix.lower() == ".txt":
                yield place, line
                continue
            try:
                value = json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(f"{path}, {place}: is not JSON ({error.msg}); repair it") from error
            yield place, _pick(value, column, f"{path}, {place}")


def _cells(path: Path, text: str, column: str) -> Iterator[tuple[str, Any]]:
    # A TSV file knows no quotes: they are part of the caption.
    tabs: dict[str, Any] = {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
    style = tabs if path.suffix.lower() == ".tsv" else {"strict": True}
    csv.field_size_limit(2**31 - 1)  # a table of prompts may hold addresses with whole images beside them
    reader = csv.reader(io.StringIO(text, newline=""), **style)
    try:
        header = next(reader, [])
        if header.count(column) != 1:
            raise InputError(f"{path}, line 1: needs one column '{column}', the header has {header}")
        at, line = header.index(column), reader.line_num
        for row in reader:
            place = f"line {line + 1}"
            if len(row) != len(header):
                raise InputError(f"{path}, {place}: has {len(row)} cells, the header has {len(header)}")
            yield place, row[at]
            line = reader.line_num
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: is not a table ({error}); repair it") from error


def _table(path: Path, column: str) -> Iterator[tuple[str, Any]]:
    for i, value in enumerate(read_columns(path, [column])[column]):
        yield f"row {i}", value


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); a list of prompts goes there"
        ) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: is not UTF-8; convert the file to UTF-8") from error
    if _PAGE.match(text):
        raise InputError(f"{path}: is a web page, not a list of prompts; fetch the file itself")
    return text


def _pick(value: Any, column: str, place: str) -> Any:
    if isinstance(value, dict):
        if column not in value:
            raise InputError(f"{place}: has no key '{column}', it has {sorted(value)!s:.1000}")
        return value[column]
    return value


def _checked(text: Any, place: str) -> str:
    if not isinstance(text, str):
        raise InputError(f"{place}: a prompt is a string, this is {text!r:.40}")
    if not text.strip():
        raise InputError(f"{place}: the prompt is empty; remove it")
    control = next((c for c in text if unicodedata.category(c) == "Cc" and c not in "\t\n\r\x85"), None)
    if control is not None:
        raise InputError(f"{place}: holds the control character {control!r}; remove it")
    return text
