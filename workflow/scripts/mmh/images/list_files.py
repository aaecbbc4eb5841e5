"""Files of lists, read record by record: JSON, JSON lines, TSV, CSV, plain text and Parquet.

A Parquet file may also hold the images themselves, as data sets of the hub do. Nothing is ever unpickled.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmh.errors import InputError

LONGEST = 2**31 - 1
"""Characters of a field: an address can hold a whole image. The csv module's own limit is 131,072."""
SUFFIXES = (".json", ".jsonl", ".tsv", ".csv", ".txt", ".parquet")


def records_of(
    path: Path, wanted: Sequence[str], header: Sequence[str] | None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Lines (from 1) or rows (Parquet, from 0) with the columns wanted."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: is no list that is known; expected a name in {', '.join(SUFFIXES)}")
    if path.suffix.lower() == ".parquet":
        yield from _parquet(path, wanted)
    elif path.suffix.lower() in (".tsv", ".csv"):
        yield from _separated(path, wanted, header)
    elif path.suffix.lower() == ".txt":
        _need(path, wanted, ["line"])
        yield from (
            (n, {"line": line}) for n, line in enumerate(text_of(path).split("\n"), 1) if line.strip()
        )
    elif path.suffix.lower() == ".jsonl":
        for number, line in enumerate(text_of(path).split("\n"), 1):
            if line.strip():
                yield number, _object(path, number, json_value(path, line, number), wanted)
    else:
        array = json_value(path, text_of(path))
        if not isinstance(array, list):
            raise InputError(f"{path}: holds {shown(array)}, expected a JSON array of objects")
        for place, value in enumerate(array):
            yield place, _object(path, place, value, wanted, "entry")


def _parquet(path: Path, wanted: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            _need(path, wanted, file.schema_arrow.names)
            for batch in file.iter_batches(batch_size=256, columns=list(dict.fromkeys(wanted))):
                for record in batch.to_pylist():
                    yield number, record
                    number += 1
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{path}: cannot be read as Parquet ({reason}); delete it and fetch it anew"
        ) from error


def _separated(
    path: Path, wanted: Sequence[str], header: Sequence[str] | None
) -> Iterator[tuple[int, dict[str, Any]]]:
    tabs = path.suffix.lower() == ".tsv"
    style: dict[str, Any] = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if tabs else {"strict": True}
    reader = csv.reader(io.StringIO(text_of(path), newline=""), **style)
    names = list(header) if header else None
    csv.field_size_limit(LONGEST)
    try:
        for fields in reader:
            if not fields:
                continue
            if names is None:
                names = fields
                _need(path, wanted, names)
            elif len(fields) != len(names):
                found = f"{len(fields)} fields"
                raise malformed(path, reader.line_num, found, f"{len(names)}: {', '.join(names)}")
            else:
                yield reader.line_num, dict(zip(names, fields, strict=True))
    except csv.Error as error:
        raise malformed(path, reader.line_num, str(error), "fields between separators") from error


def _object(path: Path, number: int, value: Any, wanted: Sequence[str], unit: str = "line") -> dict[str, Any]:
    if not isinstance(value, dict):
        raise malformed(path, number, shown(value), f"an object with {', '.join(wanted)}", unit)
    for name in wanted:
        if name not in value:
            raise malformed(path, number, f"no {name!r} among {sorted(value)}", "it", unit)
    return value


def _need(path: Path, wanted: Sequence[str], names: Sequence[str]) -> None:
    for name in wanted:
        if name not in names:
            raise InputError(
                f"{path}: has no column {name!r} but {', '.join(names)}; correct columns (or header) of its "
                "image set in config.yaml"
            )


def image_bytes(path: Path, number: int, column: str, value: Any) -> bytes:
    """Give the file of an image that a cell of a Parquet file holds."""
    content = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(content, bytes):
        raise malformed(path, number, f"column {column!r} holds {shown(value)}", "bytes of an image", "row")
    return content


def text_of(path: Path) -> str:
    """Read a file in UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; save it as UTF-8") from error
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); check its name in config.yaml"
        ) from error


def json_value(path: Path, text: str, line: int | None = None) -> Any:
    """Parse JSON, of a whole file or of one line of it."""
    try:
        return json.loads(text)
    except ValueError as error:  # JSONDecodeError counts lines within `text`
        number = line or int(getattr(error, "lineno", 1))
        raise malformed(path, number, f"no JSON ({error})", "a JSON value") from error


def malformed(path: Path, number: int, found: str, expected: str, unit: str = "line") -> InputError:
    """Word a fault of a file: where it is, what was found, what was expected."""
    return InputError(
        f"{path}, {unit} {number}: {found}, expected {expected}; correct the file, or its columns"
    )


def unit_of(path: Path) -> str:
    """Name what a list of this kind is numbered by."""
    return {".parquet": "row", ".json": "entry"}.get(path.suffix.lower(), "line")


def shown(value: Any) -> str:
    """Show a value in one short line."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
