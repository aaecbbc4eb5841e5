"""One table from the same tables of several runs: a row for each number, with its spread over the runs."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from mmh.errors import InputError

KEYS = ("experiment", "table", "row", "number")
SPREAD = ("mean", "sd", "min", "max")
DIGITS = 6


def collect(path: Path, rows: Sequence[str], numbers: Sequence[str]) -> dict[tuple[str, str], str]:
    """Read numbers of a table.

    Parameters
    ----------
    path : Path
        A CSV file.
    rows : sequence of str
        Columns that together name a row.
    numbers : sequence of str
        Columns to take.

    Returns
    -------
    dict of (str, str) to str
        Values as they are written, by row and column.

    Raises
    ------
    InputError
        If a column is missing, or two rows have one name.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    absent = [name for name in (*rows, *numbers) if name not in table.columns]
    if absent:
        raise InputError(f"{path} has no column {absent[0]}; it has {', '.join(table.columns)}")
    names = table[list(rows)].agg("; ".join, axis=1)
    if names.duplicated().any():
        raise InputError(f"{path}: {', '.join(rows)} name two rows {names[names.duplicated()].iloc[0]!r}")
    return {(row, name): value for name in numbers for row, value in zip(names, table[name], strict=True)}


def spread(runs: Mapping[str, Mapping[tuple[str, ...], str]]) -> pd.DataFrame:
    """Put the numbers of several runs side by side.

    Parameters
    ----------
    runs : mapping of str to mapping
        By name of the run: values by what `KEYS` says.

    Returns
    -------
    pandas.DataFrame
        Strings: `KEYS`, a column per run, then `SPREAD`: mean over the runs, standard deviation (n - 1),
        least and greatest. What a run lacks is empty and does not count; the spread of words is empty.
    """
    keys = dict.fromkeys(key for values in runs.values() for key in values)
    rows = []
    for key in keys:
        values = [found.get(key, "") for found in runs.values()]
        rows.append([*key, *values, *_spread([value for value in values if value])])
    return pd.DataFrame(rows, columns=[*KEYS, *runs, *SPREAD])


def _spread(values: list[str]) -> list[str]:
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return [""] * len(SPREAD)
    if not numbers:
        return [""] * len(SPREAD)
    deviation = statistics.stdev(numbers) if len(numbers) > 1 else None
    found = (statistics.fmean(numbers), deviation, min(numbers), max(numbers))
    return ["" if value is None else f"{value:.{DIGITS}g}" for value in found]
