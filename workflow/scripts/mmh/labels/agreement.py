"""What the raters say together: one label for each pair, how far they agree, and where they do not.

Agreement is measured on the first round alone, where everybody judged by himself; a second round is held
together, and so tells nothing of agreement.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from mmh.compute import rng
from mmh.errors import InputError
from mmh.labels.label_files import CLASSES
from mmh.stats.clusters import (
    cluster_df,
    jackknife_variance,
    members,
    share_interval,
    t_quantile,
    without_each,
)
from mmh.stats.resampling import FEW, LEVEL, draw_weights, percentile_interval

LABELS = ("sample", "train", "label", "raters", "source")
AGREEMENT = (
    "statistic",
    "rater_a",
    "label_a",
    "rater_b",
    "label_b",
    "n",
    "value",
    "low",
    "high",
    "note",
)
MIN_ITEMS = 20
"""With fewer pairs kappa has no interval."""
DISAGREEMENTS = ("pair", "sample", "train", "raters", *CLASSES, "state", "label")


@dataclass(frozen=True)
class Kappa:
    """Agreement beyond chance; NaN where the data do not give it, and then `note` says why."""

    estimate: float
    low: float
    high: float
    n: int
    note: str = ""


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
        From `read_label_files`.
    source : str
        `people` or `planted`.

    Returns
    -------
    pandas.DataFrame
        `sample`, `train` int64, `label` str, `raters` int64 (the votes that decided), `source` str; by pair.
    """
    counts = _deciding(votes)
    label, _ = majority(counts)
    merged = counts.index.to_frame(index=False).assign(
        label=label, raters=counts.sum(axis=1).to_numpy(), source=source
    )
    return merged[list(LABELS)].astype(
        {"sample": np.int64, "train": np.int64, "raters": np.int64, "label": str, "source": str}
    )


def _deciding(votes: pd.DataFrame) -> pd.DataFrame:
    """Count the votes of each pair's last round."""
    latest = votes.groupby(["sample", "train"])["round"].transform("max")
    return vote_counts(votes[votes["round"] == latest])


def cohen_kappa(
    a: Sequence[object] | np.ndarray,
    b: Sequence[object] | np.ndarray,
    clusters: np.ndarray | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Kappa:
    """Cohen's kappa of two raters (Cohen 1960): (p_o - p_e) / (1 - p_e), with a bootstrap interval.

    p_o is the share of items with equal labels, p_e the sum over classes of the product of their shares.

    Parameters
    ----------
    a, b : (n,) sequence
        Labels of the same items by the two raters.
    clusters : (n,) int, optional
        Items that are drawn together, such as the pairs of one sample.
    resamples, seed
        Number of resamples, and root seed of the run.

    Returns
    -------
    Kappa
        In [-1, 1]. The interval is missing below `MIN_ITEMS` items, with one cluster, and where nobody
        disagrees; below `mmh.stats.resampling.FEW` clusters it is the jackknife's.

    Raises
    ------
    InputError
        If the raters have not labelled equally many items.
    """
    if len(a) != len(b):
        raise InputError(f"Cohen's kappa needs the same items by both raters, got {len(a)} and {len(b)}")
    names = sorted({*a, *b}, key=str)
    place = {name: k for k, name in enumerate(names)}
    rows, columns = (np.array([place[name] for name in labels], dtype=np.int64) for labels in (a, b))
    joint = np.zeros((len(rows), len(names), len(names)))
    joint[np.arange(len(rows)), rows, columns] = 1

    def statistic(weight: np.ndarray) -> np.ndarray:
        table = np.tensordot(weight, joint, axes=1) / weight.sum(axis=1)[:, None, None]
        chance = (table.sum(axis=1) * table.sum(axis=2)).sum(axis=1)
        return _beyond_chance(np.trace(table, axis1=1, axis2=2), chance)

    return _with_interval(statistic, bool((rows == columns).all()), len(rows), clusters, resamples, seed)


def fleiss_kappa(
    counts: np.ndarray, clusters: np.ndarray | None = None, *, resamples: int = 1000, seed: int = 0
) -> Kappa:
    """Kappa of any number of raters (Fleiss 1971), with a bootstrap interval.

    Of an item with m votes, n_j of them for class j, the share of agreeing pairs of votes is
    sum_j n_j (n_j - 1) / (m (m - 1)); p_o is its mean. p_e = sum_j p_j^2, where p_j is the mean of n_j / m.
    Where m is the same for all items this is Fleiss' definition; else every item counts alike.

    Parameters
    ----------
    counts : (n, K) int
        Votes for each class; items with fewer than two are left out.
    clusters, resamples, seed
        As for `cohen_kappa`.

    Returns
    -------
    Kappa
        In [-1, 1]; `n` counts items with two votes or more.

    Raises
    ------
    InputError
        If the counts are no table of whole numbers from 0.
    """
    counts = np.asarray(counts)
    if counts.ndim != 2 or counts.dtype.kind not in "iu" or (counts < 0).any():
        raise InputError(f"Fleiss' kappa needs a table of counts, got {counts.dtype} of shape {counts.shape}")
    enough = counts.sum(axis=1) >= 2
    counts = counts[enough]
    votes = counts.sum(axis=1)
    same = (counts * (counts - 1)).sum(axis=1) / (votes * (votes - 1))
    share = counts / votes[:, None]

    def statistic(weight: np.ndarray) -> np.ndarray:
        total = weight.sum(axis=1)
        chance = ((weight @ share / total[:, None]) ** 2).sum(axis=1)
        return _beyond_chance(weight @ same / total, chance)

    drawn = None if clusters is None else np.asarray(clusters)[enough]
    return _with_interval(statistic, bool((same == 1).all()), len(counts), drawn, resamples, seed)


def _beyond_chance(observed: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """NaN where all labels are of one class: agreement by chance is then complete."""
    varied = chance < 1 - 1e-12
    return np.divide(observed - chance, 1 - chance, out=np.full(len(chance), np.nan), where=varied)


def _with_interval(
    statistic: Callable[[np.ndarray], np.ndarray],
    unanimous: bool,
    n: int,
    clusters: np.ndarray | None,
    resamples: int,
    seed: int,
) -> Kappa:
    if n == 0:
        return Kappa(np.nan, np.nan, np.nan, 0, "no pair with two votes")
    estimate = float(statistic(np.ones((1, n)))[0])
    note, cluster = "", members(clusters, n)
    groups = len(np.unique(cluster))
    if np.isnan(estimate):
        note = "all labels are of one class"
    elif n < MIN_ITEMS:
        note = f"fewer than {MIN_ITEMS} pairs: no interval"
    elif unanimous:
        note = "nobody disagrees: no interval"  # every resample would give 1
    elif groups < 2:
        note = "all pairs are of one sample: no interval"
    if note:
        return Kappa(estimate, np.nan, np.nan, n, note)
    if groups < FEW:
        left_out = np.concatenate([statistic(weight) for weight in without_each(cluster)])
        if np.isnan(left_out).any():
            return Kappa(estimate, np.nan, np.nan, n, "without one sample all labels are of one class")
        half = t_quantile(cluster_df(cluster)) * float(np.sqrt(jackknife_variance(left_out)))
        ends = max(estimate - half, -1.0), min(estimate + half, 1.0)
        return Kappa(estimate, *ends, n, f"{groups} samples: jackknife")
    generator = rng.generator(seed, "kappa-bootstrap")
    drawn = np.concatenate([statistic(weight) for weight in draw_weights(cluster, resamples, generator)])
    defined = drawn[~np.isnan(drawn)]
    if len(defined) < LEVEL * len(drawn):
        return Kappa(estimate, np.nan, np.nan, n, "nearly all labels are of one class: no interval")
    interval = percentile_interval(estimate, defined, n)
    return Kappa(estimate, interval.low, interval.high, n, note)


def agreement_table(votes: pd.DataFrame, *, resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Put together how often raters chose each class, and how far they agree.

    Parameters
    ----------
    votes : pandas.DataFrame
        From `mmh.labels.label_files.read_label_files`.
    resamples, seed
        As for `cohen_kappa`; pairs of one sample are drawn together.

    Returns
    -------
    pandas.DataFrame
        `AGREEMENT`. By `statistic`: `votes`, the pairs that `rater_a` calls `label_a` (`second_round_votes`
        likewise); `merged`, the pairs of each class after merging; `unresolved`, those of them that are
        `unsure` because votes tie. For two raters `cohen_kappa`; `agreement`, the share of equal labels, with
        its interval over samples; `confusion`, how many pairs one calls `label_a` and
        the other `label_b`. For all of them `fleiss_kappa`. `n` counts pairs; `value`, `low` and `high` are
        missing for counts. Empty without votes; counts alone for one rater.
    """
    alone = votes[votes["round"] == 1]
    rows: list[dict[str, Any]] = []
    for statistic, part in (("votes", alone), ("second_round_votes", votes[votes["round"] == 2])):
        for rater, own in part.groupby("rater", sort=True):
            sizes = own["label"].value_counts()
            rows += [
                {"statistic": statistic, "rater_a": rater, "label_a": name, "n": sizes.get(name, 0)}
                for name in CLASSES
            ]
    if len(votes):
        label, tie = majority(_deciding(votes))
        rows += [{"statistic": "merged", "label_a": name, "n": (label == name).sum()} for name in CLASSES]
        rows.append({"statistic": "unresolved", "label_a": "unsure", "n": tie.sum()})
    spoken = alone.set_index(["sample", "train", "rater"])["label"].unstack("rater")
    for a, b in combinations(spoken.columns, 2):
        both = spoken[[a, b]].dropna()
        names = {"rater_a": a, "rater_b": b}
        if len(both):
            sample = both.index.get_level_values("sample").to_numpy()
            kappa = cohen_kappa(
                both[a].to_numpy(),
                both[b].to_numpy(),
                sample,
                resamples=resamples,
                seed=seed,
            )
            share = share_interval((both[a] == both[b]).to_numpy(), sample, "sample")
            rows.append(_kappa_row("cohen_kappa", kappa) | names)
            rows.append(
                {"statistic": "agreement", **names, "n": share.n}
                | {"value": share.estimate, "low": share.low, "high": share.high}
                | ({"note": share.reason} if share.reason else {})
            )
        else:
            rows.append({"statistic": "cohen_kappa", **names, "n": 0, "note": "no pair in common"})
        sizes = both.groupby([a, b]).size()
        rows += [
            {"statistic": "confusion", **names, "label_a": x, "label_b": y, "n": sizes.get((x, y), 0)}
            for x in CLASSES
            for y in CLASSES
        ]
    if len(spoken.columns) > 1:
        counts = vote_counts(alone)
        drawn = counts.index.get_level_values("sample").to_numpy()
        kappa = fleiss_kappa(counts.to_numpy(), drawn, resamples=resamples, seed=seed)
        rows.append(_kappa_row("fleiss_kappa", kappa))
    words = dict.fromkeys((name for name in AGREEMENT if name not in {"n", "value", "low", "high"}), "")
    table = pd.DataFrame([words | row for row in rows], columns=list(AGREEMENT))
    return table.astype({"n": np.int64, **dict.fromkeys(("value", "low", "high"), np.float64)})


def _kappa_row(statistic: str, kappa: Kappa) -> dict[str, Any]:
    interval = {"value": kappa.estimate, "low": kappa.low, "high": kappa.high}
    return {"statistic": statistic, "n": kappa.n, **interval, "note": kappa.note}


def disagreements(votes: pd.DataFrame) -> pd.DataFrame:
    """List the pairs that raters of the first round label differently, for a second round.

    A second round does not change which pairs are listed.

    Parameters
    ----------
    votes : pandas.DataFrame
        From `mmh.labels.label_files.read_label_files`.

    Returns
    -------
    pandas.DataFrame
        `DISAGREEMENTS`: how many `raters` of the first round chose each class, the merged `label`, and its
        `state`: `unresolved` (a tie, hence `unsure`), `majority` or `second round`. Sorted by ids. If any
        vote names a pair of the label sheet, others stay out: no page can show them.
    """
    alone = votes[votes["round"] == 1]
    if (votes["pair"] != "").any():
        alone = alone[alone["pair"] != ""]
    counts = vote_counts(alone)
    counts = counts[(counts > 0).sum(axis=1) > 1]
    decided = _deciding(votes).reindex(counts.index)
    label, tie = majority(decided)
    latest = votes.groupby(["sample", "train"])["round"].max().reindex(counts.index)
    pairs = alone.drop_duplicates(["sample", "train"]).set_index(["sample", "train"])["pair"]
    state = np.where(tie, "unresolved", np.where(latest.to_numpy() == 2, "second round", "majority"))
    table = counts.assign(
        pair=pairs.reindex(counts.index), raters=counts.sum(axis=1), state=state, label=label
    )
    return table.reset_index()[list(DISAGREEMENTS)]
