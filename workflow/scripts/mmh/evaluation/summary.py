"""Lines of the plain-text summary that ends a run."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mmh.evaluation.names import PROMPTS
from mmh.io.files import read_table
from mmh.io.tables import GENERATION_MATCHES, LABELS, SHEET
from mmh.labels.label_files import CLASSES, sample_classes

if TYPE_CHECKING:
    import pandas as pd


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
        table = read_table(path, GENERATION_MATCHES)
        for name, rows in table.groupby("prompt_set", sort=True):
            low, middle, high = rows["similarity"].quantile([0.01, 0.5, 0.99])
            lines.append(
                f"  {_experiment(path)}, prompts of {name}: median similarity {middle:.3f}, 1st percentile "
                f"{low:.3f}, 99th {high:.3f} (n = {len(rows)})"
            )
    head = "Generations beside the training image of their prompt (cosine of copy descriptors)"
    return ["", head, *lines] if lines else []


def _evaluation_block(experiment: str, table: "pd.DataFrame") -> list[str]:
    """One line per score, one column per contrast; controls that say nothing at all are left out."""
    idle = (table["auc_low"] == 0.5) & (table["auc_high"] == 0.5)
    table = table[~idle.groupby(table["estimator"]).transform("all")]
    contrasts = list(dict.fromkeys(table["contrast"]))
    counts = table.drop_duplicates("contrast").set_index("contrast")
    heads = [f"{name} ({counts.n_positive[name]} vs {counts.n_negative[name]})" for name in contrasts]
    width = max(14, *table["estimator"].str.len())
    column = max(30, *(len(head) + 2 for head in heads))
    lines = ["  " + experiment.ljust(width + 2) + "".join(head.rjust(column) for head in heads)]
    for estimator, rows in table.groupby("estimator", sort=False):
        cells = {
            row.contrast: f"{row.auc:.3f} [{row.auc_low:.3f}, {row.auc_high:.3f}]"
            for row in rows.itertuples()
        }
        values = "".join(cells.get(name, "-").rjust(column) for name in contrasts)
        lines.append("    " + str(estimator).ljust(width) + values)
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
        table = pd.read_csv(path)
        of_prompts = table["contrast"].str.startswith(PROMPTS)
        for part in (table[~of_prompts], table[of_prompts]):
            lines += _evaluation_block(_experiment(path), part) if len(part) else []
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
            number = (
                "no data"
                if pd.isna(row.estimate)
                else f"{row.estimate:.3g} [{row.low:.3g}, {row.high:.3g}], n={row.n}"
            )
            lines.append(f"  {row.verdict:<10} {row.claim:<3} {_experiment(path)}: {row.statistic}: {number}")
    return lines or ["  no experiment of this run asks for claims"]
