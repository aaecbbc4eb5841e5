"""Verdicts on samples and training images: OD-Mem, DD-Mem, not memorized or undecided, as tables."""

from typing import Literal

import numpy as np
import pandas as pd

from mmh.errors import InputError
from mmh.evaluation.levels import level_error
from mmh.evaluation.samples import UNITS, labelled_scores
from mmh.lid.verdict import DD, NOT, OD, UNDECIDED, verdicts
from mmh.stats.clusters import share_interval

Errors = Literal["required", "optional"]
COUNTS = [
    "group",
    "verdict",
    "n",
    "of",
    "share",
    "low",
    "high",
    "n_clusters",
    "unit",
    "reason",
    "errors",
]
MATCHED, IMAGE = UNITS["group"], "image"


def sample_verdicts(
    scores: pd.DataFrame,
    labels: pd.DataFrame,
    matches: pd.DataFrame,
    train: pd.DataFrame,
    *,
    model_estimator: str,
    data_estimator: str,
    low: float,
    gap: float,
    errors: Errors,
    levels: str | None = None,
    calibration: int = 0,
) -> pd.DataFrame:
    """Judge every labelled sample by its LID_theta and by LID_* of its matched training image.

    Parameters
    ----------
    scores : pandas.DataFrame
        Gathered scores, with `items`.
    labels, matches, train : pandas.DataFrame
        As in `labels.parquet`, `matches.parquet`, `data/train.parquet`.
    model_estimator, data_estimator : str
        LID_theta of `samples` and LID_* of `train`.
    low, gap : float
        Dimensions; as for `mmh.lid.verdict.verdicts`.
    errors : {"required", "optional"}
        Whether an estimate without a standard error is refused, or counts as exact; `errors` of the table
        then says so.
    levels : str, optional
        Estimator of LID_theta at several noise levels, whose spread is the error where there is no other:
        `mmh.evaluation.levels.level_error`.
    calibration : int
        The first sample ids, which chose t0 and are not judged.

    Returns
    -------
    pandas.DataFrame
        Columns of `mmh.io.tables.VERDICTS`; `group` is the sample's label, `cluster` the group of its matched
        training image.

    Raises
    ------
    InputError
        If an item lacks a score, or a standard error that is required.
    """
    classes = labelled_scores(scores, labels, matches, train, estimators=[], exclude=range(calibration))
    model = _scores(scores, "samples", model_estimator).reindex(classes["sample"])
    data = _scores(scores, "train", data_estimator).reindex(classes["train"])
    for table, name in ((model, model_estimator), (data, data_estimator)):
        if table["value"].isna().any():
            raise InputError(f"item {table.index[table['value'].isna()][0]} has no score {name!r}")
    spread = level_error(scores, model_estimator, levels) if levels else None
    about = classes[["sample", "label", "cluster"]].set_axis(["item", "group", "cluster"], axis=1)
    return _judged(about, model, data, spread, errors=errors, low=low, gap=gap)


def paired_verdicts(paired: pd.DataFrame, *, low: float, gap: float, errors: Errors) -> pd.DataFrame:
    """Judge the images of `evaluation.paired.paired_lid` for the overfit model and for its control.

    Parameters
    ----------
    paired : pandas.DataFrame
        `item`, `lid_data`, `se_data`, and `lid_model`, `se_model`, `lid_control`, `se_control`.
    low, gap, errors
        As for `sample_verdicts`.

    Returns
    -------
    pandas.DataFrame
        Columns of `mmh.io.tables.VERDICTS`; `group` is `model` or `control`, and each image is a cluster.

    Raises
    ------
    InputError
        If a standard error is required that is not there.
    """
    data = paired[["lid_data", "se_data"]].set_axis(["value", "stderr"], axis=1)
    parts = []
    for group in ("model", "control"):
        own = paired[[f"lid_{group}", f"se_{group}"]].set_axis(["value", "stderr"], axis=1)
        about = pd.DataFrame({"item": paired["item"], "group": group, "cluster": paired["item"]})
        parts.append(_judged(about, own, data, None, errors=errors, low=low, gap=gap))
    return pd.concat(parts, ignore_index=True)


def count_verdicts(table: pd.DataFrame, unit: str) -> pd.DataFrame:
    """Count verdicts by group, with intervals of their shares over clusters.

    Parameters
    ----------
    table : pandas.DataFrame
        From `sample_verdicts` or `paired_verdicts`.
    unit : str
        What a cluster is: `MATCHED` or `IMAGE`.

    Returns
    -------
    pandas.DataFrame
        `COUNTS`; every group with every verdict. Where the share has no bounds, `reason` says why; `errors`
        says whose standard errors the verdicts of the group rest on.
    """
    rows = []
    for group, part in table.groupby("group", sort=True):
        errors = "; ".join(sorted(part["errors"].unique()))
        for verdict in (OD, DD, NOT, UNDECIDED):
            hit = (part["verdict"] == verdict).to_numpy()
            share = share_interval(hit, part["cluster"].to_numpy(), unit)
            counted = (group, verdict, int(hit.sum()), len(part), share.estimate, share.low, share.high)
            rows.append((*counted, share.n_clusters, share.unit, share.reason, errors))
    return pd.DataFrame(rows, columns=COUNTS)


def _scores(scores: pd.DataFrame, items: str, estimator: str) -> pd.DataFrame:
    rows = scores[(scores["items"] == items) & (scores["estimator"] == estimator)]
    if rows.empty or rows["item"].duplicated().any():
        raise InputError(f"{estimator!r} of {items!r} must have one value per item, it has {len(rows)} rows")
    return rows.set_index("item")[["value", "stderr"]]


def _judged(
    about: pd.DataFrame,
    model: pd.DataFrame,
    data: pd.DataFrame,
    spread: float | None,
    *,
    errors: Errors,
    low: float,
    gap: float,
) -> pd.DataFrame:
    """Judge items; `spread` is the error of LID_theta where its estimator gives none."""
    lid_model, se_model, lid_data, se_data = (
        frame[name].to_numpy(np.float64) for frame in (model, data) for name in ("value", "stderr")
    )
    own = np.isfinite(se_model)
    if spread is not None:
        se_model = np.where(own, se_model, spread)
    if errors == "required":
        for name, error, remedy in (
            ("LID_theta", se_model, "take two probes or more, name `levels`"),
            ("LID_*", se_data, "bootstrap its neighbours"),
        ):
            if not np.isfinite(error).all():
                item = int(about["item"].to_numpy()[~np.isfinite(error)][0])
                raise InputError(
                    f"{name} of item {item} has no standard error: {remedy}, or set verdicts.errors: "
                    "optional, and verdicts say that they are without"
                )
    judged = verdicts(lid_model, np.nan_to_num(se_model), lid_data, np.nan_to_num(se_data), low=low, gap=gap)
    return about.astype({"item": "int64", "cluster": "int64"}).assign(
        lid_model=lid_model,
        se_model=se_model,
        lid_data=lid_data,
        se_data=se_data,
        errors=_said(own, np.isfinite(se_model), np.isfinite(se_data)),
        verdict=judged,
    )


def _said(own: np.ndarray, model: np.ndarray, data: np.ndarray) -> np.ndarray:
    """Say whose standard errors there are; `own`: LID_theta's by its estimator."""
    return np.select(
        [own & data, model & data, own, model, data],
        [
            "of both",
            "of both, LID_theta's over noise levels",
            "without LID_*'s",
            "without LID_*'s, LID_theta's over noise levels",
            "without LID_theta's",
        ],
        default="without errors",
    )
