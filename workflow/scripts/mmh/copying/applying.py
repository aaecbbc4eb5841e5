"""All definitions of copying on the samples of one experiment."""

from typing import Any

import numpy as np
import pandas as pd

from mmh.compute.duplicates import duplicate_groups
from mmh.copying import definitions, excess
from mmh.copying.grouping import grouped
from mmh.copying.options import Definitions
from mmh.copying.three_sample import data_copying


def apply(
    samples: tuple[np.ndarray, np.ndarray],
    train: np.ndarray,
    table: pd.DataFrame,
    fresh: tuple[np.ndarray, np.ndarray],
    how: Definitions,
    *,
    law: Any = None,
    lid: pd.Series | None = None,
    labels: dict[str, pd.DataFrame],
    calibration: int,
    seed: int,
) -> pd.DataFrame:
    """Apply every definition, and count what it finds in each group.

    Parameters
    ----------
    samples : (n, ...) and (n,) array
        Samples and their ids.
    train : (m, ...) float
        Training items.
    table : pandas.DataFrame
        Their table.
    fresh : (k, ...) and (k,) array
        A test set, and which of its items the training set repeats.
    how : Definitions
        The options.
    law : optional
        The law itself, if its mass in balls is known: `mmh.worlds.base.World.law`.
    lid : pandas.Series, optional
        LID by the id of a sample.
    labels : dict of str to pandas.DataFrame
        `labels` and `matches`, of images.
    calibration : int
        The first ids, which count nowhere.
    seed : int
        Of k-means.

    Returns
    -------
    pandas.DataFrame
        `mmh.copying.definitions.COLUMNS`.
    """
    (x, ids), (test, repeated) = samples, fresh
    unseen, n = test[~repeated], len(x)

    def of_law(distinct: np.ndarray) -> excess.Bound:
        if law is None:
            return excess.counted_bound(distinct, test, n)
        return excess.known_bound(lambda row, radii: law.mass(distinct[row], radii), n)

    found = definitions.rules(
        x,
        train,
        law=of_law,
        unseen=lambda distinct: excess.counted_bound(distinct, unseen, n),
        groups=duplicate_groups(train),
        **how.model_dump(include={"gamma", "excess", "ratio", "neighbours", "alpha"}),
    )
    if lid is not None:
        value = lid.reindex(ids).fillna(np.inf).to_numpy(np.float64)
        found.insert(0, definitions.Rule(f"LID ({how.lid})", "", value, how.low))
    tests = {
        name: data_copying(train, items, x, cells=how.cells, seed=seed % 2**32)
        for name, items in (("law", test), ("unseen", unseen))
    }
    sample, names, negative = grouped(x, ids, train, table, **labels)
    sample = sample[~sample["id"].isin(range(calibration))]
    return definitions.table(found, tests, sample, groups=names, negative=negative)
