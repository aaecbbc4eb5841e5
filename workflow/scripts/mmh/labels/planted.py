"""Labels of an embedded world, whose repeated images are known: planted truth."""

import numpy as np
import pandas as pd

from mmh.errors import InputError


def plant_labels(
    samples: np.ndarray,
    sample_ids: np.ndarray,
    train: np.ndarray,
    train_table: pd.DataFrame,
    matches: pd.DataFrame,
    *,
    exact_distance: float,
    not_distance: float,
    template: str = "template",
) -> pd.DataFrame:
    """Label retrieved pairs of an embedded world by distance to the planted images.

    - `reconstructive`: the training image belongs to a template family and the sample is closer than
      `exact_distance` to the family's base on the pixels that the family shares. A sample that is also that
      close to a variant over *all* pixels stays reconstructive: the patch is free, so a variant near it is
      an accident of how densely the patch was sampled and no copy;
    - `exact`: the training image is no template variant and l2(sample, image) < `exact_distance`;
    - `not_memorized`: that distance (without the free patch, for a variant) is above `not_distance`;
    - `unsure`: what is left.

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
        The pairs to label.
    exact_distance, not_distance : float
        Euclidean distances with 0 < `exact_distance` <= `not_distance`, in the units of the images.
    template : str
        Population name of template families.

    Returns
    -------
    pandas.DataFrame
        Columns of a label file, rater `planted`, time empty; sorted by pair.

    Raises
    ------
    InputError
        If the thresholds are out of order or a match names an unknown sample or training image.
    """
    if not 0 < exact_distance <= not_distance:
        raise InputError(
            f"planted labels need 0 < exact_distance <= not_distance, got {exact_distance} and {not_distance}"
        )
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
    distance = np.where(variant, base, whole)  # the free patch tells nothing about the family
    label = np.select(
        [variant & (distance < exact_distance), distance < exact_distance, distance > not_distance],
        ["reconstructive", "exact", "not_memorized"],
        "unsure",
    )
    return pd.DataFrame(
        {
            "sample": pairs["sample"].to_numpy(np.int64),
            "train": pairs["train"].to_numpy(np.int64),
            "label": label,
            "rater": "planted",
            "time": "",
        }
    )
