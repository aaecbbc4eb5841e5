"""The result tables as they are printed: in the summary that ends a run, and on the page of results."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mmh.evaluation.names import PROMPTS
from mmh.io.table_files import read_table
from mmh.io.tables import GENERATION_MATCHES

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


def evaluation_grids(table: "pd.DataFrame") -> Iterator[tuple[list[str], list[list[str]]]]:
    """Lay out ``evaluation.csv``: a column per contrast, a line per score; images first, then prompts.

    Controls that say nothing at all, an AUC of exactly one half without spread, are left out.

    Parameters
    ----------
    table : DataFrame

    Yields
    ------
    heads : list of str
        Each contrast with the numbers that it compares, and the clusters of the class with fewer.
    lines : list of list of str
        Name of the score, then its AUC with interval in each contrast, ``-`` where there is none.
    """
    on_prompts = table["contrast"].str.startswith(PROMPTS)
    for part in (table[~on_prompts], table[on_prompts]):
        idle = (part["auc_low"] == 0.5) & (part["auc_high"] == 0.5)
        kept = part[~idle.groupby(part["estimator"]).transform("all")] if len(part) else part
        if kept.empty:
            continue
        counts = kept.drop_duplicates("contrast")
        heads = [
            f"{row.contrast} ({row.n_positive} vs {row.n_negative}; {clusters(row)})"
            for row in counts.itertuples()
        ]
        lines = []
        for estimator, rows in kept.groupby("estimator", sort=False):
            found = {row.contrast: auc(row) for row in rows.itertuples()}
            lines.append([str(estimator), *(found.get(name, "-") for name in counts["contrast"])])
        yield heads, lines


def reasons(table: "pd.DataFrame") -> list[str]:
    """Say why AUCs have no interval, a line for each contrast and reason."""
    without = table[table["auc_low"].isna() & table["auc"].notna()]
    pairs = without[["contrast", "auc_reason"]].drop_duplicates().itertuples(index=False)
    return [f"{contrast}: no interval, since {reason}" for contrast, reason in pairs]


def clusters(row: Any) -> str:
    """Print the clusters that an interval rests on, such as ``20 matched groups``."""
    unit = str(row.unit)
    many = f"{unit[:-1]}ies" if unit.endswith("y") else f"{unit}s"
    return f"{row.n_clusters} {unit if row.n_clusters == 1 else many}"


def auc(row: Any) -> str:
    """Print an AUC with its interval; a lower bound below 1 never as 1."""
    if row.auc_low != row.auc_low:
        return f"{row.auc:.3f} [none]"
    low = math.floor(1000 * row.auc_low) / 1000 if round(row.auc_low, 3) == 1 > row.auc_low else row.auc_low
    return f"{row.auc:.3f} [{low:.3f}, {row.auc_high:.3f}]"


def estimate(row: Any) -> str:
    """Print the statistic of a claim with its interval, the number of items and of clusters."""
    if row.estimate != row.estimate:
        return "no data"
    count = f"n={row.n} ({clusters(row)})"
    if row.low != row.low:
        return f"{row.estimate:.3g}, {count}: no interval, since {row.reason}"
    return f"{row.estimate:.3g} [{row.low:.3g}, {row.high:.3g}], {count}"


def generation_sentences(path: "Path") -> Iterator[str]:
    """Say how close generations are to the training image of their prompt, a sentence per prompt set."""
    for name, rows in read_table(path, GENERATION_MATCHES).groupby("prompt_set", sort=True):
        low, middle, high = rows["similarity"].quantile([0.01, 0.5, 0.99])
        yield (
            f"prompts of {name}: median similarity {middle:.3f}, 1st percentile {low:.3f}, 99th {high:.3f} "
            f"(n = {len(rows)})"
        )
