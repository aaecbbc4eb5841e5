"""How well each score tells memorized samples from others: the rows of ``evaluation.csv``.

Every score is oriented alike: *smaller* means memorized. LID and PNG size are small for memorized samples,
and so are the distances of retrieval.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mmh.errors import InputError
from mmh.evaluation.compared import COLUMNS, Compared
from mmh.evaluation.names import ITEM, MATCH, PAIR, REFERENCE
from mmh.labels.classes import sample_classes

CONTRASTS: dict[str, tuple[str, ...]] = {
    "exact": ("exact",),
    "reconstructive": ("reconstructive",),
    "memorized": ("exact", "reconstructive"),
}
NEGATIVE = "not_memorized"
MIN_CLASS = 2
UNITS = {"group": "matched group", "train": "matched image"}
"""What an interval takes as one: all samples whose match belongs to one group of equal training images or to
one template family; or those that match one image."""


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
    for name in estimators:
        of, values = _values(scores, matches, name)
        table[name] = values.reindex(table["train" if of == MATCH else "sample"]).to_numpy(dtype=np.float64)
    return table


def scores_of(scores: pd.DataFrame, matches: pd.DataFrame, names: Iterable[str]) -> dict[str, str]:
    """Say what each score is of: `ITEM` (the sample), `MATCH` (its training image) or `PAIR`."""
    return {name: PAIR if name == REFERENCE else _values(scores, matches, name)[0] for name in names}


def _values(scores: pd.DataFrame, matches: pd.DataFrame, name: str) -> tuple[str, pd.Series]:
    """Look a score up: what it is of, and its value by item."""
    own = scores[scores["estimator"] == name]
    first = matches[(matches["rank"] == 1) & (matches["metric"] == name)]
    of, rows, value = PAIR, first.rename(columns={"sample": "item"}), "score"
    for items, kind in (("train", MATCH), ("samples", ITEM)):
        if (own["items"] == items).any():
            of, rows, value = kind, own[own["items"] == items], "value"
    if rows.empty:
        known = sorted({*scores["estimator"], *matches["metric"]})
        raise InputError(f"no score '{name}' of samples or training images; there are {', '.join(known)}")
    values = rows.set_index("item")[value]
    if values.index.has_duplicates:
        item = values.index[values.index.duplicated()][0]
        raise InputError(f"'{name}' has several values for item {item} (several t?): it cannot be evaluated")
    return of, values


def with_distance(table: pd.DataFrame, distances: pd.DataFrame) -> pd.DataFrame:
    """Add the distance that planted labels follow from.

    Parameters
    ----------
    table : pandas.DataFrame
        `sample` and `train`: the pair that gave the sample its class.
    distances : pandas.DataFrame
        `sample`, `train`, `distance` of all labelled pairs.

    Returns
    -------
    pandas.DataFrame
        With the float64 column `REFERENCE`.

    Raises
    ------
    InputError
        If a pair has no distance.
    """
    pairs = pd.MultiIndex.from_frame(table[["sample", "train"]])
    found = distances.set_index(["sample", "train"])["distance"].reindex(pairs)
    if found.isna().any():
        sample, image = found.index[found.isna()][0]
        raise InputError(f"the pair of sample {sample} and training image {image} has no planted distance")
    return table.assign(**{REFERENCE: found.to_numpy(dtype=np.float64)})


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
    large: Sequence[str] = (),
    distances: pd.DataFrame | None = None,
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
        its `baseline`, and gains over it are paired.
    contrasts : sequence of str
        Keys of `CONTRASTS`.
    large : sequence of str
        Scores that `oriented` has turned round; their medians are given as they were.
    distances : pandas.DataFrame, optional
        As for `with_distance`; the distance then has rows of its own, named `REFERENCE`, after all others.
        Labels follow from it, so it is no detector and no baseline.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`; by contrast, then estimators, then the other baselines, in the order given. Only samples
        with all baselines are counted, and of those the ones that the estimator has scored. A contrast with
        fewer than two samples of a class is absent. `n_clusters` is that of the class with fewer, `unit` what
        a cluster is. Bounds that the data do not give are missing, and the column `_reason` says why. Medians
        and their difference (positive minus negative) are in the unit of the score. Without baselines
        `baseline` is empty and the gain is missing.

    Raises
    ------
    InputError
        As `labelled_scores`; also if a contrast is unknown.
    """
    names = list(dict.fromkeys([*estimators, *baselines]))
    table = labelled_scores(
        scores, labels, matches, train, estimators=names, clusters=clusters, exclude=exclude
    )
    if distances is not None:
        table, names = with_distance(table, distances), [*names, REFERENCE]
    of, unit = scores_of(scores, matches, names), UNITS.get(clusters, clusters)
    how: dict[str, Any] = {"large": large, "unit": unit, "of": of}
    records: list[dict[str, Any]] = []
    for contrast in contrasts:
        for together, found in comparisons(table, names, baselines, contrast, **how):
            records += [found.record(name, contrast, found.best(baselines)) for name in together]
    order = {(c, n): k for k, (c, n) in enumerate((c, n) for c in contrasts for n in names)}
    records.sort(key=lambda record: order[record["contrast"], record["estimator"]])
    return pd.DataFrame(records, columns=COLUMNS)


def comparisons(
    table: pd.DataFrame,
    names: Sequence[str],
    baselines: Sequence[str],
    contrast: str,
    *,
    large: Sequence[str],
    unit: str,
    of: Mapping[str, str],
) -> Iterator[tuple[list[str], Compared]]:
    """Compare the scores of one contrast, those that the same samples have with each other.

    Parameters
    ----------
    table : pandas.DataFrame
        From `labelled_scores`.
    names, baselines : sequence of str
        Columns of `table`, the baselines among them; samples that lack a baseline are left out.
    contrast : str
        Key of `CONTRASTS`.
    large : sequence of str
        As for `evaluate`.
    unit : str
        What a cluster is.
    of : mapping of str to str
        From `scores_of`.

    Yields
    ------
    together : list of str
        Scores of the same samples.
    found : Compared
        These and the baselines; nothing where a class has fewer than `MIN_CLASS` samples.
    """
    rows = contrast_rows(table.dropna(subset=list(baselines)), contrast)
    present = rows[list(names)].notna()
    for mask in dict.fromkeys(tuple(present[name]) for name in names):
        part = rows[np.array(mask, dtype=bool)]
        positive = part["positive"].to_numpy()
        if min(positive.sum(), (~positive).sum()) < MIN_CLASS:
            continue
        together = [name for name in names if tuple(present[name]) == mask]
        columns = list(dict.fromkeys([*together, *baselines]))
        signs = {name: 1.0 if name in large else -1.0 for name in columns}
        scores, clusters = -part[columns].to_numpy(), part["cluster"].to_numpy()
        yield together, Compared(scores, positive, clusters, columns, signs, unit, of)
