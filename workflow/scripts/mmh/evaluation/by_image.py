"""How well a score tells the copies of each single image: one AUC for each cluster of memorized samples."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mmh.evaluation.samples import CONTRASTS, NEGATIVE
from mmh.stats.areas import area_interval, left_out_areas
from mmh.stats.clusters import members, unbounded

COLUMNS = [
    "estimator",
    "label",
    "cluster",
    "train",
    "n_positive",
    "n_negative",
    "n_clusters",
    "unit",
    "auc",
    "auc_low",
    "auc_high",
    "auc_reason",
]
UNIT = "sample of the image"
"""What an interval takes as one among the positives, since other images are not asked about."""


def auc_by_image(table: pd.DataFrame, estimators: Sequence[str]) -> pd.DataFrame:
    """Compare the samples that copy one image, or are of one family, with all that are not memorized.

    Given the image its samples are independent draws of the model, so intervals leave out a sample of the
    image, or a cluster of negatives, at a time; they say nothing of other images.

    Parameters
    ----------
    table : pandas.DataFrame
        From `mmh.evaluation.samples.labelled_scores`, scores oriented: small ones speak for memorization.
    estimators : sequence of str
        Its columns.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`; by score, label and cluster. `train` is the smallest id of the images that samples match,
        `n_clusters` is that of the side with fewer: samples of the image, or clusters of negatives. One
        sample alone has no interval, and the reason says so. Without negatives there are no rows.
    """
    rows: list[dict[str, Any]] = []
    for name in estimators:
        scored = table.dropna(subset=[name])
        negative = scored[scored["label"] == NEGATIVE]
        memorized = scored[scored["label"].isin(CONTRASTS["memorized"])]
        if negative.empty:
            continue
        others = members(negative["cluster"].to_numpy(), len(negative))
        for (label, cluster), own in memorized.groupby(["label", "cluster"], sort=True):
            alone = others.max() + 1 + np.arange(len(own))
            left_out = left_out_areas(
                -np.append(own[name], negative[name]),
                np.arange(len(own) + len(negative)) < len(own),
                np.append(alone, others),
            )
            if min(left_out.clusters) > 1:
                area = area_interval(left_out, 0, UNIT)
            else:
                few = "one sample copies the image" if len(own) < 2 else "all negatives are of one cluster"
                area = unbounded(float(left_out.area[0]), left_out.n, 1, UNIT, few)
            counts = (len(own), len(negative), area.n_clusters, area.unit)
            numbers = (area.estimate, area.low, area.high, area.reason)
            row = (name, label, cluster, own["train"].min(), *counts, *numbers)
            rows.append(dict(zip(COLUMNS, row, strict=True)))
    return pd.DataFrame(rows, columns=COLUMNS)
