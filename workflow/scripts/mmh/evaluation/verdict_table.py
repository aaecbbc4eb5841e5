"""Verdicts on samples and training images: OD-Mem, DD-Mem, not memorized or undecided, as tables."""

import numpy as np
import pandas as pd

from mmh.errors import InputError
from mmh.labels.classes import sample_classes
from mmh.lid.verdict import DD, NOT, OD, UNDECIDED, verdicts
from mmh.stats.curves import wilson_interval


def sample_verdicts(
    scores: pd.DataFrame,
    labels: pd.DataFrame,
    matches: pd.DataFrame,
    *,
    model_estimator: str,
    data_estimator: str,
    low: float,
    gap: float,
) -> pd.DataFrame:
    """Judge every labelled sample by its LID_theta and by LID_* of its matched training image.

    Parameters
    ----------
    scores : pandas.DataFrame
        Gathered scores, with `items`.
    labels, matches : pandas.DataFrame
        As in `labels.parquet`, `matches.parquet`.
    model_estimator, data_estimator : str
        LID_theta of `samples` and LID_* of `train`.
    low, gap : float
        Dimensions; as for `mmh.lid.verdict.verdicts`.

    Returns
    -------
    pandas.DataFrame
        Columns of `mmh.io.tables.VERDICTS`; `group` is the sample's label.

    Raises
    ------
    InputError
        If an item lacks a score.
    """
    classes = sample_classes(labels, matches)
    model = _scores(scores, "samples", model_estimator).reindex(classes["sample"])
    data = _scores(scores, "train", data_estimator).reindex(classes["train"])
    for table, name in ((model, model_estimator), (data, data_estimator)):
        if table["value"].isna().any():
            raise InputError(f"item {table.index[table['value'].isna()][0]} has no score {name!r}")
    return _judged(classes["sample"], classes["label"], model, data, low=low, gap=gap)


def paired_verdicts(paired: pd.DataFrame, *, low: float, gap: float) -> pd.DataFrame:
    """Judge the images of `evaluation.paired.paired_lid` for the overfit model and for its control.

    Parameters
    ----------
    paired : pandas.DataFrame
        `item`, `lid_data`, `se_data`, and `lid_model`, `se_model`, `lid_control`, `se_control`.
    low, gap : float
        As for `sample_verdicts`.

    Returns
    -------
    pandas.DataFrame
        Columns of `mmh.io.tables.VERDICTS`; `group` is `model` or `control`.
    """
    data = paired[["lid_data", "se_data"]].set_axis(["value", "stderr"], axis=1)
    parts = []
    for group in ("model", "control"):
        own = paired[[f"lid_{group}", f"se_{group}"]].set_axis(["value", "stderr"], axis=1)
        parts.append(_judged(paired["item"], pd.Series(group, paired.index), own, data, low=low, gap=gap))
    return pd.concat(parts, ignore_index=True)


def count_verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Count verdicts by group, with Wilson intervals of their shares.

    Parameters
    ----------
    table : pandas.DataFrame
        From `sample_verdicts` or `paired_verdicts`.

    Returns
    -------
    pandas.DataFrame
        `group`, `verdict`, `n`, `of`, `share`, `low`, `high`; every group with every verdict.
    """
    rows = []
    for group, part in table.groupby("group", sort=True):
        for verdict in (OD, DD, NOT, UNDECIDED):
            share = wilson_interval(int((part["verdict"] == verdict).sum()), len(part))
            count = int((part["verdict"] == verdict).sum())
            rows.append((group, verdict, count, len(part), share.estimate, share.low, share.high))
    return pd.DataFrame(rows, columns=["group", "verdict", "n", "of", "share", "low", "high"])


def _scores(scores: pd.DataFrame, items: str, estimator: str) -> pd.DataFrame:
    rows = scores[(scores["items"] == items) & (scores["estimator"] == estimator)]
    if rows.empty or rows["item"].duplicated().any():
        raise InputError(f"{estimator!r} of {items!r} must have one value per item, it has {len(rows)} rows")
    return rows.set_index("item")[["value", "stderr"]]


def _judged(
    item: pd.Series, group: pd.Series, model: pd.DataFrame, data: pd.DataFrame, *, low: float, gap: float
) -> pd.DataFrame:
    """Estimates without a standard error (an exact trace) count as exact."""
    values = [frame[name].fillna(0.0).to_numpy(np.float64) for frame in (model, data) for name in frame]
    columns = dict(zip(("lid_model", "se_model", "lid_data", "se_data"), values, strict=True))
    judged = verdicts(*values, low=low, gap=gap)
    return pd.DataFrame(
        {"item": item.to_numpy(np.int64), "group": group.to_numpy(), **columns, "verdict": judged}
    )
