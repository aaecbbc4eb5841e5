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

from mmh.errors import InputError
from mmh.prompts.options import Families

COLUMNS = ("prompt_set", "prompt", "text", "family", "train")
FORMATS = (".txt", ".json", ".jsonl", ".csv", ".tsv", ".parquet")
CAPTION = "caption"
"""Key or column that holds the prompt, unless another is named."""
KIN = Families()
TEMPLATE_LETTERS = 4
_ROWS = 500  # prompts compared with all others at a time: bounds memory at 500 n numbers
_PAGE = re.compile(r"\s*<(!doctype html|html|\?xml)", re.IGNORECASE)


def read_prompt_list(path: str | os.PathLike[str], *, column: str = CAPTION) -> list[str]:
    """Read a list of prompts; its format follows from the end of its name.

    Parameters
    ----------
    path : path
        ``.txt``: one prompt a line, quotes and commas are part of it; ``.json``: a list of strings, or of
        objects; ``.jsonl``: an object (or a string) a line; ``.csv``, ``.tsv``: a table with a header;
        ``.parquet``. Text is UTF-8.
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
    if path.suffix not in FORMATS:
        raise InputError(f"{path}: a prompt list ends in one of {', '.join(FORMATS)}; rename or convert it")
    entries = _table(path, column) if path.suffix == ".parquet" else _entries(path, column)
    prompts = [_checked(text, f"{path}, {place}") for place, text in entries]
    if not prompts:
        raise InputError(f"{path}: holds no prompt; at least one was expected")
    return prompts


def duplicates(texts: Sequence[str]) -> list[tuple[str, int]]:
    """Find prompts that occur more than once, character by character.

    Parameters
    ----------
    texts : sequence of str

    Returns
    -------
    list of (str, int)
        Prompt and number of occurrences, in the order of first occurrence.
    """
    return [(text, count) for text, count in Counter(texts).items() if count > 1]


def normalized(text: str) -> str:
    """Reduce a prompt to its words in lower case, one space between them, without mark-up such as ``<i>``.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Never empty: a prompt without any word stays as it is.
    """
    plain = re.sub(r"</?\w+[^<>]*>", " ", unicodedata.normalize("NFKC", text)).casefold()
    return " ".join(re.findall(r"\w+", plain)) or text


def prompt_families(
    texts: Sequence[str],
    *,
    similar: float = KIN.similar,
    gram: int = KIN.gram,
    template_size: int = KIN.template_size,
    template_share: float = KIN.template_share,
) -> np.ndarray:
    """Group prompts that are near-duplicates, or that a shared template begins.

    Two prompts are linked if the sets of their character n-grams overlap (Jaccard index) by `similar` or
    more; and all prompts with the same first two words are, where that beginning is a template: both words
    have at least 4 letters, at least `template_size` prompts begin so, and these are at least
    `template_share` of the prompts with that first word ("Shaw Floors ...", but not "a man ..." nor "woman
    in ..."). A family is a connected component: members may be linked through others.

    Parameters
    ----------
    texts : sequence of str
        All prompts that are to be compared, of all lists together; compared as `normalized` gives them.
    similar : float
        In (0, 1].
    gram : int
        Characters of an n-gram, at least 1.
    template_size : int
        At least 2.
    template_share : float
        In (0, 1].

    Returns
    -------
    (n,) int64
        Family of each prompt: the smallest index of its members. All pairs are compared exactly, so time
        grows with the square of the number of prompts.

    Raises
    ------
    InputError
        If an option is out of range.
    """
    if not (0 < similar <= 1 and gram >= 1 and template_size >= 2 and 0 < template_share <= 1):
        raise InputError(
            "prompt families need 0 < similar <= 1, gram >= 1, template_size >= 2 and 0 < template_share <= "
            f"1, got {similar}, {gram}, {template_size} and {template_share}"
        )
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not len(texts):
        return np.empty(0, dtype=np.int64)
    words = [normalized(text) for text in texts]
    links = [*_similar(words, similar, gram), *_templates(words, template_size, template_share)]
    start, end = (np.concatenate(ends) for ends in zip(*links, strict=True))
    graph = coo_matrix((np.ones(len(start), dtype=np.int8), (start, end)), shape=(len(texts), len(texts)))
    component = connected_components(graph, directed=False)[1]
    _, first, member = np.unique(component, return_index=True, return_inverse=True)
    return first[member].astype(np.int64)


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
    except (OSError, pa.ArrowException) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: cannot be read as a Parquet table ({reason})") from error
    absent = [name for name in columns if name not in table.column_names]
    if absent:
        raise InputError(f"{path}: needs the columns {absent}, it has {table.column_names}")
    return table.select(list(columns)).to_pandas()


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


def _similar(words: list[str], similar: float, gram: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Link each prompt with itself and with all others that share enough n-grams."""
    from scipy.sparse import csr_matrix

    place: dict[str, int] = {}
    columns: list[int] = []
    ends = [0]
    for text in words:
        padded = f" {text} "  # so that a first and a last word count as words
        grams = {padded[k : k + gram] for k in range(max(1, len(padded) - gram + 1))}
        columns += [place.setdefault(g, len(place)) for g in grams]
        ends.append(len(columns))
    holds = csr_matrix((np.ones(len(columns)), columns, ends), shape=(len(words), len(place)))
    size = np.diff(ends).astype(np.float64)
    for start in range(0, len(words), _ROWS):
        common = (holds[start : start + _ROWS] @ holds.T).toarray()
        union = size[start : start + _ROWS, None] + size - common
        # 1e-12: a quotient such as 2 / 5 must reach its own decimal.
        one, other = np.nonzero(common >= (similar - 1e-12) * union)
        yield one + start, other


def _templates(words: list[str], size: int, share: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Link the prompts that begin with the same template to the first of them."""
    heads = [tuple(text.split(" ")[:2]) for text in words]
    first = Counter(head[0] for head in heads)
    for head, count in Counter(heads).items():
        long = len(head) == 2 and min(map(len, head)) >= TEMPLATE_LETTERS
        if long and count >= size and count >= share * first[head[0]]:
            rows = np.flatnonzero([h == head for h in heads])
            yield np.full(len(rows), rows[0]), rows


def _entries(path: Path, column: str) -> Iterator[tuple[str, Any]]:
    """Give each entry of a text file with the place where it stands."""
    text = _text(path)
    if path.suffix == ".json":
        try:
            items = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}, line {error.lineno}: is not JSON ({error.msg}); repair it") from error
        if not isinstance(items, list):
            raise InputError(f"{path}: holds a JSON {type(items).__name__}, a list of prompts was expected")
        yield from ((f"item {i}", _pick(v, column, f"{path}, item {i}")) for i, v in enumerate(items))
    elif path.suffix in {".csv", ".tsv"}:
        yield from _cells(path, text, column)
    else:
        # Only "\n" ends a line: captions hold characters that str.splitlines takes for ends of lines.
        lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
        for number, line in enumerate(lines if text else [], start=1):
            place = f"line {number}"
            if path.suffix == ".txt":
                yield place, line
                continue
            try:
                value = json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(f"{path}, {place}: is not JSON ({error.msg}); repair it") from error
            yield place, _pick(value, column, f"{path}, {place}")


def _cells(path: Path, text: str, column: str) -> Iterator[tuple[str, Any]]:
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter="," if path.suffix == ".csv" else "\t", strict=True
    )
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
            raise InputError(f"{place}: has no key '{column}', it has {sorted(value)}")
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
