"""The summary that ends a run: counts of labels, and where labels are still to be given."""

from pathlib import Path

import numpy as np
import pandas as pd

from mmh.evaluation.summary import label_lines
from mmh.io.table_files import write_table
from mmh.io.tables import LABELS, SHEET


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
