"""What the cuts of planted labels decide: the AUC at other cuts, and what follows the distance anyway.

Planted labels follow from a distance (`mmh.labels.planted`), so a score that follows the distance is better
the farther the classes are cut apart.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mmh.evaluation.names import REFERENCE
from mmh.evaluation.samples import (
    CONTRASTS,
    MIN_CLASS,
    UNITS,
    comparisons,
    contrast_rows,
    labelled_scores,
    oriented,
    scores_of,
    with_distance,
)
from mmh.labels.classes import CLASSES
from mmh.labels.planted import plant_labels
from mmh.stats.correlation import spearman_interval

_KEYS = ["exact_distance", "not_distance", "configured"]
_COUNTS = ["n_positive", "n_negative", "n_clusters", "unit"]
COLUMNS = ["estimator", "contrast", "score_of", *_KEYS, *_COUNTS, "auc", "auc_low", "auc_high", "auc_reason"]
ORDER_COLUMNS = [
    "estimator",
    "score_of",
    "label",
    "n",
    "n_clusters",
    "unit",
    "spearman",
    "low",
    "high",
    "reason",
]
MATCHED_COLUMNS = ["label", "match", "n", "of", "nearer", "nearest", "median", "farthest"]
REPEATED, FAMILY, SINGLE = "repeated image", "template family", "image seen once"


class Planted:
    """Samples of a planted world, with their scores and the distance that labels follow from.

    Parameters
    ----------
    scores, matches, train : pandas.DataFrame
        As for `mmh.evaluation.samples.evaluate`, but scores as they are; `train` with `copies`.
    distances : pandas.DataFrame
        From `mmh.labels.planted.planted_distances`.
    exact_distance, not_distance : float
        The configured cuts.
    estimators, baselines, large, exclude, clusters
        As for `mmh.evaluation.samples.evaluate`.
    """

    def __init__(
        self,
        scores: pd.DataFrame,
        matches: pd.DataFrame,
        train: pd.DataFrame,
        distances: pd.DataFrame,
        *,
        exact_distance: float,
        not_distance: float,
        estimators: Sequence[str],
        baselines: Sequence[str],
        large: Sequence[str] = (),
        exclude: Iterable[int] = (),
        clusters: str = "group",
    ) -> None:
        self._scores, self._matches, self._train, self._distances = scores, matches, train, distances
        self.configured = exact_distance, not_distance
        self._names, self._baselines = list(dict.fromkeys([*estimators, *baselines])), list(baselines)
        self._large, self._exclude, self._clusters = large, frozenset(exclude), clusters
        self._unit = UNITS.get(clusters, clusters)
        self._of = scores_of(scores, matches, [*self._names, REFERENCE])

    def vary_cuts(self, pairs: Iterable[Sequence[float]]) -> pd.DataFrame:
        """Evaluate every score, and the distance, by the labels of other cuts.

        Parameters
        ----------
        pairs : iterable of (float, float)
            Distance below which a sample is a copy, and above which it is not memorized; the configured pair
            is added.

        Returns
        -------
        pandas.DataFrame
            `COLUMNS`; by contrast, cuts (ascending) and score. A score that is not had by two samples of each
            class has no AUC, and the reason says so. The rows of the configured cuts are those of
            `evaluation.csv`.

        Raises
        ------
        InputError
            If a pair of cuts is out of order.
        """
        cuts = sorted({(float(low), float(high)) for low, high in pairs} | {self.configured})
        turned = oriented(self._scores, self._large)
        tables = {cut: self._labelled(turned, cut) for cut in cuts}
        records: list[dict[str, Any]] = []
        for contrast in CONTRASTS:
            for cut in cuts:
                records += self._records(tables[cut], contrast, cut)
        return pd.DataFrame(records, columns=COLUMNS)

    def order_within(self) -> pd.DataFrame:
        """Correlate every score with the distance within each class of the configured cuts.

        Returns
        -------
        pandas.DataFrame
            `ORDER_COLUMNS`; Spearman's correlation of the score as it is, by label and score: positive if
            the score grows with the distance. Labels of fewer than two samples are absent.
        """
        table = self._labelled(self._scores, self.configured)
        rows: list[tuple[Any, ...]] = []
        for label in CLASSES:
            for name in self._names:
                part = table[table["label"] == label].dropna(subset=[name])
                if len(part) < MIN_CLASS:
                    continue
                found = spearman_interval(
                    part[name].to_numpy(),
                    part[REFERENCE].to_numpy(),
                    part["cluster"].to_numpy(),
                    unit=self._unit,
                )
                counts = (found.n, found.n_clusters, found.unit)
                numbers = (found.estimate, found.low, found.high, found.reason)
                rows.append((name, self._of[name], label, *counts, *numbers))
        return pd.DataFrame(rows, columns=ORDER_COLUMNS)

    def matched(self) -> pd.DataFrame:
        """Count what the samples of each class match, and how far from it they are.

        Returns
        -------
        pandas.DataFrame
            `MATCHED_COLUMNS`; by label and kind of match: `n` `of` the samples of the label match an image
            of that kind (`REPEATED`, `FAMILY`, `SINGLE`), with the least, middle and greatest distance;
            `nearer`: how many of them are nearer to it than any other training image is.
        """
        table = self._labelled(self._scores, self.configured)
        pairs = self._distances.set_index(["sample", "train"])[["close", "gap"]]
        pairs = pairs.reindex(pd.MultiIndex.from_frame(table[["sample", "train"]]))
        close, nearer = pairs["close"].to_numpy(), table[REFERENCE].to_numpy() < pairs["gap"].to_numpy()
        copies = self._train.set_index("train")["copies"].reindex(table["train"]).to_numpy()
        kinds = np.select([close == "reconstructive", copies > 1], [FAMILY, REPEATED], SINGLE)
        rows = []
        for label in CLASSES:
            mine = (table["label"] == label).to_numpy()
            for kind in (REPEATED, FAMILY, SINGLE):
                own = mine & (kinds == kind)
                found = table.loc[own, REFERENCE]
                if len(found):
                    counts = (len(found), int(mine.sum()), int(nearer[own].sum()))
                    rows.append((label, kind, *counts, found.min(), found.median(), found.max()))
        return pd.DataFrame(rows, columns=MATCHED_COLUMNS)

    def _labelled(self, scores: pd.DataFrame, cut: tuple[float, float]) -> pd.DataFrame:
        """Scores and distance of each sample, with its label by some cuts."""
        labels = plant_labels(self._distances, exact_distance=cut[0], not_distance=cut[1])
        table = labelled_scores(
            scores,
            labels,
            self._matches,
            self._train,
            estimators=self._names,
            clusters=self._clusters,
            exclude=self._exclude,
        )
        return with_distance(table.dropna(subset=self._baselines), self._distances)

    def _records(self, table: pd.DataFrame, contrast: str, cut: tuple[float, float]) -> list[dict[str, Any]]:
        """Rows of one contrast at some cuts."""
        names, found = [*self._names, REFERENCE], {}
        how: dict[str, Any] = {"large": self._large, "unit": self._unit, "of": self._of}
        for together, compared in comparisons(table, names, self._baselines, contrast, **how):
            positive, areas = compared.positive, compared.areas
            for name in together:
                area = areas.area(compared.names.index(name))
                numbers = (area.estimate, area.low, area.high, area.reason)
                counts = (int(positive.sum()), int((~positive).sum()), area.n_clusters, area.unit)
                found[name] = (*counts, *numbers)
        records = []
        for name in names:
            if name not in found:
                rows = contrast_rows(table, contrast)
                positive = rows.loc[rows[name].notna(), "positive"]
                counts = (int(positive.sum()), int((~positive).sum()), 0, self._unit)
                few = f"fewer than {MIN_CLASS} samples of a class"
                found[name] = (*counts, np.nan, np.nan, np.nan, few)
            keys = (name, contrast, self._of[name], *cut, cut == self.configured)
            records.append(dict(zip(COLUMNS, (*keys, *found[name]), strict=True)))
        return records
