"""Labels of (sample, training image) pairs: reading and checking people's files, planted truth.

A file is CSV, with the columns of the label sheet or the short `sample,train,label,rater,time`; one row is
one rater's word on one pair. A sample's class is the most severe of its pairs: exact > reconstructive >
unsure > not_memorized.
"""

import csv
import io
import os
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from mmh.errors import InputError

COLUMNS = ("sample", "train", "label", "rater", "time")
SHEET_COLUMNS = ("pair", *COLUMNS, "blind", "page_version", "sheet")
CLASSES = ("exact", "reconstructive", "unsure", "not_memorized")  # most severe first
VOTES = ("pair", "sample", "train", "label", "rater", "time", "blind", "round", "file", "line")
MOST_FAULTS = 50
"""Faults that are shown: in a file of another sheet every row has one."""
# What a spreadsheet leaves of an id: 1.2E+15, 1.234 or 1,0, 12/03/2024 or Mar-12.
_CHANGED = re.compile(r"[\d.,]*\d[eE][+-]?\d+|\d+[.,]\d+|\w+[./-]\w+([./-]\w+)?")


@dataclass(frozen=True)
class Sheet:
    """What files of a label sheet may name."""

    pairs: Mapping[str, tuple[int, int]]  # sample and training image of each pair
    rounds: Mapping[
        str, tuple[int, Collection[str]]
    ]  # a sheet's name: round 1 or 2, and the pairs it asks for


def read_label_files(
    paths: Sequence[str | os.PathLike[str]],
    *,
    matches: pd.DataFrame,
    sheet: Sheet | None = None,
    unguard: Callable[[str], str] = str,
) -> tuple[pd.DataFrame, int]:
    """Read label files and check every row: either all are right, or all faults are told at once.

    Files are in UTF-8 (a byte-order mark is allowed), with cells apart by commas, semicolons or tabs and
    columns in any order. Blank lines and empty columns at the right are skipped. In a file of a label sheet a
    row without label, time and `blind` is a pair that nobody has judged, and is passed over.

    Parameters
    ----------
    paths : sequence of path
        The files, in any order.
    matches : pandas.DataFrame
        The experiment's matches: a short file may label what was retrieved.
    sheet : Sheet, optional
        The label sheet, if the experiment has one.
    unguard : callable
        `mmh.labels.label_sheet.unguard_cell`, for raters' names.

    Returns
    -------
    votes : pandas.DataFrame
        `VOTES`: `pair` str, empty for one that is not on the sheet; `sample`, `train` int64; `label` str;
        `rater` str in composed Unicode with single spaces; `time` str as given; `blind` str: `yes`, `no` or
        empty; `round` int64; `file` str and `line` int64 tell where it is. By ids, then round, then rater.
    passed_over : int
        Rows without a label.

    Raises
    ------
    InputError
        If a file is unreadable, or a row is malformed, names an unknown pair or another sheet, or repeats a
        rater's word of the same round: a line for each fault, with file and line.
    """
    known = set(zip(matches["sample"], matches["train"], strict=True))
    samples = {sample for sample, _ in known}
    names = {ids: name for name, ids in sheet.pairs.items()} if sheet else {}
    faults: list[str] = []
    votes: list[dict[str, object]] = []
    first: dict[tuple[object, ...], tuple[str, int]] = {}
    spelt: dict[str, tuple[str, str]] = {}
    passed_over = 0
    for path in paths:
        try:
            records, wrong, empty = _read(path, unguard)
        except InputError as error:
            faults.append(str(error))
            continue
        passed_over += empty
        faults += wrong
        for line, record in records:
            where = f"{path}, line {line}"
            sample, train, rater = int(record["sample"]), int(record["train"]), record["rater"]
            fault, stage = "", 1
            if "pair" in record:
                fault, stage = _sheet_fault(record, sheet)
            elif sample not in samples:
                fault = f"unknown sample {sample}"
            elif (sample, train) not in known:
                fault = f"training image {train} is no match of sample {sample}"
            key = (sample, train, rater, stage)
            name, before = spelt.setdefault(rater.casefold(), (rater, where))
            if not fault and key in first:
                file, place = first[key]
                at = f"on line {place}" if file == str(path) else f"in {file}, line {place}"
                fault = (
                    f"sample {sample}, train {train}, rater '{rater}' is {at} already; keep one of the two"
                )
            elif not fault and name != rater:
                fault = f"rater '{rater}' is '{name}' in {before}; spell a person's name alike everywhere"
            if fault:
                faults.append(f"{where}: {fault}")
                continue
            first[key] = (str(path), line)
            ids = {"pair": names.get((sample, train), ""), "sample": sample, "train": train, "round": stage}
            votes.append({"blind": "", **record, **ids, "file": str(path), "line": line})
    if faults:
        raise InputError(_listed(faults))
    types = {name: np.int64 if name in {"sample", "train", "round", "line"} else str for name in VOTES}
    table = pd.DataFrame(votes, columns=list(VOTES)).astype(types)
    return table.sort_values(["sample", "train", "round", "rater"], ignore_index=True), passed_over


def _listed(faults: Sequence[str]) -> str:
    if len(faults) == 1:
        return faults[0]
    more = [f"and {len(faults) - MOST_FAULTS} more"] if len(faults) > MOST_FAULTS else []
    return "\n  ".join([f"{len(faults)} faults in label files:", *faults[:MOST_FAULTS], *more])


def _sheet_fault(record: Mapping[str, str], sheet: Sheet | None) -> tuple[str, int]:
    """Say what is wrong with the pair that a row names, and tell the round."""
    if sheet is None:
        return "it is of a label sheet, this experiment has none (candidates in config.yaml)", 1
    pair, ids = record["pair"], (int(record["sample"]), int(record["train"]))
    # Labels outlive a change of the list, which may have grown since: a pair's name holds its images.
    stage, asked = sheet.rounds.get(record["sheet"], (1, set(sheet.pairs)))
    earlier = re.fullmatch("s[0-9a-f]{16}", record["sheet"]) and pair in sheet.pairs
    if record["sheet"] not in sheet.rounds and not earlier:
        return f"it is of sheet '{record['sheet']}', expected {' or '.join(sheet.rounds)}", 1
    if pair not in sheet.pairs:
        return f"unknown pair '{pair}'; take the id from the template", stage
    if sheet.pairs[pair] != ids:
        sample, train = sheet.pairs[pair]
        return f"pair {pair} is sample {sample}, train {train}, found {ids[0]}, {ids[1]}", stage
    return "" if pair in asked else f"pair {pair} is not on sheet {record['sheet']}", stage


def _read(
    path: str | os.PathLike[str], unguard: Callable[[str], str]
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
        name = unicodedata.normalize("NFC", unguard(record["rater"]))
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
    head = text.lstrip().partition("\n")[0]
    # Some languages' spreadsheets save semicolons; no name of a column holds any of the three.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
    rows: list[tuple[int, list[str]]] = []
    faults = []
    start = 1
    try:
        for cells in reader:
            if reader.line_num > start:  # a lost quote has swallowed the rows between
                faults.append(
                    f"{path}, line {start}: a cell goes on to line {reader.line_num}: mend its quotes"
                )
            elif any(cell.strip() for cell in cells):
                rows.append((start, cells))
            start = reader.line_num + 1
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


def sample_classes(labels: pd.DataFrame, matches: pd.DataFrame | None = None) -> pd.DataFrame:
    """Give each labelled sample the most severe class of its pairs, and the pair that gave it.

    Parameters
    ----------
    labels : pandas.DataFrame
        Labels of pairs: `sample`, `train`, `label`.
    matches : pandas.DataFrame, optional
        Among pairs of that class the one of best rank by `calibrated_l2` is taken, then the smallest id;
        without matches the smallest id.

    Returns
    -------
    pandas.DataFrame
        `sample` int64, `label` str, `train` int64; one row per labelled sample, sorted.
    """
    table = labels[["sample", "train", "label"]].copy()
    table["severity"] = table["label"].map({name: k for k, name in enumerate(CLASSES)})
    table["rank"] = np.inf
    if matches is not None:
        ranks = matches[matches["metric"] == "calibrated_l2"].set_index(["sample", "train"])["rank"]
        found = ranks.reindex(pd.MultiIndex.from_frame(table[["sample", "train"]])).to_numpy(dtype=np.float64)
        table["rank"] = np.where(np.isnan(found), np.inf, found)
    table = table.sort_values(["sample", "severity", "rank", "train"], kind="stable")
    return table.drop_duplicates("sample")[["sample", "label", "train"]].reset_index(drop=True)


def plant_labels(
    samples: np.ndarray,
    sample_ids: np.ndarray,
    train: np.ndarray,
    train_table: pd.DataFrame,
    matches: pd.DataFrame,
    *,
    exact_distance: float,
    not_distance: float,
    template: str = "template",
) -> pd.DataFrame:
    """Label retrieved pairs of an embedded world by distance to the planted images.

    - `reconstructive`: the training image belongs to a template family and the sample is closer than
      `exact_distance` to the family's base on the pixels that the family shares. A sample that is also that
      close to a variant over *all* pixels stays reconstructive: the patch is free, so a variant near it is
      an accident of how densely the patch was sampled and no copy;
    - `exact`: the training image is no template variant and l2(sample, image) < `exact_distance`;
    - `not_memorized`: that distance (without the free patch, for a variant) is above `not_distance`;
    - `unsure`: what is left.

    Parameters
    ----------
    samples : (n, ...) float
        Generated images, row i with id `sample_ids[i]`, on the scale of `train`.
    sample_ids : (n,) int
        Their ids.
    train : (m, ...) float
        Training images in the row order of `train_table`.
    train_table : pandas.DataFrame
        `train`, `population` and `group`; variants of one family share a group.
    matches : pandas.DataFrame
        The pairs to label.
    exact_distance, not_distance : float
        Euclidean distances with 0 < `exact_distance` <= `not_distance`, in the units of the images.
    template : str
        Population name of template families.

    Returns
    -------
    pandas.DataFrame
        Columns of a label file, rater `planted`, time empty; sorted by pair.

    Raises
    ------
    InputError
        If the thresholds are out of order or a match names an unknown sample or training image.
    """
    if not 0 < exact_distance <= not_distance:
        raise InputError(
            f"planted labels need 0 < exact_distance <= not_distance, got {exact_distance} and {not_distance}"
        )
    pairs = matches[["sample", "train"]].drop_duplicates().sort_values(["sample", "train"], kind="stable")
    here = pd.Index(sample_ids).get_indexer(pairs["sample"])
    there = pd.Index(train_table["train"]).get_indexer(pairs["train"])
    for name, found in (("sample", here), ("train", there)):
        if (found < 0).any():
            raise InputError(
                f"matches name {name} {pairs[name].to_numpy()[found < 0][0]}, which does not exist"
            )
    flat = train.reshape(len(train), -1).astype(np.float64)
    difference = samples.reshape(len(samples), -1).astype(np.float64)[here] - flat[there]
    is_template = (train_table["population"] == template).to_numpy()
    group = train_table["group"].to_numpy()
    shared = np.ones_like(flat, dtype=bool)
    for family in np.unique(group[is_template]):
        rows = is_template & (group == family)
        shared[rows] = (flat[rows] == flat[rows][0]).all(axis=0)  # the base shows wherever variants agree
    whole = np.linalg.norm(difference, axis=1)
    base = np.linalg.norm(difference * shared[there], axis=1)
    variant = is_template[there]
    distance = np.where(variant, base, whole)  # the free patch tells nothing about the family
    label = np.select(
        [variant & (distance < exact_distance), distance < exact_distance, distance > not_distance],
        ["reconstructive", "exact", "not_memorized"],
        "unsure",
    )
    return pd.DataFrame(
        {
            "sample": pairs["sample"].to_numpy(np.int64),
            "train": pairs["train"].to_numpy(np.int64),
            "label": label,
            "rater": "planted",
            "time": "",
        }
    )
