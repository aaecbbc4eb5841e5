"""How well LID separates memorized samples for each percentile of the pooled threshold, and without any."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mmh.errors import InputError
from mmh.evaluation.samples import CONTRASTS, MIN_CLASS, UNITS, contrast_rows
from mmh.lid.spectra import count_above, count_below, pooled_threshold
from mmh.stats.areas import area_interval, left_out_areas

SIDES = ("above", "below")
LOG_VOLUME = "_log_volume"
"""Suffix of the rows of the log-volume, which needs no threshold."""
COLUMNS = (
    "estimator",
    "contrast",
    "percentile",
    "threshold",
    "n_positive",
    "n_negative",
    "n_clusters",
    "unit",
    "auc",
    "auc_low",
    "auc_high",
    "auc_reason",
    "median_positive",
    "median_negative",
)


def log_volume(spectra: np.ndarray, structural_zeros: int = 0) -> np.ndarray:
    """Sum the logarithms of the singular values of each spectrum.

    For a generator it is the logarithm of the volume that G spans around a sample per volume of z.

    Parameters
    ----------
    spectra : (n, d) float
        Singular values, descending.
    structural_zeros : int
        How many of the smallest are zero by construction and left out: 1 for a generator that normalises z.

    Returns
    -------
    (n,) float64
        Values below the rounding error of the largest of all count as that error, so that the sum is finite.

    Raises
    ------
    InputError
        If no value is left, or all are zero.
    """
    values = np.asarray(spectra, dtype=np.float64)
    kept = values[:, : values.shape[1] - structural_zeros]
    if not kept.size or structural_zeros < 0 or not kept.max() > 0:
        raise InputError(
            f"a log-volume needs positive singular values, got spectra {values.shape} of which "
            f"{structural_zeros} values are left out"
        )
    return np.log(np.maximum(kept, np.finfo(np.float64).eps * kept.max())).sum(axis=1)


def sweep(
    spectra: np.ndarray,
    ids: np.ndarray,
    table: pd.DataFrame,
    *,
    estimator: str,
    side: str,
    percentiles: Sequence[float],
    structural_zeros: int | None = None,
    contrasts: Sequence[str] = tuple(CONTRASTS),
    clusters: str = "group",
) -> pd.DataFrame:
    """Evaluate LID against the labels for each percentile of the pool, and the log-volume.

    Parameters
    ----------
    spectra : (n, d) float
        Singular values, descending; all of them together are the pool of every threshold.
    ids : (n,) int
        Samples of the rows.
    table : pandas.DataFrame
        Columns `sample`, `label`, `cluster`, such as `mmh.evaluation.samples.labelled_scores` gives; samples
        without a spectrum are dropped.
    estimator : str
        Name in the rows.
    side : {"above", "below"}
        LID counts the values above the threshold (Jacobian of a generator), or those not above it (normal
        bundle).
    percentiles : sequence of float
        Each in (0, 100).
    structural_zeros : int, optional
        As for `log_volume`; by default 1 for "above" and 0 for "below".
    contrasts : sequence of str
        Keys of `mmh.evaluation.samples.CONTRASTS`.
    clusters : str
        What `cluster` is: a key of `mmh.evaluation.samples.UNITS`. Intervals are those of
        `mmh.evaluation.samples.evaluate`.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, by contrast and percentile; the last row of a contrast is that of the log-volume, with
        `LOG_VOLUME` behind the estimator's name and neither percentile nor threshold. `auc` is that of *low*
        LID for the memorized; of a low log-volume for "above", and of a high one for "below", where large
        values are the normal directions. Contrasts with fewer than two samples of a class are absent.

    Raises
    ------
    InputError
        If an option is out of range, an id occurs twice, or spectra are not finite.
    """
    if side not in SIDES:
        raise InputError(f"side must be one of {', '.join(SIDES)}, it is '{side}'")
    place = pd.Index(ids)
    if place.has_duplicates:
        raise InputError(f"sample {place[place.duplicated()][0]} has several spectra of '{estimator}'")
    thresholds = [pooled_threshold(spectra, p) for p in percentiles]
    count = count_above if side == "above" else count_below
    if structural_zeros is None:
        structural_zeros = 1 if side == "above" else 0
    volume = log_volume(spectra, structural_zeros)
    values = np.column_stack([*(count(spectra, t) for t in thresholds), volume])
    # Larger speaks for memorized.
    scores = np.column_stack([-values[:, :-1], -volume if side == "above" else volume])
    table = table[table["sample"].isin(place)].reset_index(drop=True)
    levels = [*zip([estimator] * len(thresholds), percentiles, thresholds, strict=True)]
    levels.append((estimator + LOG_VOLUME, np.nan, np.nan))
    records: list[dict[str, Any]] = []
    for contrast in contrasts:
        rows = contrast_rows(table, contrast)
        positive = rows["positive"].to_numpy()
        if min(positive.sum(), (~positive).sum()) < MIN_CLASS:
            continue
        at = place.get_indexer(rows["sample"])
        left_out = left_out_areas(scores[at], positive, rows["cluster"].to_numpy())
        unit = UNITS.get(clusters, clusters)
        for k, (name, percentile, threshold) in enumerate(levels):
            area = area_interval(left_out, k, unit)
            counts = (int(positive.sum()), int((~positive).sum()), left_out.n_clusters, unit)
            areas = (area.estimate, area.low, area.high, area.reason)
            middle = [float(np.median(values[at, k][which])) for which in (positive, ~positive)]
            row = (name, contrast, percentile, threshold, *counts, *areas, *middle)
            records.append(dict(zip(COLUMNS, row, strict=True)))
    return pd.DataFrame(records, columns=list(COLUMNS))
