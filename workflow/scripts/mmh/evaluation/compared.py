"""The rows of ``evaluation.csv`` of one contrast: each score with its intervals, and what it gains."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from mmh.evaluation.names import ITEM
from mmh.stats.areas import logit_bounds
from mmh.stats.clusters import exact_low, t_quantile
from mmh.stats.curves import LEVEL, Comparison, Interval, compare, median_interval, tpr_interval

FPR = 0.01
ROUNDED = 5e-7
"""Half a unit of the last digit of the table."""
INTERVALS = ("auc", "tpr_at_1fpr", "median_difference", "auc_gain")
"""Each has an estimate and, behind its name, `_low`, `_high`, and `_reason` where there are no bounds."""
COUNTS = ["n_positive", "n_negative", "n_clusters", "unit"]


def interval_columns(name: str) -> list[str]:
    """Columns of one interval of the evaluation."""
    return [name, f"{name}_low", f"{name}_high", f"{name}_reason"]


_AUC, _TPR, _MEDIAN, _GAIN = (interval_columns(name) for name in INTERVALS)
MEDIANS = ["median_positive", "median_negative"]
RATES = [*_AUC, "auc_method", "auc_df", *_TPR]
COLUMNS = ["estimator", "contrast", "score_of", *COUNTS, *RATES, *MEDIANS, *_MEDIAN, "baseline", *_GAIN]


class Compared:
    """Scores of the items of one contrast, and the rows of the evaluation that they make.

    Parameters
    ----------
    scores : (n, S) float
        Larger speaks for the positive class.
    positive : (n,) bool
        Class of each item.
    clusters : (n,) int
        Cluster of each item.
    names : list of str
        Scores, in order.
    signs : mapping of str to float
        What a score's column was multiplied with; 1 for those not named.
    unit : str
        What a cluster is.
    score_of : mapping of str to str
        What a score is of; the item itself for those not named.
    """

    def __init__(
        self,
        scores: np.ndarray,
        positive: np.ndarray,
        clusters: np.ndarray,
        names: list[str],
        signs: Mapping[str, float],
        unit: str,
        score_of: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.scores, self.positive, self.clusters, self.names = scores, positive, clusters, names
        self.signs, self.unit, self.score_of = signs, unit, score_of
        self.areas: Comparison = compare(scores, positive, clusters, unit=unit)

    def best(self, baselines: Sequence[str]) -> str | None:
        """The baseline with the largest AUC, the first of equals; None without any."""
        areas = [self.areas.left_out.area[self.names.index(name)] for name in baselines]
        return baselines[int(np.argmax(areas))] if areas else None

    def record(self, name: str, contrast: str, best: str | None) -> dict[str, Any]:
        """Make the row of a score.

        Parameters
        ----------
        name, contrast : str
            Score and contrast.
        best : str or None
            Score that the gain is over; None: there is none.

        Returns
        -------
        dict
            Keys of `COLUMNS`.
        """
        k, positive = self.names.index(name), self.positive
        column = self.scores[:, k]
        own = column * self.signs.get(name, 1.0)
        record: dict[str, Any] = {
            "estimator": name,
            "contrast": contrast,
            "score_of": self.score_of.get(name, ITEM),
            "n_positive": int(positive.sum()),
            "n_negative": int((~positive).sum()),
            "n_clusters": self.areas.left_out.n_clusters,
            "unit": self.unit,
            "median_positive": float(np.median(own[positive])),
            "median_negative": float(np.median(own[~positive])),
            "baseline": "" if best is None else best,
        }
        difference = median_interval(
            own[positive],
            own[~positive],
            clusters=self.clusters[positive],
            other_clusters=self.clusters[~positive],
            unit=self.unit,
        )
        rate = tpr_interval(column, positive, self.clusters, level=FPR, unit=self.unit)
        found = {"auc": self.areas.area(k), "tpr_at_1fpr": rate, "median_difference": difference}
        if best is not None:
            found["auc_gain"] = self.areas.difference(k, self.names.index(best))
        for what, interval in found.items():
            values = (interval.estimate, interval.low, interval.high, interval.reason)
            record |= zip(interval_columns(what), values, strict=True)
        record |= {"auc_method": found["auc"].method, "auc_df": found["auc"].df}
        return record


def area_of(row: Any, level: float = LEVEL) -> Interval:
    """AUC of a row of the evaluation, with its interval at any level.

    Parameters
    ----------
    row : pandas.Series
        With `COLUMNS`.
    level : float
        Two-sided; the bounds follow from those of the row, by its method and degrees of freedom.

    Returns
    -------
    Interval
    """
    method, reason = ("" if pd.isna(text) else str(text) for text in (row.auc_method, row.auc_reason))
    n = int(row.n_positive + row.n_negative)
    how: dict[str, Any] = {"n_clusters": int(row.n_clusters), "unit": str(row.unit)}
    area, low, high, df = (float(row[key]) for key in ("auc", "auc_low", "auc_high", "auc_df"))
    if low == low and method == "exact":
        bound = exact_low(how["n_clusters"], level)
        low, high = (bound, 1.0) if area == 1 else (0.0, 1 - bound)
    elif low == low and method != "by definition" and level != LEVEL:
        # From the bound on the side of 1/2: rows have six digits, and the other one may read 1.
        kept, bound = (min(max(x, ROUNDED), 1 - ROUNDED) for x in (area, low if area >= 0.5 else high))
        half = abs(float(np.log(kept / (1 - kept)) - np.log(bound / (1 - bound))))
        low, high = logit_bounds(kept, half * t_quantile(df, level) / t_quantile(df))
    return Interval(area, low, high, n, level, method=method, reason=reason, df=df, **how)
