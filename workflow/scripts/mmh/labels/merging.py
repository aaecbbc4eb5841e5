"""One label for each pair of images, from the votes of its raters."""

import numpy as np
import pandas as pd

from mmh.labels.classes import CLASSES

LABELS = ("sample", "train", "label", "raters", "source")


def vote_counts(votes: pd.DataFrame) -> pd.DataFrame:
    """Count the votes of each pair by class.

    Parameters
    ----------
    votes : pandas.DataFrame
        With `sample`, `train`, `label`.

    Returns
    -------
    pandas.DataFrame
        int64, a row for each pair (index `sample`, `train`, sorted), a column for each of `CLASSES`.
    """
    sizes = votes.groupby(["sample", "train", "label"]).size().unstack("label", fill_value=0)
    return sizes.reindex(columns=list(CLASSES), fill_value=0).astype(np.int64)


def majority(counts: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Take the class with the most votes.

    Parameters
    ----------
    counts : pandas.DataFrame
        From `vote_counts`.

    Returns
    -------
    label : (n,) str
        `unsure` where classes tie.
    tie : (n,) bool
    """
    table = counts.to_numpy()
    if not len(table):
        return np.array([], dtype=str), np.array([], dtype=bool)
    tie = (table == table.max(axis=1, keepdims=True)).sum(axis=1) > 1
    return np.where(tie, "unsure", np.array(CLASSES)[table.argmax(axis=1)]), tie


def merge_labels(votes: pd.DataFrame, *, source: str) -> pd.DataFrame:
    """Merge the votes on each pair into one label: the majority, and `unsure` for a tie.

    A second round is held to settle a pair together: where there is one, its votes alone decide.

    Parameters
    ----------
    votes : pandas.DataFrame
        From `mmh.labels.label_files.read_label_files`.
    source : str
        `people` or `planted`.

    Returns
    -------
    pandas.DataFrame
        `sample`, `train` int64, `label` str, `raters` int64 (the votes that decided), `source` str; by pair.
    """
    counts = deciding_counts(votes)
    label, _ = majority(counts)
    merged = counts.index.to_frame(index=False).assign(
        label=label, raters=counts.sum(axis=1).to_numpy(), source=source
    )
    return merged[list(LABELS)].astype(
        {"sample": np.int64, "train": np.int64, "raters": np.int64, "label": str, "source": str}
    )


def deciding_counts(votes: pd.DataFrame) -> pd.DataFrame:
    """Count the votes of each pair's last round."""
    latest = votes.groupby(["sample", "train"])["round"].transform("max")
    return vote_counts(votes[votes["round"] == latest])
