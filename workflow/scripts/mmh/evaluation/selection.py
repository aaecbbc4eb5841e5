"""Scores picked from a table and joined with groups, and their medians with intervals."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmh.errors import InputError
from mmh.io.table_files import read_table
from mmh.io.tables import ALL_SCORES
from mmh.stats.medians import median_interval


def select(scores: pd.DataFrame, estimator: str, items: str) -> pd.DataFrame:
    """Pick the scores of one estimator on one set of items.

    Parameters
    ----------
    scores : DataFrame
        All scores of an experiment.
    estimator, items : str
        Which ones.

    Returns
    -------
    DataFrame
        Rows of `scores`, ordered by item and t.

    Raises
    ------
    InputError
        If there are none; the message lists what there is.
    """
    rows = scores[(scores["estimator"] == estimator) & (scores["items"] == items)]
    if rows.empty:
        known = sorted({f"{e} on {i}" for e, i in zip(scores["estimator"], scores["items"], strict=True)})
        raise InputError(f"no scores of '{estimator}' on '{items}'; the table holds {', '.join(known)}")
    return rows.sort_values(["item", "t"], kind="stable", ignore_index=True)


def single(scores: pd.DataFrame, estimator: str, items: str) -> pd.DataFrame:
    """Pick one score per item: as `select`, refusing an estimator with several noise levels.

    Parameters
    ----------
    scores, estimator, items
        As for `select`.

    Returns
    -------
    DataFrame
        One row per item.

    Raises
    ------
    InputError
        If an item has more than one score, or none has any.
    """
    rows = select(scores, estimator, items)
    if rows["item"].duplicated().any():
        levels = ", ".join(f"{t:.3g}" for t in sorted(rows["t"].dropna().unique()))
        raise InputError(
            f"'{estimator}' on '{items}' has several scores per item (t = {levels}); "
            "name an estimator with one t"
        )
    return rows


def grouped_samples(
    scores: str | Path, groups: pd.DataFrame, estimators: Sequence[str], *, calibration: int = 0
) -> pd.DataFrame:
    """Join sample scores with the groups of the samples.

    Parameters
    ----------
    scores : path
        `scores.parquet`.
    groups : DataFrame
        Columns `sample`, `label`, `train`: the rows of `groups.read_groups`.
    estimators : sequence of str
        Estimators on the samples, one score each.
    calibration : int
        The first ids, which were used to choose t0 and are left out here.

    Returns
    -------
    DataFrame
        Columns `item`, `label`, `train`, `estimator`, `t`, `value`, `stderr`; samples that are in no group or
        have no score are absent.
    """
    table = read_table(scores, ALL_SCORES)
    parts = [single(table, name, "samples") for name in estimators]
    joined = pd.concat(parts, ignore_index=True).merge(groups, left_on="item", right_on="sample")
    kept = joined[joined["item"] >= calibration]
    columns = ["item", "label", "train", "estimator", "t", "value", "stderr"]
    return kept[columns].reset_index(drop=True)


def matched_images(
    scores: str | Path, groups: pd.DataFrame, estimator: str, *, calibration: int = 0
) -> pd.DataFrame:
    """Join the scores of training images with the groups of the samples that match them.

    Parameters
    ----------
    scores : path
        `scores.parquet`.
    groups : DataFrame
        As for `grouped_samples`.
    estimator : str
        Estimator on `train`.
    calibration : int
        The first sample ids, whose matches are left out.

    Returns
    -------
    DataFrame
        Columns `item` (the training image), `label`, `samples` (how many of that label match it),
        `estimator`, `value`; one row per training image and label.
    """
    rows = single(read_table(scores, ALL_SCORES), estimator, "train")
    groups = groups[groups["sample"] >= calibration]
    counts = groups.groupby(["label", "train"], as_index=False).agg(samples=("sample", "size"))
    joined = counts.merge(rows, left_on="train", right_on="item")
    return joined[["item", "label", "samples", "estimator", "value"]]


def medians(frame: pd.DataFrame, by: Sequence[str], *, clusters: str | None = None) -> pd.DataFrame:
    """Summarise `value` per group.

    Parameters
    ----------
    frame : DataFrame
        With `value`, the columns `by`, and the cluster column if one is named.
    by : sequence of str
        Grouping columns.
    clusters : str or None
        Column whose values belong together in the interval.

    Returns
    -------
    DataFrame
        `by`, then `n`, `n_clusters`, `median`, `low`, `high`, `lower_quartile`, `upper_quartile`.
    """
    rows: list[dict[str, Any]] = []
    for key, group in frame.groupby(list(by), sort=True):
        values = group["value"].to_numpy(float)
        cluster = group[clusters].to_numpy() if clusters else None
        middle = median_interval(values, clusters=cluster)
        quartiles = np.quantile(values, [0.25, 0.75])
        rows.append(
            {
                **dict(zip(by, key, strict=True)),
                "n": len(values),
                "n_clusters": len(np.unique(cluster)) if cluster is not None else len(values),
                "median": middle.estimate,
                "low": middle.low,
                "high": middle.high,
                "lower_quartile": quartiles[0],
                "upper_quartile": quartiles[1],
            }
        )
    columns = [*by, "n", "n_clusters", "median", "low", "high", "lower_quartile", "upper_quartile"]
    return pd.DataFrame(rows, columns=columns)
