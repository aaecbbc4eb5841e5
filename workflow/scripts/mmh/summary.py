"""Lines of the plain-text summary that ends a run."""

from collections.abc import Iterable
from pathlib import Path

from mmh.io import read_table
from mmh.labels import CLASSES, sample_classes


def _experiment(path: Path) -> str:
    return path.parent.name


def label_lines(paths: Iterable[Path]) -> list[str]:
    """Count samples by label, one line per experiment.

    Parameters
    ----------
    paths : iterable of path
        ``labels.parquet`` of the experiments.

    Returns
    -------
    list of str
    """
    lines = ["  " + "experiment".ljust(16) + "".join(name.rjust(16) for name in CLASSES)]
    for path in paths:
        counts = sample_classes(read_table(path, "labels"))["label"].value_counts()
        lines.append(
            "  " + _experiment(path).ljust(16) + "".join(f"{counts.get(name, 0):>16}" for name in CLASSES)
        )
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
        contrasts = list(dict.fromkeys(table["contrast"]))
        counts = table.drop_duplicates("contrast").set_index("contrast")
        heads = [f"{name} ({counts.n_positive[name]} vs {counts.n_negative[name]})" for name in contrasts]
        lines.append("  " + _experiment(path).ljust(16) + "".join(head.rjust(30) for head in heads))
        for estimator, rows in table.groupby("estimator", sort=False):
            cells = {
                row.contrast: f"{row.auc:.3f} [{row.auc_low:.3f}, {row.auc_high:.3f}]"
                for row in rows.itertuples()
            }
            lines.append(
                "    "
                + str(estimator).ljust(14)
                + "".join(cells.get(name, "-").rjust(30) for name in contrasts)
            )
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
