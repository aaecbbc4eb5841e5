"""One table from several trainings of an experiment: how each number varies within and between them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.errors import InputError
from mmh.stats.trainings import SCALES, on_scale, over_trainings

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = [
    "table",
    "row",
    "scale",
    "seeds",
    "n_trainings",
    "n_clusters",
    "mean",
    "sd",
    "values",
    "within",
    "between",
    "low",
    "high",
    "mean_low",
    "mean_high",
    "reason",
    "verdicts",
]
WORDS = ("table", "row", "scale", "seeds", "values", "reason", "verdicts")
"""Columns that hold texts; `seeds` and `values` are lists, parted by blanks."""
FILE = "trainings.csv"
DIGITS = 6
"""Significant digits of `values`."""


@dataclass(frozen=True)
class Numbers:
    """Where a table has numbers with intervals."""

    keys: tuple[str, ...]
    value: str
    low: str
    high: str
    reason: str


_AUC = ("auc", "auc_low", "auc_high", "auc_reason")
TABLES = {
    "evaluation.csv": Numbers(("estimator", "contrast"), *_AUC),
    "percentiles.csv": Numbers(("estimator", "contrast", "percentile"), *_AUC),
    "claims.csv": Numbers(("claim", "statistic", "under"), "estimate", "low", "high", "reason"),
}
"""Tables of an experiment whose numbers are compared; those that it does not make are passed over."""


def scale_of(table: str, row: str) -> str:
    """Scale on which the errors of a number are about normal, by what the number is.

    Parameters
    ----------
    table : str
        Of `TABLES`.
    row : str
        Its name; of a claim the statistic's words come after the claim's number.

    Returns
    -------
    str
        Of `mmh.stats.trainings.SCALES`.
    """
    if table != "claims.csv":
        return "logit"
    statistic = row.partition("; ")[2]
    if statistic.startswith("AUC of ") and " minus " not in statistic:
        return "logit"
    if statistic.startswith("Spearman correlation ") and ", less " not in statistic:
        return "artanh"
    if "P_theta/P_* at " in statistic and not statistic.startswith("slope "):
        return "log"
    return "share" if statistic.startswith("share of ") and " minus " not in statistic else "identity"


def row_name(table: str, row: Any) -> str:
    """Name a row of a table of `TABLES`, given as a named tuple, by what tells it apart."""
    parts = [getattr(row, key, "") for key in TABLES[table].keys]
    parts = [part for part in parts if part == part and part != ""]
    words = (f"{part:g}" if isinstance(part, float) else str(part) for part in parts)
    return "; ".join(words)


def read_trainings(path: Path) -> dict[str, "pd.DataFrame"]:
    """Read the table of all experiments, a part for each: `COLUMNS`, by `row`."""
    import pandas as pd

    table = pd.read_csv(path, dtype=dict.fromkeys(WORDS, str))
    table = table.fillna(dict.fromkeys(WORDS, ""))
    return {str(name): part.set_index("row") for name, part in table.groupby("experiment", sort=False)}


def trainings_table(folders: Mapping[int, Path]) -> "pd.DataFrame":
    """Put the numbers of several trainings together, a row for each.

    Parameters
    ----------
    folders : mapping of int to path
        Results of the experiment by the seed that it was trained with.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`. `mean`, `sd` and `values` are in the unit of the number; `within` (standard error over
        clusters, given one model) and `between` (standard deviation over trainings) are on `scale`.
        `low`, `high` hold the value of one further training, `mean_low`, `mean_high` the mean over all
        trainings: `mmh.stats.trainings.over_trainings`. Where one of the trainings has no interval, or only
        one has the number, they are missing and `reason` says why. `n_clusters` is the least of all
        trainings. `verdicts` counts them, for claims.

    Raises
    ------
    InputError
        If there are fewer than two trainings, or two rows of a table have one name.
    """
    import pandas as pd

    if len(folders) < 2:
        raise InputError("one training says nothing of others: two or more are needed")
    rows = []
    for name in TABLES:
        found = {seed: _read(folder / name) for seed, folder in folders.items() if (folder / name).is_file()}
        for row in dict.fromkeys(row for part in found.values() for row in part):
            rows.append(_row(name, row, {seed: part[row] for seed, part in found.items() if row in part}))
    return pd.DataFrame(rows, columns=COLUMNS)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    import pandas as pd

    table = pd.read_csv(path, dtype={"claim": str})
    names = [row_name(path.name, row) for row in table.itertuples()]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{path}: {', '.join(TABLES[path.name].keys)} name two rows {twice!r}")
    return dict(zip(names, table.to_dict("records"), strict=True))


def _row(table: str, name: str, trainings: dict[int, dict[str, Any]]) -> dict[str, Any]:
    told, scale = TABLES[table], scale_of(table, name)
    there = {seed: one for seed, one in trainings.items() if math.isfinite(one[told.value])}
    values = [float(one[told.value]) for one in there.values()]
    row: dict[str, Any] = {
        "table": table,
        "row": name,
        "scale": scale,
        "seeds": " ".join(map(str, there)),
        "n_trainings": len(there),
        "n_clusters": min((int(one["n_clusters"]) for one in there.values()), default=0),
        "mean": math.fsum(values) / len(values) if values else math.nan,
        "sd": math.nan,
        "values": " ".join(f"{value:.{DIGITS}g}" for value in values),
        "reason": "",
    }
    verdicts = [one["verdict"] for one in trainings.values() if "verdict" in one]
    row["verdicts"] = ", ".join(f"{word} {verdicts.count(word)}" for word in dict.fromkeys(verdicts))
    if len(values) < 2:
        return row | {"reason": f"{'one training alone' if values else 'no training'} has it"}
    row["sd"] = math.sqrt(math.fsum((value - row["mean"]) ** 2 for value in values) / (len(values) - 1))
    for seed, one in there.items():
        if not (math.isfinite(one[told.low]) and math.isfinite(one[told.high])):
            return row | {"reason": f"seed {seed} has no interval: {one[told.reason]}"}
    if scale == "log" and min(one[told.low] for one in there.values()) <= 0:
        row["scale"] = scale = "identity"  # a ratio that may be 0 has no logarithm
    df = max(row["n_clusters"] - 1, 1)
    pairs = [
        on_scale(scale, one[told.value], one[told.low], one[told.high], df, _edge(one))
        for one in there.values()
    ]
    found = over_trainings([value for value, _ in pairs], [error for _, error in pairs], df)
    back = SCALES[scale].unit
    ends = {"low": found.one[0], "high": found.one[1], "mean_low": found.mean[0], "mean_high": found.mean[1]}
    row |= {"within": found.within, "between": found.between}
    return row | {key: back(end) for key, end in ends.items()}


def half_a_pair(n_positive: int, n_negative: int) -> float:
    """By how much an AUC falls with half a pair of a positive and a negative in the wrong order."""
    return 0.5 / (n_positive * n_negative)


def _edge(one: dict[str, Any]) -> float:
    """`half_a_pair`; of claims only the number of both classes is told."""
    if "n_positive" in one:
        return half_a_pair(int(one["n_positive"]), int(one["n_negative"]))
    return half_a_pair(max(int(one["n"]) // 2, 1), max(int(one["n"]) // 2, 1))
