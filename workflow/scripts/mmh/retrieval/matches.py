"""What a search finds: the closest training images of each sample, and the table of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmh.compute.shown import shown


@dataclass(frozen=True)
class Matches:
    """Closest training images of n samples, nearest first; arrays are (n, top)."""

    score: np.ndarray  # float64, smaller = closer copy
    match: np.ndarray  # int64, training ids: the smallest of each group of exact duplicates
    distance: np.ndarray  # float64

    def __repr__(self) -> str:
        return shown(type(self).__name__, **vars(self))


def join_matches(parts: Sequence[Matches]) -> Matches:
    """Put the matches of several groups of samples under one another.

    Parameters
    ----------
    parts : sequence of Matches
        At least one; the same number of matches per sample in each.

    Returns
    -------
    Matches
    """
    arrays = (
        [part.score for part in parts],
        [part.match for part in parts],
        [part.distance for part in parts],
    )
    return Matches(*(np.concatenate(array) for array in arrays))


def matches_table(sample_ids: np.ndarray, results: Mapping[str, Matches]) -> pd.DataFrame:
    """Lay out search results as the matches table.

    Parameters
    ----------
    sample_ids : (n,) int
        Ids of the searched samples.
    results : mapping
        Metric name (`sscd`, `calibrated_l2`) to its matches, rows in the order of `sample_ids`.

    Returns
    -------
    pandas.DataFrame
        `sample` int64, `metric` str, `rank` int32 from 1, `train` int64, `distance`, `score` float64; sorted
        by sample, metric, rank.
    """
    parts = []
    for metric, found in results.items():
        n, top = found.match.shape
        columns = {
            "sample": np.repeat(np.asarray(sample_ids, dtype=np.int64), top),
            "metric": np.repeat(metric, n * top),
            "rank": np.tile(np.arange(1, top + 1, dtype=np.int32), n),
            "train": found.match.ravel().astype(np.int64),
            "distance": found.distance.ravel(),
            "score": found.score.ravel(),
        }
        parts.append(pd.DataFrame(columns))
    table = pd.concat(parts, ignore_index=True)
    return table.sort_values(["sample", "metric", "rank"], kind="stable", ignore_index=True)
