"""Groups of samples that definitions of copying are held against: labels, or places of the plane."""

import numpy as np
import pandas as pd

from mmh.copying.distances import nearest_two

LABELS = ("exact", "reconstructive", "not_memorized", "unsure")
PLACES = ("isolated", "centre", "arc", "off")


def grouped(
    x: np.ndarray,
    ids: np.ndarray,
    train: np.ndarray,
    table: pd.DataFrame,
    *,
    labels: pd.DataFrame | None = None,
    matches: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, tuple[str, ...], str]:
    """Name the group of each sample, and the cluster that it is drawn with.

    Parameters
    ----------
    x : (n, ...) float
        Samples.
    ids : (n,) int
        Their ids.
    train : (m, ...) float
        Training items.
    table : pandas.DataFrame
        Their table.
    labels, matches : pandas.DataFrame, optional
        Labels of pairs and the retrieved pairs; without them items are points of the plane.

    Returns
    -------
    sample : pandas.DataFrame
        `sample` (row of `x`), `id`, `group`, `cluster` (duplicates, or family, of its training item).
    groups : tuple of str
        All groups, in order.
    negative : str
        The one that is not memorized.
    """
    from mmh.labels.classes import sample_classes
    from mmh.worlds.sets.von_mises import regions

    kin = table.set_index("train")["group"]
    if labels is None or matches is None:
        nearest = table["train"].to_numpy()[nearest_two(x, train)[1][:, 0]]
        frame = pd.DataFrame({"sample": np.arange(len(x)), "id": ids, "group": regions(x, train)})
        return frame.assign(cluster=kin.loc[nearest].to_numpy()), PLACES, "arc"
    classes = sample_classes(labels, matches)
    place = pd.Series(np.arange(len(ids)), index=ids)
    frame = pd.DataFrame(
        {
            "sample": place.loc[classes["sample"]].to_numpy(),
            "id": classes["sample"],
            "group": classes["label"],
            "cluster": kin.loc[classes["train"]].to_numpy(),
        }
    )
    return frame.reset_index(drop=True), LABELS, "not_memorized"
