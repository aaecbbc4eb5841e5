"""People's label files together, checked against the pairs that they may name."""

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmh.errors import InputError
from mmh.labels.label_rows import read_rows
from mmh.labels.sheet_pairs import sheet_hash

VOTES = ("pair", "sample", "train", "label", "rater", "time", "blind", "round", "file", "line")
MOST_FAULTS = 50
"""Faults that are shown: in a file of another sheet every row has one."""


@dataclass(frozen=True)
class Sheet:
    """What files of a label sheet may name."""

    pairs: Mapping[str, tuple[int, int]]  # sample and training image of each pair
    rounds: Mapping[
        str, tuple[int, Collection[str]]
    ]  # a sheet's name: round 1 or 2, and the pairs it asks for


def sheet_of(table: pd.DataFrame) -> Sheet:
    """Say what files of a label sheet may name.

    Parameters
    ----------
    table : pandas.DataFrame
        From `mmh.labels.sheet_pairs.sheet_pairs` or `restrict`.

    Returns
    -------
    Sheet
    """
    asked = table.loc[table["place"].notna(), "pair"]
    return Sheet(
        pairs=dict(zip(table["pair"], zip(table["sample"], table["train"], strict=True), strict=True)),
        # A page of all pairs is the first round's, so that name comes last.
        rounds={sheet_hash(asked): (2, set(asked)), sheet_hash(table["pair"]): (1, set(table["pair"]))},
    )


def read_label_files(
    paths: Sequence[str | os.PathLike[str]],
    *,
    matches: pd.DataFrame,
    sheet: Sheet | None = None,
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
            records, wrong, empty = read_rows(path)
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
