"""Lines of the plain-text summary that ends a run."""

from collections.abc import Iterable
from pathlib import Path

from mmh.evaluation import cells
from mmh.io.table_files import read_table
from mmh.io.tables import LABELS, SHEET
from mmh.labels.classes import CLASSES, sample_classes


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


def evaluation_lines(paths: Iterable[Path]) -> list[str]:
    """Show AUC with interval per score (rows) and contrast (columns).

    Parameters
    ----------
    paths : iterable of path
        ``evaluation.csv`` of the experiments.

    Returns
    -------
    list of str
    """
    import pandas as pd

    lines = []
    for path in paths:
        for heads, rows in cells.evaluation_grids(pd.read_csv(path)):
            lines += _evaluation_block(_experiment(path), heads, rows)
    return lines or ["  no experiment of this run has labels to evaluate against"]


def claim_lines(paths: Iterable[Path]) -> list[str]:
    """Show verdict, claim, statistic and interval, one line each.

    Parameters
    ----------
    paths : iterable of path
        ``claims.csv`` of the experiments.

    Returns
    -------
    list of str
    """
    import pandas as pd

    lines = []
    for path in paths:
        for row in pd.read_csv(path, dtype={"claim": str}).itertuples():
            said = f"{_experiment(path)}: {row.statistic}: {cells.estimate(row)}"
            lines.append(f"  {row.verdict:<10} {row.claim:<3} {said}")
    return lines or ["  no experiment of this run asks for claims"]
