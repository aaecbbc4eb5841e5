"""How much the evaluation owes to who labelled: each rater's own labels, and `unsure` read either way."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mmh.compute import rng
from mmh.evaluation.samples import CONTRASTS, MIN_CLASS, NEGATIVE, evaluate, labelled_scores
from mmh.labels.classes import sample_classes
from mmh.stats.resampling import MIN_CLUSTERS, Interval, draw_weights, percentile_interval, weighted_roc

MERGED = "(merged)"
UNSURE = {"(unsure as memorized)": True, "(unsure as not memorized)": False}
"""In parentheses, as no rater is called."""
COLUMNS = (
    "rater",
    "estimator",
    "contrast",
    "n_positive",
    "n_negative",
    "auc",
    "auc_low",
    "auc_high",
    "delta_auc",
    "delta_low",
    "delta_high",
)
_TRIES = 10  # times the resamples that may be drawn before the paired interval is given up


def evaluate_raters(
    scores: pd.DataFrame,
    votes: pd.DataFrame,
    labels: pd.DataFrame,
    matches: pd.DataFrame,
    train: pd.DataFrame,
    *,
    estimators: Sequence[str],
    baselines: Sequence[str] = (),
    contrasts: Sequence[str] = tuple(CONTRASTS),
    clusters: str = "group",
    exclude: Iterable[int] = (),
    resamples: int = 1000,
    seed: int = 0,
    min_clusters: int = MIN_CLUSTERS,
) -> pd.DataFrame:
    """Evaluate every score against other people's labels, and against other readings of `unsure`.

    Parameters
    ----------
    scores, labels, matches, train, estimators, baselines, contrasts, clusters, exclude
        As for `evaluation.evaluate`; `labels` are the merged ones.
    votes : pandas.DataFrame
        Who said what: `sample`, `train`, `label`, `rater`, `round`. A rater's labels are those of the first
        round.
    resamples, seed, min_clusters
        As for `stats.cluster_bootstrap`.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`. `rater` is a name, or `MERGED` (the rows of ``evaluation.csv``), both only where two people
        or more have labelled; or a key of `UNSURE`: the merged labels, with samples of class `unsure` counted
        as positive or as negative in every contrast. `delta_auc` is the AUC by these labels minus the AUC by
        the merged ones, over the samples that both have labelled, `unsure` included, with a paired interval;
        it is missing where one of the two has fewer than `MIN_CLASS` samples of a class. A contrast that
        these labels cannot fill is absent.

    Raises
    ------
    InputError
        As `evaluation.evaluate` does.
    """
    left_out = frozenset(exclude)
    names = list(dict.fromkeys([*estimators, *baselines]))

    def put(classes: pd.DataFrame, contrast: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Evaluate, and put the scores beside the labels."""
        table = evaluate(
            scores,
            classes,
            matches,
            train,
            estimators=estimators,
            baselines=baselines,
            contrasts=[contrast],
            clusters=clusters,
            exclude=left_out,
            resamples=resamples,
            seed=seed,
            min_clusters=min_clusters,
        )
        beside = labelled_scores(
            scores, classes, matches, train, estimators=names, clusters=clusters, exclude=left_out
        )
        return table, beside.dropna(subset=list(baselines))

    merged = sample_classes(labels, matches)
    records: list[dict[str, Any]] = []
    for contrast in contrasts:
        reference = put(merged, contrast)
        for rater, classes in _labellings(votes, merged, matches, contrast):
            table, beside = reference if rater == MERGED else put(classes, contrast)
            for row in table.to_dict("records"):
                record = {"rater": rater} | {name: row[name] for name in COLUMNS if name in row}
                if rater == MERGED:
                    change = Interval(0.0, 0.0, 0.0, len(beside))
                else:
                    change = _paired(
                        beside,
                        reference[1],
                        row["estimator"],
                        contrast,
                        resamples=resamples,
                        seed=seed,
                        min_clusters=min_clusters,
                    )
                delta = {"delta_auc": change.estimate, "delta_low": change.low, "delta_high": change.high}
                records.append(record | delta)
    order = {name: k for k, name in enumerate([*sorted(votes["rater"].unique()), MERGED, *UNSURE])}
    records.sort(key=lambda record: order[record["rater"]])  # by rater, then as in evaluation.csv
    return pd.DataFrame(records, columns=list(COLUMNS))


def _labellings(
    votes: pd.DataFrame, merged: pd.DataFrame, matches: pd.DataFrame, contrast: str
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Classes of samples by each rater, and by each reading of `unsure`."""
    alone = votes[votes["round"] == 1]
    if alone["rater"].nunique() > 1:
        for rater, own in alone.groupby("rater", sort=True):
            yield str(rater), sample_classes(own, matches)
        yield MERGED, merged
    for name, memorized in UNSURE.items():
        counted = CONTRASTS[contrast][0] if memorized else NEGATIVE
        yield name, merged.assign(label=merged["label"].replace("unsure", counted))


@dataclass(frozen=True)
class _Side:
    """One labelling of some samples: what a score says of each, and which are positive, negative, neither."""

    score: np.ndarray
    positive: np.ndarray
    used: np.ndarray

    def area(self, weight: np.ndarray) -> np.ndarray:
        rows = self.used
        return weighted_roc(self.score[rows], self.positive[rows], weight[:, rows], 0.0)[0]

    def filled(self, weight: np.ndarray) -> np.ndarray:
        """Tell which draws hold both classes."""
        positive = weight @ (self.used & self.positive).astype(np.float64)
        negative = weight @ (self.used & ~self.positive).astype(np.float64)
        return (positive > 0) & (negative > 0)


def _paired(
    own: pd.DataFrame,
    reference: pd.DataFrame,
    estimator: str,
    contrast: str,
    *,
    resamples: int,
    seed: int,
    min_clusters: int,
) -> Interval:
    """AUC by one labelling minus AUC by the other, on the samples of both, drawn together.

    Samples of a class that spans fewer than `min_clusters` clusters are drawn singly, as in
    `stats.cluster_bootstrap`. Draws that leave a class of either labelling empty are drawn anew.
    """
    both = own.dropna(subset=[estimator]).merge(
        reference.dropna(subset=[estimator]), on="sample", suffixes=("", "_merged")
    )
    labels = [both[f"label{end}"] for end in ("", "_merged")]
    both = both[np.any([label.isin([*CONTRASTS[contrast], NEGATIVE]) for label in labels], axis=0)]
    n = len(both)
    cluster = np.unique(both["cluster_merged"].to_numpy(), return_inverse=True)[1]
    unit = cluster.copy()
    sides = []
    for end in ("", "_merged"):
        positive = both[f"label{end}"].isin(CONTRASTS[contrast]).to_numpy()
        used = positive | (both[f"label{end}"] == NEGATIVE).to_numpy()
        sides.append(_Side(-both[f"{estimator}{end}"].to_numpy(dtype=np.float64), positive, used))
        for rows in (positive, used & ~positive):
            if rows.sum() < MIN_CLASS:
                return Interval(np.nan, np.nan, np.nan, n)
            if len(np.unique(cluster[rows])) < min_clusters:
                unit[rows] = n + np.flatnonzero(rows)
    one = np.ones((1, n))
    estimate = float(sides[0].area(one)[0] - sides[1].area(one)[0])
    generator = rng.generator(seed, "label-noise", list(CONTRASTS).index(contrast))
    kept: list[np.ndarray] = []
    for weight in draw_weights(unit, _TRIES * resamples, generator):
        good = weight[sides[0].filled(weight) & sides[1].filled(weight)]
        kept.append(sides[0].area(good) - sides[1].area(good))
        if sum(map(len, kept)) >= resamples:
            return percentile_interval(estimate, np.concatenate(kept)[:resamples], n)
    return Interval(estimate, np.nan, np.nan, n)
