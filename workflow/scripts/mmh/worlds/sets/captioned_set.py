"""A training set with captions, and the prompts and image sets that come with it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class CaptionedSet:
    """What a captioned world gives.

    Attributes
    ----------
    image : numpy.ndarray
        uint8 (n, 3, H, W), training images; copies next to each other.
    label : numpy.ndarray
        int64 (n,), their classes.
    table : pandas.DataFrame
        `train`, `source`, `population`, `group`, `copies`, as for the other worlds.
    caption : list of str
        One per training image.
    prompts : pandas.DataFrame
        `prompt_set`, `prompt`, `text`, `family`, `train`.
    sets : dict of str to (numpy.ndarray, pandas.DataFrame)
        Real images, uint8, and their `item`, `caption`, `family`, `source`, for each of the world's `sets`.
    """

    image: np.ndarray
    label: np.ndarray
    table: pd.DataFrame
    caption: list[str]
    prompts: pd.DataFrame
    sets: dict[str, tuple[np.ndarray, pd.DataFrame]]
