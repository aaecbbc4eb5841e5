"""Labels of (sample, training image) pairs: reading and checking people's files, merging, planted truth.

A file is CSV with the columns `sample,train,label,rater,time`; one row is one rater's word on one pair. A
sample's class is the most severe of its pairs: exact > reconstructive > unsure > not_memorized.
"""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from mmh.errors import InputError

COLUMNS = ("sample", "train", "label", "rater", "time")
CLASSES = ("exact", "reconstructive", "unsure", "not_memorized")  # most severe first
TABLE = ("sample", "train", "label", "raters", "source")


def read_label_file(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read one label file and check every row.

    Parameters
    ----------
    path : path
        CSV in UTF-8 (a byte-order mark is allowed), columns in any order; `time` is ISO 8601 or empty; blank
        lines are skipped.

    Returns
    -------
    pandas.DataFrame
        `sample`, `train` int64; `label`, `rater`, `time` str; `file` str and `line` int64 tell where it is.

    Raises
    ------
    InputError
        If the file is missing, empty or not UTF-8, or any row is malformed: all faults in one message, each
        with file and line.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: not UTF-8; save the file as CSV in UTF-8") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        rows.extend((reader.line_num, row) for row in reader if any(cell.strip() for cell in row))
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: not CSV ({error})") from error
    if not rows:
        raise InputError(f"{path}: empty; expected a header {','.join(COLUMNS)} and rows")
    header = [name.strip() for name in rows[0][1]]
    faults = [f"unknown column '{name}'" for name in header if name not in COLUMNS]
    faults += [f"column '{name}' is missing" for name in COLUMNS if name not in header]
    faults += [f"column '{name}' occurs twice" for name in sorted(set(header)) if header.count(name) > 1]
    if faults:
        expected = f"; columns are {', '.join(COLUMNS)}"
        raise InputError(f"{path}, line {rows[0][0]}: " + "; ".join(faults) + expected)
    if len(rows) == 1:
        raise InputError(f"{path}: no rows below the header; remove the file if there is nothing to say")

    records: list[dict[str, object]] = []
    seen: dict[tuple[int, int, str], int] = {}
    for line, cells in rows[1:]:
        where = f"{path}, line {line}: "
        if len(cells) != len(header):
            faults.append(f"{where}{len(cells)} cells, expected {len(header)}")
            continue
        record = dict(zip(header, (cell.strip() for cell in cells), strict=True))
        wrong = [where + fault for fault in _row_faults(record)]
        if not wrong:
            key = (int(record["sample"]), int(record["train"]), record["rater"])
            if key in seen:
                wrong.append(
                    f"{where}sample {key[0]}, train {key[1]}, rater '{key[2]}' is on line {seen[key]} already"
                )
            seen.setdefault(key, line)
        faults += wrong
        records.append({**record, "file": str(path), "line": line})
    if faults:
        raise InputError("; ".join(faults))
    return pd.DataFrame(records, columns=[*COLUMNS, "file", "line"]).astype(
        {"sample": np.int64, "train": np.int64, "line": np.int64}
    )


def _row_faults(record: dict[str, str]) -> list[str]:
    faults = [
        f"{name} is '{record[name]}', expected an id (a whole number, 0 or more)"
        for name in ("sample", "train")
        if not (record[name].isascii() and record[name].isdigit() and len(record[name]) < 19)
    ]
    if record["label"] not in CLASSES:
        faults.append(f"unknown label '{record['label']}', expected one of {', '.join(CLASSES)}")
    if not record["rater"]:
        faults.append("rater is empty")
    if record["time"]:
        try:
            datetime.fromisoformat(record["time"])
        except ValueError:
            faults.append(
                f"time is '{record['time']}', expected ISO 8601 such as 2025-03-01T12:30:00, or nothing"
            )
    return faults


def merge_labels(
    files: Sequence[pd.DataFrame],
    *,
    samples: Iterable[int],
    matches: pd.DataFrame,
    source: str,
) -> pd.DataFrame:
    """Merge the rows of several files into one label per pair: the majority of its raters, a tie is `unsure`.

    Parameters
    ----------
    files : sequence of pandas.DataFrame
        Results of `read_label_file`; a rater may label a pair once over all of them.
    samples : iterable of int
        Ids of the samples of this experiment.
    matches : pandas.DataFrame
        The experiment's matches: a pair may be labelled only if it was retrieved.
    source : str
        `people` or `planted`.

    Returns
    -------
    pandas.DataFrame
        `sample`, `train` int64, `label` str, `raters` int64, `source` str; sorted by pair.

    Raises
    ------
    InputError
        If a sample or pair is unknown or a rater labels a pair twice: all of them, with file and line.
    """
    columns = [*COLUMNS, "file", "line"]
    rows = pd.concat(files, ignore_index=True)[columns] if files else pd.DataFrame(columns=columns)
    known, faults = set(samples), []
    pairs = set(zip(matches["sample"], matches["train"], strict=True))
    first: dict[tuple[int, int, str], str] = {}
    for row in rows.itertuples(index=False):
        where = f"{row.file}, line {row.line}"
        key = (row.sample, row.train, row.rater)
        if row.sample not in known:
            faults.append(f"{where}: unknown sample {row.sample}")
        elif (row.sample, row.train) not in pairs:
            faults.append(f"{where}: training image {row.train} is no match of sample {row.sample}")
        elif key in first:
            faults.append(
                f"{where}: sample {row.sample}, train {row.train}, rater '{row.rater}' "
                f"is in {first[key]} already"
            )
        first.setdefault(key, where)
    if faults:
        raise InputError("; ".join(faults))
    merged = [
        (sample, train, _majority(group), len(group), source)
        for (sample, train), group in rows.groupby(["sample", "train"], sort=True)["label"]
    ]
    return pd.DataFrame(merged, columns=list(TABLE)).astype(
        {"sample": np.int64, "train": np.int64, "raters": np.int64, "label": str, "source": str}
    )


def _majority(votes: pd.Series) -> str:
    counts = votes.value_counts()
    winners = counts.index[counts == counts.max()]
    return str(winners[0]) if len(winners) == 1 else "unsure"


def sample_classes(labels: pd.DataFrame, matches: pd.DataFrame | None = None) -> pd.DataFrame:
    """Give each labelled sample the most severe class of its pairs, and the pair that gave it.

    Parameters
    ----------
    labels : pandas.DataFrame
        Table of `merge_labels`.
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
