"""Classes of labels, and a sample's class: the most severe one of its pairs."""

import numpy as np
import pandas as pd

CLASSES = ("exact", "reconstructive", "unsure", "not_memorized")  # most severe first


def sample_classes(labels: pd.DataFrame, matches: pd.DataFrame | None = None) -> pd.DataFrame:
    """Give each labelled sample the most severe class of its pairs, and the pair that gave it.

    Parameters
    ----------
    labels : pandas.DataFrame
        Labels of pairs: `sample`, `train`, `label`.
    matches : pandas.DataFrame, optional
        Among pairs of that class the one of best rank by `calibrated_l2` is taken, then the smallest id;
        without matches the smallest id.

    Returns
    -------
    pandas.DataFrame
        `sample` int64, `label` str, `train` int64; one row per labelled sample, sorted.
    """
    table = labels[["sample", "train", "label"]].copy()
    table["severity"] = table["label"].map({name: k for k, name in enumerate(CLASSES)})
    table["rank"] = np.inf
    if matches is not None:
        ranks = matches[matches["metric"] == "calibrated_l2"].set_index(["sample", "train"])["rank"]
        found = ranks.reindex(pd.MultiIndex.from_frame(table[["sample", "train"]])).to_numpy(dtype=np.float64)
        table["rank"] = np.where(np.isnan(found), np.inf, found)
    table = table.sort_values(["sample", "severity", "rank", "train"], kind="stable")
    return table.drop_duplicates("sample")[["sample", "label", "train"]].reset_index(drop=True)
