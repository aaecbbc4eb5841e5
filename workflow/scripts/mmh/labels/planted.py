"""Labels of an embedded world, whose repeated images are known: planted truth.

A label follows from a distance and two cuts: docs/statistics.md says what that does to an AUC.
"""

import numpy as np
import pandas as pd

from mmh.errors import InputError


def planted_distances(
    samples: np.ndarray,
    sample_ids: np.ndarray,
    train: np.ndarray,
    train_table: pd.DataFrame,
    matches: pd.DataFrame,
    *,
    template: str = "template",
) -> pd.DataFrame:
    """Measure how far the samples of retrieved pairs lie from what was planted.

    Where the training image belongs to a template family it is the distance to the family's base, on the
    pixels that the family shares: the free patch tells nothing about the family, and a sample that is near a
    variant over *all* pixels is so by an accident of how densely the patch was sampled. Else it is
    l2(sample, image).

    Parameters
    ----------
    samples : (n, ...) float
        Generated images, row i with id `sample_ids[i]`, on the scale of `train`.
    sample_ids : (n,) int
        Their ids.
    train : (m, ...) float
        Training images in the row order of `train_table`.
    train_table : pandas.DataFrame
        `train`, `population` and `group`; variants of one family share a group.
    matches : pandas.DataFrame
        The pairs to measure: `sample`, `train`.
    template : str
        Population name of template families.

    Returns
    -------
    pandas.DataFrame
        Columns of `mmh.io.tables.PLANTED`, sorted by pair: `close` is what the sample is if it is near,
        `reconstructive` for a template family and else `exact`; `distance` is in the units of the images, and
        so is `gap`, measured alike: from the training image to the nearest one of another group, missing
        where there is none.

    Raises
    ------
    InputError
        If a match names an unknown sample or training image.
    """
    pairs = matches[["sample", "train"]].drop_duplicates().sort_values(["sample", "train"], kind="stable")
    here = pd.Index(sample_ids).get_indexer(pairs["sample"])
    there = pd.Index(train_table["train"]).get_indexer(pairs["train"])
    for name, found in (("sample", here), ("train", there)):
        if (found < 0).any():
            raise InputError(
                f"matches name {name} {pairs[name].to_numpy()[found < 0][0]}, which does not exist"
            )
    flat = train.reshape(len(train), -1).astype(np.float64)
    difference = samples.reshape(len(samples), -1).astype(np.float64)[here] - flat[there]
    is_template = (train_table["population"] == template).to_numpy()
    group = train_table["group"].to_numpy()
    shared = np.ones_like(flat, dtype=bool)
    for family in np.unique(group[is_template]):
        rows = is_template & (group == family)
        shared[rows] = (flat[rows] == flat[rows][0]).all(axis=0)  # the base shows wherever variants agree
    whole = np.linalg.norm(difference, axis=1)
    base = np.linalg.norm(difference * shared[there], axis=1)
    variant = is_template[there]
    gap = np.full(len(flat), np.nan)
    for row in np.unique(there):
        others = flat[group != group[row]]
        if len(others):
            gap[row] = np.linalg.norm((others - flat[row]) * shared[row], axis=1).min()
    return pd.DataFrame(
        {
            "sample": pairs["sample"].to_numpy(np.int64),
            "train": pairs["train"].to_numpy(np.int64),
            "close": np.where(variant, "reconstructive", "exact"),
            "distance": np.where(variant, base, whole),
            "gap": gap[there],
        }
    )


def plant_labels(distances: pd.DataFrame, *, exact_distance: float, not_distance: float) -> pd.DataFrame:
    """Label pairs by their distance.

    - `exact` or `reconstructive`, as `close` says: the distance is below `exact_distance`;
    - `not_memorized`: it is above `not_distance`;
    - `unsure`: what is left.

    Parameters
    ----------
    distances : pandas.DataFrame
        From `planted_distances`.
    exact_distance, not_distance : float
        The cuts, 0 < `exact_distance` <= `not_distance`, in the units of the images.

    Returns
    -------
    pandas.DataFrame
        Columns of a label file, rater `planted`, time empty; rows as given.

    Raises
    ------
    InputError
        If the cuts are out of order.
    """
    if not 0 < exact_distance <= not_distance:
        raise InputError(
            f"planted labels need 0 < exact_distance <= not_distance, got {exact_distance} and {not_distance}"
        )
    distance = distances["distance"].to_numpy()
    far = np.where(distance > not_distance, "not_memorized", "unsure")
    label = np.where(distance < exact_distance, distances["close"].to_numpy(), far)
    return distances[["sample", "train"]].assign(label=label, rater="planted", time="")
