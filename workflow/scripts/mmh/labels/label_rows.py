"""The rows of one label file, as people and spreadsheets write them, and what is wrong with any.

A file is CSV, with the columns of the label sheet or the short `sample,train,label,rater,time`; one row is
one rater's word on one pair.
"""

import csv
import io
import os
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from mmh.errors import InputError
from mmh.labels.classes import CLASSES
from mmh.labels.spreadsheet_cells import unguard_cell

COLUMNS = ("sample", "train", "label", "rater", "time")
SHEET_COLUMNS = ("pair", *COLUMNS, "blind", "page_version", "sheet")
# What a spreadsheet leaves of an id: 1.2E+15, 1.234 or 1,0, 12/03/2024 or Mar-12.
_CHANGED = re.compile(r"[\d.,]*\d[eE][+-]?\d+|\d+[.,]\d+|\w+[./-]\w+([./-]\w+)?")

_SEPARATOR = re.compile(r"[ \t]*sep=[,;\t][ \t]*(\r\n|\n|\r|$)", re.IGNORECASE)


def read_rows(
    path: str | os.PathLike[str],
) -> tuple[list[tuple[int, dict[str, str]]], list[str], int]:
    """Read a file's well-formed rows with their lines, say what is wrong with others, count empty ones."""
    lines, faults = _rows(path)
    if not lines:
        raise InputError(f"{path}: empty; expected a header {','.join(COLUMNS)} and rows")
    header = [name.strip() for name in lines[0][1]]
    while header and not header[-1]:
        header.pop()
    columns = SHEET_COLUMNS if {"pair", "sheet"} & set(header) else COLUMNS
    wrong = [f"unknown column '{name}'" for name in header if name not in columns]
    wrong += [f"column '{name}' is missing" for name in columns if name not in header]
    wrong += [f"column '{name}' occurs twice" for name in sorted(set(header)) if header.count(name) > 1]
    if wrong:
        expected = f"; columns are {', '.join(columns)}"
        raise InputError(f"{path}, line {lines[0][0]}: " + "; ".join(wrong) + expected)
    records: list[tuple[int, dict[str, str]]] = []
    empty = 0
    for line, cells in lines[1:]:
        if len(cells) < len(header) or any(cell.strip() for cell in cells[len(header) :]):
            faults.append(f"{path}, line {line}: {len(cells)} cells, expected {len(header)}")
            continue
        record = {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
        if columns is SHEET_COLUMNS and not (record["label"] or record["time"] or record["blind"]):
            empty += 1
            continue
        name = unicodedata.normalize("NFC", unguard_cell(record["rater"]))
        record["rater"] = " ".join("".join(c if c.isprintable() else " " for c in name).split())
        found = [f"{path}, line {line}: {fault}" for fault in _row_faults(record)]
        faults += found
        if not found:
            records.append((line, record))
    if not records and not faults:
        what = f"none of its {empty} rows has a label" if empty else "no rows below the header"
        raise InputError(f"{path}: {what}; remove the file if there is nothing to say")
    return records, faults, empty


def _rows(path: str | os.PathLike[str]) -> tuple[list[tuple[int, list[str]]], list[str]]:
    """Split a file into rows of cells, each with the line that it starts on."""
    try:
        content = Path(path).read_bytes()
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        kind = "UTF-16" if b"\0" in content else f"byte 0x{error.object[error.start]:02x}"
        raise InputError(f"{path}, line {line}: not UTF-8 ({kind}); save the file as CSV in UTF-8") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if "\0" in text:
        raise InputError(f"{path}: not UTF-8 (UTF-16, by its zero bytes); save the file as CSV in UTF-8")
    start = 1
    if said := _SEPARATOR.match(text):  # Excel's own line, which says what stands between cells
        text, start = text[said.end() :], 2
    head = text.lstrip().partition("\n")[0]
    # Some languages' spreadsheets save semicolons; no name of a column holds any of the three.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
    rows: list[tuple[int, list[str]]] = []
    faults = []
    above = start - 1
    try:
        for cells in reader:
            last = reader.line_num + above
            if last > start:  # a lost quote has swallowed the rows between
                faults.append(f"{path}, line {start}: a cell goes on to line {last}: mend its quotes")
            elif any(cell.strip() for cell in cells):
                rows.append((start, cells))
            start = last + 1
    except csv.Error as error:
        raise InputError(f"{path}, line {start}: not CSV ({error})") from error
    return rows, faults


def _row_faults(record: Mapping[str, str]) -> list[str]:
    faults = [
        f"{name} is '{record[name]}', expected an id (a whole number, 0 or more)"
        + (
            "; a spreadsheet changed it, format the column as text"
            if _CHANGED.fullmatch(record[name])
            else ""
        )
        for name in ("sample", "train")
        if not (record[name].isascii() and record[name].isdigit() and len(record[name]) < 19)
    ]
    if record["label"] not in CLASSES:
        faults.append(f"unknown label '{record['label']}', expected one of {', '.join(CLASSES)}")
    if not record["rater"]:
        faults.append("rater is empty")
    if record.get("blind", "") not in ("yes", "no", ""):
        faults.append(f"blind is '{record['blind']}', expected yes, no or nothing")
    if record["time"]:
        try:
            datetime.fromisoformat(record["time"])
        except ValueError:
            faults.append(
                f"time is '{record['time']}', expected ISO 8601 such as 2025-03-01T12:30:00, or nothing"
            )
    return faults
