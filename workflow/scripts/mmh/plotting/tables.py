"""Selection of the values that a figure plots, and their medians with intervals."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmh.errors import InputError
from mmh.io.files import read_table
from mmh.io.tables import ALL_SCORES
from mmh.stats.curves import median_interval

NAMES = {
    "flipd": "FLIPD",
    "flipd_uncond": "FLIPD, unconditional",
    "nb": "NB",
    "jacobian": "Jacobian rank",
    "lpca": "LPCA",
    "png": "PNG size",
    "flipd_png": "FLIPD / PNG size",
    "nb_png": "NB / PNG size",
    "jacobian_png": "Jacobian rank / PNG size",
}
"""Printed names of the estimators that the paper has; any other is printed as the config calls it."""


def printed(estimator: str, t: float | None = None) -> str:
    """Give the printed name of an estimator, with its noise level where it has one.

    Parameters
    ----------
    estimator : str
        Name in the config.
    t : float or None
        Noise level; NaN counts as none.

    Returns
    -------
    str
        Such as ``FLIPD at t₀ = 0.1``.
    """
    name = NAMES.get(estimator, estimator)
    return name if t is None or np.isnan(t) else f"{name} at $t_0$ = {t:.3g}"


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


def panel_names(frame: pd.DataFrame, estimators: Sequence[str]) -> dict[str, str]:
    """Give the printed name of each estimator, with the noise level it was evaluated at.

    Parameters
    ----------
    frame : DataFrame
        From `grouped_samples`.
    estimators : sequence of str
        In the order wanted.

    Returns
    -------
    dict of str
        Name in the config to printed name.
    """
    levels = frame.groupby("estimator")["t"].first()
    return {name: printed(name, levels.get(name)) for name in estimators}


def paper_figure(estimators: Sequence[str], diffusion: str, generator: str) -> str:
    """Give the number of the paper's figure, which has one for diffusion models and one for the GAN.

    Parameters
    ----------
    estimators : sequence of str
        Names in the config.
    diffusion, generator : str
        The two numbers.

    Returns
    -------
    str
        `generator` if all of them are the Jacobian's, by itself or divided by PNG size.
    """
    return generator if {*estimators} <= {"jacobian", "jacobian_png"} else diffusion


def medians(frame: pd.DataFrame, by: Sequence[str], *, clusters: str | None = None) -> pd.DataFrame:
    """Summarise `value` per group.

    Parameters
    ----------
    frame : DataFrame
        With `value`, the columns `by`, and the cluster column if one is named.
    by : sequence of str
        Grouping columns.
    clusters : str or None
        Column whose values are drawn together when the interval is bootstrapped.

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
