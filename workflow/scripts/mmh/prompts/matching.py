"""Prompts of two classes that agree in length and in share of capitals."""

from collections.abc import Sequence

import numpy as np

from mmh.errors import InputError
from mmh.prompts.words import word_features

CALIPER = 0.25
MATCHED_ON = ("text_characters", "text_capitalized")


def matched(texts: Sequence[str], positive: np.ndarray, *, caliper: float = CALIPER) -> np.ndarray:
    """Choose pairs of a positive and a negative prompt that agree in length and in share of capitals.

    Both features are measured in standard deviations over all prompts. As many pairs as there can be are
    formed within the caliper, and of such choices the one with the smallest sum of distances.

    Parameters
    ----------
    texts : sequence of str
        Prompts of both classes.
    positive : (n,) bool
        Class of each.
    caliper : float
        Largest distance within a pair, in standard deviations.

    Returns
    -------
    (m,) int64
        Indices of the chosen prompts, ascending; as many positive as negative ones, perhaps none.

    Raises
    ------
    InputError
        If the caliper is not positive.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    if not caliper > 0:
        raise InputError(f"the caliper of matched prompts must be positive, it is {caliper}")
    values = word_features(texts)[list(MATCHED_ON)].to_numpy()
    spread = values.std(axis=0)
    values = values / np.where(spread > 0, spread, 1.0)
    groups = [np.flatnonzero(np.asarray(positive, dtype=bool) == c) for c in (True, False)]
    distance = cdist(values[groups[0]], values[groups[1]])
    # No sum of distances within the caliper outweighs one further pair.
    cost = np.where(distance <= caliper, distance, caliper * (min(distance.shape) + 1))
    rows, columns = linear_sum_assignment(cost)
    near = distance[rows, columns] <= caliper
    return np.sort(np.concatenate([groups[0][rows[near]], groups[1][columns[near]]])).astype(np.int64)
