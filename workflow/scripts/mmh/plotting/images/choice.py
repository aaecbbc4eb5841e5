"""Which pairs of a generated image and its match are drawn, and their images."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mmh.evaluation.groups import OTHERS
from mmh.io.table_files import read_table
from mmh.io.tables import LABELS, MATCHES
from mmh.plotting import style
from mmh.retrieval.candidates import gather

LOWEST = ("not_memorized", OTHERS)
"""Groups whose examples are those of lowest LID."""


def choose_examples(
    frame: pd.DataFrame, columns: int, looks: Mapping[str, style.Look] = style.LABELS
) -> pd.DataFrame:
    """Choose examples of each label: the lowest LID, each training image at most once per label.

    Parameters
    ----------
    frame : DataFrame
        From `selection.grouped_samples`, one estimator.
    columns : int
        Examples per label.
    looks : mapping
        Labels in the order wanted.

    Returns
    -------
    DataFrame
        Rows of `frame`, by label, then by value. Memorized examples (and candidates) are spread over their
        class by rank, so that they show its range; the others are those of lowest value, the hard cases.
    """
    parts = []
    for label in looks:
        rows = frame[frame["label"] == label]
        if label in LOWEST:
            rows = rows.sort_values(["value", "item"], kind="stable").drop_duplicates("train")
        else:
            rows = (
                rows.sort_values("item")
                .drop_duplicates("train")
                .sort_values(["value", "item"], kind="stable")
            )
            rows = rows.iloc[
                np.linspace(0, max(len(rows) - 1, 0), min(columns, len(rows))).round().astype(int)
            ]
        parts.append(rows.head(columns))
    return pd.concat(parts, ignore_index=True)


def labelled_pairs(
    labels: str | Path, matches: str | Path, per_class: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """List the labelled pairs that each retrieval metric ranks first for their sample, closest first.

    Parameters
    ----------
    labels, matches : path
        `labels.parquet` and `matches.parquet`.
    per_class : int
        Most pairs of one label and metric.

    Returns
    -------
    pairs : DataFrame
        Columns `label`, `metric`, `place` (from 1), `sample`, `train`, `score`.
    totals : DataFrame
        Columns `label`, `metric`, `n`: how many pairs there are before the cap.
    """
    named = read_table(labels, LABELS)[["sample", "train", "label"]]
    best = read_table(matches, MATCHES).query("rank == 1")
    found = named.merge(best, on=["sample", "train"])
    found = found[found["label"].isin(list(style.LABELS)) & found["metric"].isin(list(style.METRICS))]
    found = found.sort_values(["label", "metric", "score", "sample", "train"], kind="stable")
    groups = found.groupby(["label", "metric"])
    found = found.assign(place=groups.cumcount() + 1)
    kept = found[found["place"] <= per_class]
    totals = groups.size().rename("n").reset_index()
    return kept[["label", "metric", "place", "sample", "train", "score"]].reset_index(drop=True), totals


def ranked_pairs(
    candidates: pd.DataFrame, matches: str | Path, per_class: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """List the closest pairs of each metric, and the next ones of the samples that are no candidates.

    Parameters
    ----------
    candidates : DataFrame
        From `evaluation.groups.read_candidates`.
    matches : path
        `matches.parquet`.
    per_class : int
        Most pairs of one list.

    Returns
    -------
    pairs, totals : DataFrame
        As `labelled_pairs`; `label` is the metric's name for its candidates, and `others`, by either metric,
        for samples that are in no list. A sample that is in two lists is in both.
    """
    best = read_table(matches, MATCHES).query("rank == 1")
    rest = best[~best["sample"].isin(candidates["sample"]) & best["metric"].isin(candidates["metric"])]
    rest = rest.sort_values(["metric", "score", "sample"], kind="stable")
    rest = rest.assign(label=OTHERS, place=rest.groupby("metric").cumcount() + 1)
    columns = ["label", "metric", "place", "sample", "train", "score"]
    found = pd.concat([candidates.assign(label=candidates["metric"])[columns], rest[columns]])
    kept = found[found["place"] <= per_class]
    return kept.reset_index(drop=True), found.groupby(["label", "metric"]).size().rename("n").reset_index()


def images_of(
    sample: pd.Series, train: pd.Series, samples: str | Path | Sequence[str | Path], images: str | Path
) -> tuple[np.ndarray, np.ndarray]:
    """Read the images of pairs, one file at a time.

    Parameters
    ----------
    sample, train : (n,) int
        Ids of the samples and of the training images.
    samples, images : paths, path
        Image shards of the samples; `data/train.npz`.

    Returns
    -------
    generated, matched : (n, C, H, W) float32
        Images in [-1, 1].
    """
    shards = [samples] if isinstance(samples, str | Path) else samples
    return _read_rows(shards, sample.to_numpy()), _read_rows([images], train.to_numpy())


def _read_rows(shards: Sequence[str | Path], ids: np.ndarray) -> np.ndarray:
    wanted, place = np.unique(ids, return_inverse=True)
    found = gather(shards, wanted, ("x", "image"))
    if "image" in found:
        return found["image"][place].astype(np.float32) / np.float32(127.5) - np.float32(1)
    return found["x"][place] if found else np.empty((0, 1, 1, 1), dtype=np.float32)
