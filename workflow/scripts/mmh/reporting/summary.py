"""Lines of the plain-text summary that ends a run."""

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mmh.io.table_files import read_table
from mmh.io.tables import LABELS, SHEET
from mmh.labels.classes import CLASSES, sample_classes
from mmh.reporting import cells

WIDTH = 110
"""Columns of the summary."""


def _experiment(path: Path) -> str:
    return path.parent.name


def label_lines(paths: Iterable[Path], sheets: Iterable[Path] = ()) -> list[str]:
    """Count samples by label, one line per experiment; say where labels are still to be given.

    Parameters
    ----------
    paths : iterable of path
        ``labels.parquet`` of the experiments.
    sheets : iterable of path
        ``label_sheet.parquet`` of those that people label.

    Returns
    -------
    list of str
    """
    asked = {_experiment(path): path for path in sheets}
    lines = ["  " + "experiment".ljust(16) + "".join(name.rjust(16) for name in CLASSES)]
    for path in paths:
        name, labels = _experiment(path), read_table(path, LABELS)
        if labels.empty and name in asked:
            count = read_table(asked[name], SHEET)["sample"].nunique()
            page = asked[name].with_suffix(".html")
            lines.append(f"  {name:<16}  not labelled yet: {count} candidates, open {page}")
            continue
        counts = sample_classes(labels)["label"].value_counts()
        lines.append("  " + name.ljust(16) + "".join(f"{counts.get(label, 0):>16}" for label in CLASSES))
    return lines


def generation_lines(paths: Iterable[Path]) -> list[str]:
    """Say how close generations are to the training image of their prompt, one line per experiment and set.

    Parameters
    ----------
    paths : iterable of path
        ``generation_matches.parquet`` of the experiments.

    Returns
    -------
    list of str
        Nothing where no prompts are sampled.
    """
    lines = []
    for path in paths:
        lines += [f"  {_experiment(path)}, {said}" for said in cells.generation_sentences(path)]
    head = "Generations beside the training image of their prompt (cosine of copy descriptors)"
    return ["", head, *lines] if lines else []


def _evaluation_block(experiment: str, heads: list[str], rows: list[list[str]]) -> list[str]:
    """One line per score, one column per contrast."""
    width = max(14, *(len(row[0]) for row in rows))
    column = max(30, *(len(head) + 2 for head in heads))
    lines = ["  " + experiment.ljust(width + 2) + "".join(head.rjust(column) for head in heads)]
    for name, *values in rows:
        lines.append("    " + name.ljust(width) + "".join(value.rjust(column) for value in values))
    return lines


def evaluation_lines(paths: Iterable[Path], raters: Iterable[Path] = ()) -> list[str]:
    """Show AUC with interval per score (rows) and contrast (columns), then with `unsure` on either side.

    Parameters
    ----------
    paths : iterable of path
        ``evaluation.csv`` of the experiments.
    raters : iterable of path
        ``evaluation_raters.csv`` of those that have samples.

    Returns
    -------
    list of str
    """
    import pandas as pd

    lines, relabelled = [], {_experiment(path): path for path in raters}
    for path in paths:
        table = pd.read_csv(path)
        for heads, rows in cells.evaluation_grids(table):
            lines += _evaluation_block(_experiment(path), heads, rows)
        lines += [f"    {said}" for said in cells.reasons(table)]
        if _experiment(path) in relabelled:
            heads, rows = cells.unsure_grid(pd.read_csv(relabelled[_experiment(path)]), table)
            if rows:
                lines += ["    unsure counted as memorized / as not memorized:"]
                lines += _evaluation_block(_experiment(path), heads, rows)
    return lines or ["  no experiment of this run has labels to evaluate against"]


def _claim(row: Any) -> list[str]:
    """What is asked, and below it what came out."""
    indent = " " * 26
    head = f"  {cells.verdict(row):<19} {row.claim:<3} "
    parts = ((head, f"{row.experiment}: {cells.question(row)}"), (indent, cells.answer(row)))
    how: dict[str, Any] = {"subsequent_indent": indent, "break_long_words": False, "break_on_hyphens": False}
    return [line for first, text in parts for line in textwrap.wrap(text, WIDTH, initial_indent=first, **how)]


def claim_lines(path: Path | Sequence[Path]) -> list[str]:
    """Show verdict, claim and statistic, and below them the interval; controls by themselves.

    Parameters
    ----------
    path : Path, or nothing
        ``results/claims.csv``, all claims of the run.

    Returns
    -------
    list of str
    """
    import pandas as pd

    if not isinstance(path, Path):
        return ["Claims of the papers", "  no experiment of this run asks for claims"]
    table = pd.read_csv(path, dtype={"claim": str})
    asked = int((table["n"] > 0).sum())
    heads = {
        "claim": f"Claims of the papers, given this one model, adjusted for the {asked} rows asked (Holm)",
        "control": "Their controls, where nothing is memorized",
    }
    lines = []
    for role, head in heads.items():
        rows = table[table["role"] == role]
        lines += [head, *(line for row in rows.itertuples() for line in _claim(row)), ""] if len(rows) else []
    return lines
