"""Lists of captioned images of the web: their rows, and which of them an image set is made of.

Rows of images within a file are named ``<file>#<row>`` where others have an address.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmh.compute.rng import item_seed
from mmh.errors import InputError
from mmh.images.list_files import image_bytes, json_value, malformed, records_of, shown, text_of, unit_of

_EMBEDDED = re.compile(r"[^/]+\.parquet#\d+")


@dataclass(frozen=True)
class Row:
    """One image of a list."""

    url: str  # or <file>#<row>, for an image within the file
    caption: str
    key: bytes  # digest of what the row says, by which subsets are drawn


def read_list(
    path: Path,
    *,
    columns: Mapping[str, str],
    header: Sequence[str] | None = None,
    where: Mapping[str, Sequence[Any]] | None = None,
) -> list[Row]:
    """Read the rows of one list, in their order.

    Rows without an address or a caption are left out, and exact repetitions; a note says how many.

    Parameters
    ----------
    path : path
        The suffix tells the kind. JSON: an array of objects. JSON lines: an object a line. TSV: fields
        between tabs, no quotes. CSV: quotes as usual. Text: the column ``line``.
    columns : mapping
        ``caption``: name of the column of captions; and ``url``: of addresses, or ``image``: of images within
        a Parquet file, either bytes or a structure with the field ``bytes``.
    header : sequence of str, optional
        Names of the columns of a TSV or CSV file whose first line is a row already.
    where : mapping, optional
        Values that columns must have, for instance ``{"overfit_type": ["MV"]}``.

    Returns
    -------
    list of Row

    Raises
    ------
    InputError
        If the file is missing, of another kind or malformed (it names the line), lacks a column, or no row is
        left.
    """
    path, where = Path(path), where or {}
    image = columns.get("image")
    wanted = [columns["caption"], image or columns["url"], *where]
    rows: list[Row] = []
    seen: set[bytes] = set()
    passed: Counter[str] = Counter()
    empty: list[int] = []
    found: Counter[str] = Counter()
    for number, record in records_of(path, wanted, header):
        if any(record[column] not in list(values) for column, values in where.items()):
            found.update(f"{column} {record[column]!r}" for column in where)
            passed["filtered"] += 1
            continue
        caption, value = (record[name] for name in wanted[:2])
        if _absent(caption) or _absent(value):
            passed["empty"] += 1
            empty.append(number)
            continue
        if not isinstance(caption, str):
            raise malformed(path, number, f"column {wanted[0]!r} holds {shown(caption)}", "a text")
        if image:
            content, url = image_bytes(path, number, image, value), f"{path.name}#{number}"
        else:
            if not isinstance(value, str):
                raise malformed(path, number, f"column {wanted[1]!r} holds {shown(value)}", "an address")
            url = value.strip()
            content = url.encode()
        key = hashlib.sha256(hashlib.sha256(content).digest() + caption.encode()).digest()
        if key in seen:
            passed["repeated"] += 1
            continue
        seen.add(key)
        rows.append(Row(url, caption, key))
    if not rows:
        values = f"; found {', '.join(name for name, _ in found.most_common(5))}" if found else ""
        raise InputError(
            f"{path}: no row is left ({dict(passed) or 'the file is empty'}){values}; correct where and "
            "columns of its image set in config.yaml"
        )
    if passed:
        places = f" (empty: {unit_of(path)} {', '.join(map(str, empty[:5]))})" if empty else ""
        why = ", ".join(f"{n} {reason}" for reason, n in passed.items())
        print(f"{path}: {len(rows)} rows; left out: {why}{places}")
    return rows


def _absent(value: Any) -> bool:
    """Whether a cell holds nothing, or what other programs write for nothing: NaN."""
    return not value or value != value


def read_captions(path: Path) -> list[str]:
    """Read a list of captions that picks rows of another.

    Parameters
    ----------
    path : path
        ``.json``: an array of texts; ``.txt``: one a line.

    Returns
    -------
    list of str

    Raises
    ------
    InputError
        If the file is missing, malformed or empty.
    """
    path = Path(path)
    if path.suffix.lower() == ".txt":
        captions: Any = [line for line in text_of(path).split("\n") if line.strip()]
    elif path.suffix.lower() == ".json":
        captions = json_value(path, text_of(path))
    else:
        raise InputError(f"{path}: is no list of captions; expected .json or .txt")
    if not isinstance(captions, list) or not captions:
        raise InputError(f"{path}: holds {shown(captions)}, expected a JSON array of captions")
    for place, caption in enumerate(captions):
        if not isinstance(caption, str):
            raise InputError(f"{path}: entry {place} is {shown(caption)}, expected a caption")
    return captions


def pick_captions(rows: Sequence[Row], captions: Sequence[str], *, what: str) -> list[Row]:
    """Keep the rows whose caption is in a list; white space at the ends does not count.

    Parameters
    ----------
    rows : sequence of Row
    captions : sequence of str
        As from `read_captions`.
    what : str
        Name of the list of captions, for messages.

    Returns
    -------
    list of Row
        In the order of `rows`.

    Raises
    ------
    InputError
        If none matches.
    """
    wanted = {caption.strip() for caption in captions}
    kept = [row for row in rows if row.caption.strip() in wanted]
    if not kept:
        raise InputError(
            f"{what}: none of its {len(wanted)} captions is a caption of the {len(rows)} rows; do both files "
            "belong together?"
        )
    absent = sorted(wanted - {row.caption.strip() for row in kept})
    if absent:
        print(f"note: {len(absent)} of {len(wanted)} captions of {what} have no row, first {absent[0]!r}")
    return kept


def draw_rows(rows: Sequence[Row], n: int | None, seed: int) -> list[Row]:
    """Draw rows without replacement.

    Each row's number depends on the seed and on what the row says, so the draw does not depend on the order
    of the list, and n rows more in the list displace few of those drawn.

    Parameters
    ----------
    rows : sequence of Row
    n : int or None
        How many, all if there are fewer; None: all, in their order.
    seed : int
        Root seed.

    Returns
    -------
    list of Row
        In the order drawn, so that any first m of them are a draw of m.
    """
    if n is None:
        return list(rows)
    numbered = [
        (int(item_seed(seed, "image-set", int.from_bytes(row.key[:8], "little"))), row.key) for row in rows
    ]
    order = sorted(range(len(rows)), key=numbered.__getitem__)
    return [rows[place] for place in order[:n]]


def list_table(rows: Sequence[Row]) -> Any:
    """Tabulate rows.

    Parameters
    ----------
    rows : sequence of Row

    Returns
    -------
    pandas.DataFrame
        Columns of `mmh.io.tables.IMAGE_LIST`; `item` counts from 0.
    """
    import pandas as pd

    return pd.DataFrame(
        {"item": range(len(rows)), "url": [r.url for r in rows], "caption": [r.caption for r in rows]}
    )


def is_embedded(url: str) -> bool:
    """Tell whether a row names an image within a file, ``<file>.parquet#<row>``, and no address.

    Parameters
    ----------
    url : str

    Returns
    -------
    bool
    """
    return _EMBEDDED.fullmatch(url) is not None


def embedded_images(path: Path, column: str, urls: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Read images out of a Parquet file.

    Parameters
    ----------
    path : path
    column : str
        Column of images.
    urls : sequence of str
        ``<file>#<row>``, those of other files are passed over.

    Yields
    ------
    url : str
    data : bytes

    Raises
    ------
    InputError
        If the file is missing or malformed, or lacks the column or a row.
    """
    path = Path(path)
    wanted = {url for url in urls if url.rpartition("#")[0] == path.name}
    for number, record in records_of(path, [column], None) if wanted else ():
        url = f"{path.name}#{number}"
        if url in wanted:
            wanted.discard(url)
            yield url, image_bytes(path, number, column, record[column])
    if wanted:
        raise InputError(f"{path}: has no row {min(wanted)}; make the list of images anew")
