"""The result tables as they are printed: in the summary that ends a run, and on the page of results."""

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
        Each contrast with the numbers that it compares.
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
        heads = [f"{row.contrast} ({row.n_positive} vs {row.n_negative})" for row in counts.itertuples()]
        lines = []
        for estimator, rows in kept.groupby("estimator", sort=False):
            found = {row.contrast: auc(row) for row in rows.itertuples()}
            lines.append([str(estimator), *(found.get(name, "-") for name in counts["contrast"])])
        yield heads, lines


def auc(row: Any) -> str:
    """Print an AUC with its interval."""
    return f"{row.auc:.3f} [{row.auc_low:.3f}, {row.auc_high:.3f}]"


def estimate(row: Any) -> str:
    """Print the statistic of a claim with its interval and the number of items."""
    if row.estimate != row.estimate:
        return "no data"
    return f"{row.estimate:.3g} [{row.low:.3g}, {row.high:.3g}], n={row.n}"


def generation_sentences(path: "Path") -> Iterator[str]:
    """Say how close generations are to the training image of their prompt, a sentence per prompt set."""
    for name, rows in read_table(path, GENERATION_MATCHES).groupby("prompt_set", sort=True):
        low, middle, high = rows["similarity"].quantile([0.01, 0.5, 0.99])
        yield (
            f"prompts of {name}: median similarity {middle:.3f}, 1st percentile {low:.3f}, 99th {high:.3f} "
            f"(n = {len(rows)})"
        )
