"""Agreement of raters beyond chance: Cohen's kappa of two, Fleiss' of any number, with intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mmh.compute import rng
from mmh.errors import InputError
from mmh.stats.resampling import LEVEL, MIN_CLUSTERS, draw_weights, percentile_interval


@dataclass(frozen=True)
class Kappa:
    """Agreement beyond chance; NaN where the data do not give it, and then `note` says why."""

    estimate: float
    low: float
    high: float
    n: int
    note: str = ""


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
        In [-1, 1]. The interval is missing below `MIN_CLUSTERS` items, and where nobody disagrees; with fewer
        clusters than that, items are drawn singly.

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
    note, unit = "", np.arange(n)
    if np.isnan(estimate):
        note = "all labels are of one class"
    elif n < MIN_CLUSTERS:
        note = f"fewer than {MIN_CLUSTERS} pairs: no interval"
    elif unanimous:
        note = "nobody disagrees: no interval"  # every resample would give 1
    if note:
        return Kappa(estimate, np.nan, np.nan, n, note)
    if clusters is not None and len(np.unique(clusters)) >= MIN_CLUSTERS:
        unit = np.asarray(clusters)
    elif clusters is not None:
        note = f"fewer than {MIN_CLUSTERS} samples: resampled by pair"
    generator = rng.generator(seed, "kappa-bootstrap")
    drawn = np.concatenate([statistic(weight) for weight in draw_weights(unit, resamples, generator)])
    defined = drawn[~np.isnan(drawn)]
    if len(defined) < LEVEL * len(drawn):
        return Kappa(estimate, np.nan, np.nan, n, "nearly all labels are of one class: no interval")
    interval = percentile_interval(estimate, defined, n)
    return Kappa(estimate, interval.low, interval.high, n, note)
