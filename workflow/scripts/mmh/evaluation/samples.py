"""How well each score tells memorized samples from others: the rows of ``evaluation.csv``.

Every score is oriented alike: *smaller* means memorized. LID and PNG size are small for memorized samples,
and so are the distances of retrieval.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mmh.errors import InputError
from mmh.labels.classes import sample_classes
from mmh.stats.curves import MIN_CLUSTERS, Bootstrap, cluster_bootstrap, percentile_interval

CONTRASTS: dict[str, tuple[str, ...]] = {
    "exact": ("exact",),
    "reconstructive": ("reconstructive",),
    "memorized": ("exact", "reconstructive"),
}
NEGATIVE = "not_memorized"
MIN_CLASS = 2
FPR = 0.01
COUNTS = ["n_positive", "n_negative", "n_clusters"]
VALUES = [f"{name}{end}" for name in ("auc", "tpr_at_1fpr") for end in ("", "_low", "_high")]
GAIN = ["baseline", "auc_gain", "auc_gain_low", "auc_gain_high"]
COLUMNS = ["estimator", "contrast", *COUNTS, *VALUES, *GAIN]


def oriented(scores: pd.DataFrame, large: Sequence[str]) -> pd.DataFrame:
    """Turn scores round whose large values speak for memorization, so that small ones do of all.

    Parameters
    ----------
    scores : pandas.DataFrame
        With `estimator` and `value`.
    large : sequence of str
        Estimators.

    Returns
    -------
    pandas.DataFrame
        The values of those with the other sign.
    """
    turned = scores["estimator"].isin(large)
    return scores.assign(value=scores["value"].where(~turned, -scores["value"]))


def labelled_scores(
    scores: pd.DataFrame,
    labels: pd.DataFrame,
    matches: pd.DataFrame,
    train: pd.DataFrame,
    *,
    estimators: Sequence[str],
    clusters: str = "group",
    exclude: Iterable[int] = (),
) -> pd.DataFrame:
    """Put the scores of every labelled sample side by side.

    Parameters
    ----------
    scores : pandas.DataFrame
        Long table with the columns `items`, `item`, `estimator`, `value`.
    labels : pandas.DataFrame
        Labels of pairs.
    matches : pandas.DataFrame
        Retrieved pairs; a metric's name is also that of a score, the one of its first rank.
    train : pandas.DataFrame
        Training set, with `train` and the column `clusters`.
    estimators : sequence of str
        Names to look up: among the scores of `samples`; else of `train`, taken at the training image of the
        pair that gave the sample its class; else among the metrics of `matches`.
    clusters : str
        Column of `train` that groups training images.
    exclude : iterable of int
        Samples to leave out, those that calibrated t0.

    Returns
    -------
    pandas.DataFrame
        `sample`, `label`, `train`, `cluster`, then one float64 column per estimator, NaN where a sample has
        no score; sorted by sample.

    Raises
    ------
    InputError
        If an estimator is unknown or has several values for one item, or a training image is unknown.
    """
    table = sample_classes(labels, matches)
    table = table[~table["sample"].isin(set(exclude))].reset_index(drop=True)
    group = train.set_index("train")[clusters].reindex(table["train"])
    if group.isna().any():
        raise InputError(f"labels name training image {group.index[group.isna()][0]}, which does not exist")
    table["cluster"] = group.to_numpy(dtype=np.int64)
    first = matches[matches["rank"] == 1]
    for name in estimators:
        own = scores[scores["estimator"] == name]
        key, rows, value = (
            "sample",
            first[first["metric"] == name].rename(columns={"sample": "item"}),
            "score",
        )
        for items, at in (("train", "train"), ("samples", "sample")):
            if (own["items"] == items).any():
                key, rows, value = at, own[own["items"] == items], "value"
        if rows.empty:
            known = sorted({*scores["estimator"], *matches["metric"]})
            raise InputError(f"no score '{name}' of samples or training images; there are {', '.join(known)}")
        values = rows.set_index("item")[value]
        if values.index.has_duplicates:
            item = values.index[values.index.duplicated()][0]
            raise InputError(
                f"'{name}' has several values for item {item} (several t?): it cannot be evaluated"
            )
        table[name] = values.reindex(table[key]).to_numpy(dtype=np.float64)
    return table


def contrast_rows(table: pd.DataFrame, contrast: str) -> pd.DataFrame:
    """Select the samples of one contrast.

    Parameters
    ----------
    table : pandas.DataFrame
        With a column `label`.
    contrast : str
        Key of `CONTRASTS`.

    Returns
    -------
    pandas.DataFrame
        Rows of the contrast's classes and of `not_memorized`, with the bool column `positive`.

    Raises
    ------
    InputError
        If the contrast is unknown.
    """
    if contrast not in CONTRASTS:
        raise InputError(f"contrast '{contrast}' is unknown; choose among {', '.join(CONTRASTS)}")
    chosen = table[table["label"].isin([*CONTRASTS[contrast], NEGATIVE])].copy()
    chosen["positive"] = chosen["label"] != NEGATIVE
    return chosen.reset_index(drop=True)


def evaluate(
    scores: pd.DataFrame,
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
    """Evaluate every score on every contrast, with intervals, against the best simple baseline.

    Parameters
    ----------
    scores, labels, matches, train, clusters, exclude
        As for `labelled_scores`.
    estimators : sequence of str
        Scores to evaluate.
    baselines : sequence of str
        Simple scores, rows of their own; the one with the largest AUC on a contrast (the first of equals) is
        its `baseline`, and gains over it are paired, on the same resamples.
    contrasts : sequence of str
        Keys of `CONTRASTS`.
    resamples, seed, min_clusters
        As for `stats.cluster_bootstrap`.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`; by contrast, then estimators, then the other baselines, in the order given. Only samples
        with all baselines are counted, and of those the ones that the estimator has scored. A contrast with
        fewer than two samples of a class is absent. `n_clusters` is that of the class with fewer; below
        `min_clusters` that class was resampled by sample. Without baselines `baseline` is empty and the gain
        is missing.

    Raises
    ------
    InputError
        As `labelled_scores`; also if a contrast is unknown.
    """
    names = list(dict.fromkeys([*estimators, *baselines]))
    table = labelled_scores(
        scores, labels, matches, train, estimators=names, clusters=clusters, exclude=exclude
    )
    table = table.dropna(subset=list(baselines))
    records: list[dict[str, Any]] = []
    for contrast in contrasts:
        rows = contrast_rows(table, contrast)
        present = rows[names].notna()
        # Estimators scored on the same samples share resamples, and one bootstrap.
        for mask in dict.fromkeys(tuple(present[name]) for name in names):
            part = rows[np.array(mask, dtype=bool)]
            positive = part["positive"].to_numpy()
            if min(positive.sum(), (~positive).sum()) < MIN_CLASS:
                continue
            together = [name for name in names if tuple(present[name]) == mask]
            columns = list(dict.fromkeys([*together, *baselines]))
            draws = cluster_bootstrap(
                -part[columns].to_numpy(),
                positive,
                part["cluster"].to_numpy(),
                resamples=resamples,
                seed=seed,
                ids=[list(CONTRASTS).index(contrast)],
                fpr=FPR,
                min_clusters=min_clusters,
            )
            areas = [draws.auc[columns.index(name)] for name in baselines]
            best = baselines[int(np.argmax(areas))] if areas else None
            records += [score_record(name, contrast, best, columns, draws, positive) for name in together]
    order = {(c, n): k for k, (c, n) in enumerate((c, n) for c in contrasts for n in names)}
    records.sort(key=lambda record: order[record["contrast"], record["estimator"]])
    return pd.DataFrame(records, columns=COLUMNS)


def score_record(
    name: str, contrast: str, best: str | None, columns: list[str], draws: Bootstrap, positive: np.ndarray
) -> dict[str, Any]:
    """Make one row of the evaluation from the resamples of all scores.

    Parameters
    ----------
    name, contrast : str
        Score and contrast of the row.
    best : str or None
        Score that the gain is over; None: there is none.
    columns : list of str
        Scores in the order of `draws`.
    draws : Bootstrap
        AUC and TPR of every score, and of every resample.
    positive : (n,) bool
        Class of each item.

    Returns
    -------
    dict
        Keys of `COLUMNS`.
    """
    k, n = columns.index(name), len(positive)
    area = percentile_interval(draws.auc[k], draws.auc_resampled[:, k], n)
    rate = percentile_interval(draws.tpr[k], draws.tpr_resampled[:, k], n)
    record: dict[str, Any] = {
        "estimator": name,
        "contrast": contrast,
        "n_positive": int(positive.sum()),
        "n_negative": int((~positive).sum()),
        "n_clusters": draws.n_clusters,
        "auc": area.estimate,
        "auc_low": area.low,
        "auc_high": area.high,
        "tpr_at_1fpr": rate.estimate,
        "tpr_at_1fpr_low": rate.low,
        "tpr_at_1fpr_high": rate.high,
        "baseline": "" if best is None else best,
    }
    if best is not None:
        b = columns.index(best)
        change = draws.auc_resampled[:, k] - draws.auc_resampled[:, b]
        gain = percentile_interval(draws.auc[k] - draws.auc[b], change, n)
        record |= {"auc_gain": gain.estimate, "auc_gain_low": gain.low, "auc_gain_high": gain.high}
    return record
