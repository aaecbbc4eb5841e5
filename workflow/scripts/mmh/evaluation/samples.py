"""How well each score tells memorized samples from others: the rows of ``evaluation.csv``.

Every score is oriented alike: *smaller* means memorized. LID and PNG size are small for memorized samples,
and so are the distances of retrieval.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mmh.errors import InputError
from mmh.evaluation.compared import COLUMNS, Compared
from mmh.labels.classes import sample_classes

CONTRASTS: dict[str, tuple[str, ...]] = {
    "exact": ("exact",),
    "reconstructive": ("reconstructive",),
    "memorized": ("exact", "reconstructive"),
}
NEGATIVE = "not_memorized"
MIN_CLASS = 2
UNITS = {"group": "matched group", "train": "matched image"}
"""What an interval takes as one: all samples whose match belongs to one group of equal training images or to
one template family; or those that match one image."""


def oriented(scores: pd.DataFrame, large: Sequence[str]) -> pd.DataFrame:
    """Turn scores round whose large values speak for memorization, so that small ones do of all.

    Parameters
    ----------
    scores : pandas.DataFrame
        With `estimator` and `value`.
    large : sequence of str
        Estimators.

    Returns
    -------
    pandas.DataFrame
        The values of those with the other sign.
    """
    turned = scores["estimator"].isin(large)
    return scores.assign(value=scores["value"].where(~turned, -scores["value"]))


def labelled_scores(
    scores: pd.DataFrame,
    labels: pd.DataFrame,
    matches: pd.DataFrame,
    train: pd.DataFrame,
    *,
    estimators: Sequence[str],
    clusters: str = "group",
    exclude: Iterable[int] = (),
) -> pd.DataFrame:
    """Put the scores of every labelled sample side by side.

    Parameters
    ----------
    scores : pandas.DataFrame
        Long table with the columns `items`, `item`, `estimator`, `value`.
    labels : pandas.DataFrame
        Labels of pairs.
    matches : pandas.DataFrame
        Retrieved pairs; a metric's name is also that of a score, the one of its first rank.
    train : pandas.DataFrame
        Training set, with `train` and the column `clusters`.
    estimators : sequence of str
        Names to look up: among the scores of `samples`; else of `train`, taken at the training image of the
        pair that gave the sample its class; else among the metrics of `matches`.
    clusters : str
        Column of `train` that groups training images.
    exclude : iterable of int
        Samples to leave out, those that calibrated t0.

    Returns
    -------
    pandas.DataFrame
        `sample`, `label`, `train`, `cluster`, then one float64 column per estimator, NaN where a sample has
        no score; sorted by sample.

    Raises
    ------
    InputError
        If an estimator is unknown or has several values for one item, or a training image is unknown.
    """
    table = sample_classes(labels, matches)
    table = table[~table["sample"].isin(set(exclude))].reset_index(drop=True)
    group = train.set_index("train")[clusters].reindex(table["train"])
    if group.isna().any():
        raise InputError(f"labels name training image {group.index[group.isna()][0]}, which does not exist")
    table["cluster"] = group.to_numpy(dtype=np.int64)
    first = matches[matches["rank"] == 1]
    for name in estimators:
        own = scores[scores["estimator"] == name]
        key, rows, value = (
            "sample",
            first[first["metric"] == name].rename(columns={"sample": "item"}),
            "score",
        )
        for items, at in (("train", "train"), ("samples", "sample")):
            if (own["items"] == items).any():
                key, rows, value = at, own[own["items"] == items], "value"
        if rows.empty:
            known = sorted({*scores["estimator"], *matches["metric"]})
            raise InputError(f"no score '{name}' of samples or training images; there are {', '.join(known)}")
        values = rows.set_index("item")[value]
        if values.index.has_duplicates:
            item = values.index[values.index.duplicated()][0]
            raise InputError(
                f"'{name}' has several values for item {item} (several t?): it cannot be evaluated"
            )
        table[name] = values.reindex(table[key]).to_numpy(dtype=np.float64)
    return table


def contrast_rows(table: pd.DataFrame, contrast: str) -> pd.DataFrame:
    """Select the samples of one contrast.

    Parameters
    ----------
    table : pandas.DataFrame
        With a column `label`.
    contrast : str
        Key of `CONTRASTS`.

    Returns
    -------
    pandas.DataFrame
        Rows of the contrast's classes and of `not_memorized`, with the bool column `positive`.

    Raises
    ------
    InputError
        If the contrast is unknown.
    """
    if contrast not in CONTRASTS:
        raise InputError(f"contrast '{contrast}' is unknown; choose among {', '.join(CONTRASTS)}")
    chosen = table[table["label"].isin([*CONTRASTS[contrast], NEGATIVE])].copy()
    chosen["positive"] = chosen["label"] != NEGATIVE
    return chosen.reset_index(drop=True)


def evaluate(
    scores: pd.DataFrame,
    labels: pd.DataFrame,
    matches: pd.DataFrame,
    train: pd.DataFrame,
    *,
    estimators: Sequence[str],
    baselines: Sequence[str] = (),
    contrasts: Sequence[str] = tuple(CONTRASTS),
    clusters: str = "group",
    exclude: Iterable[int] = (),
    large: Sequence[str] = (),
) -> pd.DataFrame:
    """Evaluate every score on every contrast, with intervals, against the best simple baseline.

    Parameters
    ----------
    scores, labels, matches, train, clusters, exclude
        As for `labelled_scores`.
    estimators : sequence of str
        Scores to evaluate.
    baselines : sequence of str
        Simple scores, rows of their own; the one with the largest AUC on a contrast (the first of equals) is
        its `baseline`, and gains over it are paired.
    contrasts : sequence of str
        Keys of `CONTRASTS`.
    large : sequence of str
        Scores that `oriented` has turned round; their medians are given as they were.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`; by contrast, then estimators, then the other baselines, in the order given. Only samples
        with all baselines are counted, and of those the ones that the estimator has scored. A contrast with
        fewer than two samples of a class is absent. `n_clusters` is that of the class with fewer, `unit` what
        a cluster is. Bounds that the data do not give are missing, and the column `_reason` says why. Medians
        and their difference (positive minus negative) are in the unit of the score. Without baselines
        `baseline` is empty and the gain is missing.

    Raises
    ------
    InputError
        As `labelled_scores`; also if a contrast is unknown.
    """
    names = list(dict.fromkeys([*estimators, *baselines]))
    table = labelled_scores(
        scores, labels, matches, train, estimators=names, clusters=clusters, exclude=exclude
    )
    table = table.dropna(subset=list(baselines))
    records: list[dict[str, Any]] = []
    for contrast in contrasts:
        rows = contrast_rows(table, contrast)
        present = rows[names].notna()
        # Estimators scored on the same samples are compared with each other.
        for mask in dict.fromkeys(tuple(present[name]) for name in names):
            part = rows[np.array(mask, dtype=bool)]
            positive = part["positive"].to_numpy()
            if min(positive.sum(), (~positive).sum()) < MIN_CLASS:
                continue
            together = [name for name in names if tuple(present[name]) == mask]
            columns = list(dict.fromkeys([*together, *baselines]))
            found = Compared(
                -part[columns].to_numpy(),
                positive,
                part["cluster"].to_numpy(),
                columns,
                {name: 1.0 if name in large else -1.0 for name in columns},
                UNITS.get(clusters, clusters),
            )
            records += [found.record(name, contrast, found.best(baselines)) for name in together]
    order = {(c, n): k for k, (c, n) in enumerate((c, n) for c in contrasts for n in names)}
    records.sort(key=lambda record: order[record["contrast"], record["estimator"]])
    return pd.DataFrame(records, columns=COLUMNS)
