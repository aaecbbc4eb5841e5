"""The summary that ends a run: counts of labels, and where labels are still to be given."""

from pathlib import Path

import numpy as np
import pandas as pd

from mmh.io.table_files import write_table
from mmh.io.tables import LABELS, SHEET
from mmh.reporting.summary import claim_lines, evaluation_lines, label_lines


def labels(folder: Path, experiment: str, words: list[str]) -> Path:
    path = folder / experiment / "labels.parquet"
    path.parent.mkdir(exist_ok=True)
    table = pd.DataFrame({"sample": np.arange(len(words)), "train": 3, "label": words, "raters": 1})
    types = {"sample": "int64", "train": "int64", "label": str, "raters": "int64", "source": str}
    write_table(table.assign(source="people").astype(types), path, LABELS)
    return path


def sheet(folder: Path, experiment: str, samples: list[int]) -> Path:
    path = folder / experiment / "label_sheet.parquet"
    path.parent.mkdir(exist_ok=True)
    table = pd.DataFrame({"pair": [f"p{k}" for k in range(len(samples))], "sample": samples, "train": 3})
    table = table.assign(
        sscd=0.5, calibrated_l2=np.nan, by="sscd", place=pd.array([1] * len(samples), "Int64")
    )
    write_table(table, path, SHEET)
    return path


def test_an_experiment_that_nobody_labelled_says_so_and_where_to_do_it(tmp_path):
    paths = [
        labels(tmp_path, "mine", []),
        labels(tmp_path, "judged", ["exact", "not_memorized", "unsure", "exact"]),
        labels(tmp_path, "planted", []),
    ]
    sheets = [sheet(tmp_path, "mine", [4, 4, 7, 9]), sheet(tmp_path, "judged", [0, 1, 2, 3])]
    head, mine, judged, planted = label_lines(paths, sheets)
    assert head.split() == ["experiment", "exact", "reconstructive", "unsure", "not_memorized"]
    page = tmp_path / "mine" / "label_sheet.html"
    assert mine == f"  mine              not labelled yet: 3 candidates, open {page}"
    assert judged.split() == ["judged", "2", "0", "1", "1"]
    # Where the truth is known, nothing memorized is what there is to say.
    assert planted.split() == ["planted", "0", "0", "0", "0"]


def test_unsure_on_either_side_stands_below_the_aucs_of_its_experiment(tmp_path):
    from test_results_page import evaluation, raters

    for name in ("mine", "other"):
        evaluation(tmp_path / name)
    raters(tmp_path / "other")
    paths = [tmp_path / name / "evaluation.csv" for name in ("mine", "other")]
    lines = evaluation_lines(paths, [tmp_path / "other" / "evaluation_raters.csv"])
    (place,) = [k for k, line in enumerate(lines) if "unsure counted as memorized" in line]
    assert place > next(k for k, line in enumerate(lines) if line.startswith("  other"))
    assert lines[place + 1].split() == [
        "other",
        *("exact", "(n", "=", "6", "unsure)"),
        *("reconstructive", "(n", "=", "6", "unsure)"),
    ]
    assert lines[place + 2].split() == ["flipd", "0.912", "/", "0.979", "0.700", "/", "0.800"]
    assert evaluation_lines(paths) == [line for k, line in enumerate(lines) if not place <= k <= place + 3]


def test_claims_and_controls_stand_apart_within_the_width(tmp_path: Path) -> None:
    shared = {"experiment": "rings", "under": "", "beside": "", "n": 50, "n_clusters": 7, "unit": "family"}
    found = {"estimate": 0.9, "low": 0.8, "high": 0.95, "mde": 0.1, "reason": ""}
    rows = [
        {"role": "claim", "claim": "2", "statistic": "AUC " + "of a long name " * 9, "verdict": "holds"},
        {"role": "claim", "claim": "4", "statistic": "median", "under": "knn", "verdict": "depends"},
        {"role": "control", "claim": "9", "statistic": "AUC of others", "verdict": "holds"},
        {"role": "claim", "claim": "5", "statistic": "no data", "verdict": "undecided", "n": 0},
    ]
    path = tmp_path / "claims.csv"
    pd.DataFrame([{**shared, **found, "alone": "holds", **row} for row in rows]).to_csv(path, index=False)
    lines = claim_lines(path)
    assert max(map(len, lines)) <= 110
    assert lines[0].endswith("adjusted for the 3 rows asked (Holm)")
    assert lines[1].startswith("  holds               2   rings: AUC of a long name")
    assert "                          0.9 [0.8, 0.95], n=50 (7 families)" in lines
    assert "  depends (holds)     4   rings: median; under knn" in lines
    control = lines.index("Their controls, where nothing is memorized")
    assert lines[control + 1].startswith("  holds               9   rings: AUC of others")
    assert lines[control + 2].endswith("n=50 (7 families); detectable: 0.1")
    assert claim_lines([]) == ["Claims of the papers", "  no experiment of this run asks for claims"]
