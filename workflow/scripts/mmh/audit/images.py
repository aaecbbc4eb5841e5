"""Evidence that a model memorizes images, one by one, and the ranked table of them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmh.audit.conformal import benjamini_hochberg, conformal_p
from mmh.compute.duplicates import distinct_images, duplicate_groups
from mmh.errors import InputError
from mmh.lid.neighbours import ExactSearch

FEWEST = 3  # distinct training images: one, and two around it


@dataclass(frozen=True)
class Nearest:
    """How near samples come to images.

    Attributes
    ----------
    sample : (n,) int64
        Row of the nearest sample.
    distance : (n,) float64
        Plain l2 to it.
    ratio : (n,) float64
        That, divided by the mean distance of the image to the distinct images around it.
    """

    sample: np.ndarray
    distance: np.ndarray
    ratio: np.ndarray


class TrainingSet:
    """Training images made ready for searches: exact duplicates are one image.

    Parameters
    ----------
    images : (m, ...) float
    neighbours : int
        Distinct images around an image; fewer where there are fewer training images.
    beside : (n, ...) float, optional
        Hold-out images. What is around an image is then looked for among both: were it training images alone,
        a training image would have one fewer around it than a hold-out image has, lie farther from them, and
        so seem nearer to the samples, memorized or not.

    Attributes
    ----------
    groups : (m,) int64
        First row that equals each row.
    copies : (m,) int64
        How often each image is in the set, itself included.

    Raises
    ------
    InputError
        If fewer than `FEWEST` images differ.
    """

    def __init__(self, images: np.ndarray, neighbours: int, beside: np.ndarray | None = None) -> None:
        self.flat = images.reshape(len(images), -1)
        self.groups = duplicate_groups(self.flat)
        _, self.rows, counts = distinct_images(self.groups, None)
        if len(self.rows) < FEWEST:
            raise InputError(
                f"only {len(self.rows)} training images differ from one another; at least {FEWEST} are needed"
            )
        self.copies = counts[np.searchsorted(self.rows, self.groups)]
        self.neighbours = min(neighbours, len(self.rows) - 1)
        self._search = self._around = ExactSearch(self.flat, rows=self.rows)
        if beside is not None:
            both = np.concatenate([self.flat, beside.reshape(len(beside), -1)])
            _, rows, _ = distinct_images(duplicate_groups(both), None)
            self._around = ExactSearch(both, rows=rows)

    def around(self, query: np.ndarray, *, own: bool) -> np.ndarray:
        """Mean distance of images to the distinct images around them; `own`: they are among these."""
        near, _ = self._around.nearest(query.reshape(len(query), -1), self.neighbours + own)
        return near[:, int(own) :].mean(axis=1)

    def match(self, query: np.ndarray, *, own: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row of the nearest training image (but itself), distance to it, and its ratio to those around."""
        near, index = self._search.nearest(query.reshape(len(query), -1), self.neighbours + own)
        near, index = near[:, int(own) :], index[:, int(own) :]
        return index[:, 0], near[:, 0], _ratio(near[:, 0], near.mean(axis=1))

    def nearest_samples(self, query: np.ndarray, samples: np.ndarray, *, own: bool) -> Nearest:
        """Find the sample that comes nearest to each image."""
        flat = query.reshape(len(query), -1)
        near, index = ExactSearch(samples.reshape(len(samples), -1)).nearest(flat, 1)
        return Nearest(index[:, 0], near[:, 0], _ratio(near[:, 0], self.around(query, own=own)))


def _ratio(distance: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Distance over the mean distance around; 0 where both are 0."""
    return np.divide(distance, around, out=np.where(distance > 0, np.inf, 0.0), where=around > 0)


def against_holdout(
    evidence: dict[str, np.ndarray], null: dict[str, np.ndarray], groups: np.ndarray
) -> pd.DataFrame:
    """Test each image by each kind of evidence against the hold-out images.

    Parameters
    ----------
    evidence, null : dict of str to (n,) and (m,) float
        Scores of training and of hold-out images by kind; large speaks for memorization.
    groups : (n,) int
        Exact duplicates are one hypothesis.

    Returns
    -------
    pandas.DataFrame
        `p_<kind>`, `p` (the smallest times the number of kinds: Bonferroni), `percentile` of hold-out images
        that lie below in that kind, and `q`.
    """
    found = {kind: conformal_p(values, null[kind]) for kind, values in evidence.items()}
    p = np.minimum(1.0, len(found) * np.min(list(found.values()), axis=0))
    below = [
        np.searchsorted(np.sort(null[kind]), values) / len(null[kind]) for kind, values in evidence.items()
    ]
    table = pd.DataFrame({f"p_{kind}": values for kind, values in found.items()})
    table["p"], table["percentile"] = p, 100 * np.max(below, axis=0)
    first = groups == np.arange(len(groups))
    q = np.ones(len(groups))
    q[first] = benjamini_hochberg(p[first])
    return table.assign(q=q[groups])


def against_one_another(samples: np.ndarray, train: TrainingSet) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Test samples by how near they come to the training set, training images being the null.

    A sample that copies nothing is as near to the training set, beside those around it, as a training image
    is to the others. An image inherits the test of the sample that speaks most for it.

    Parameters
    ----------
    samples : (n, ...) float
    train : TrainingSet

    Returns
    -------
    images : pandas.DataFrame
        `p`, `percentile` and `q` of each training image; 1, 0 and 1 where it is the nearest of no sample.
    samples : pandas.DataFrame
        `sample`, `train`, `distance`, `ratio`, `p`, `q` of each sample.
    """
    match, distance, ratio = train.match(samples, own=False)
    null = train.match(train.flat[train.rows], own=True)[2]
    p = conformal_p(-ratio, -null)
    table = pd.DataFrame({"sample": np.arange(len(samples)), "train": train.groups[match]})
    table = table.assign(distance=distance, ratio=ratio, p=p, q=benjamini_hochberg(p))
    table["percentile"] = 100 * (1 - np.searchsorted(np.sort(null), ratio, side="right") / len(null))
    best = table.sort_values(["p", "ratio"], kind="stable").groupby("train").first()
    images = best.reindex(train.groups)[["p", "percentile", "q"]].reset_index(drop=True)
    return images.fillna({"p": 1.0, "percentile": 0.0, "q": 1.0}), table


def ranked(table: pd.DataFrame, leading: np.ndarray, *, level: float) -> pd.DataFrame:
    """Order images: those called memorized first, then by one kind of evidence.

    Parameters
    ----------
    table : pandas.DataFrame
        A row per image, with `q`.
    leading : (n,) float
        Large speaks for memorization.
    level : float
        Called memorized: q at most that.

    Returns
    -------
    pandas.DataFrame
        With `score`, the percentile of the image among all by that evidence, and `rank` from 1;
        copies of one image share the rank of the first of them.
    """
    score = 100 * pd.Series(leading).rank(method="average").to_numpy() / len(table)
    table = table.assign(score=score, called=table["q"] <= level)
    table = table.sort_values(["called", "score"], ascending=False, kind="stable", ignore_index=True)
    return table.drop(columns="called").assign(rank=pd.factorize(table["group"])[0] + 1)
