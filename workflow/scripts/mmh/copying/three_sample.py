"""The three-sample test of data copying, C_T (Meehan et al. 2020): of a model, not of a sample."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmh.copying.distances import nearest_two

LEAST = 20
"""Fewer samples than this in a cell say nothing about it."""


@dataclass(frozen=True)
class CopyingTest:
    """C_T and what it is made of.

    Attributes
    ----------
    statistic : float
        Weighted mean of the cells' Z; far below 0: samples lie nearer to training items than test items do.
    deviation : float
        Its standard deviation under the null, that samples and test items come from one law.
    cells : pandas.DataFrame
        `cell`, `test`, `generated` (counts), `z`, `weight`; cells with too few samples have no weight.
    """

    statistic: float
    deviation: float
    cells: pd.DataFrame


def mann_whitney_z(first: np.ndarray, second: np.ndarray) -> float:
    """Standardised Mann-Whitney statistic: below 0 if `first` tends to be smaller; ties by their mean rank.

    Parameters
    ----------
    first : (m,) float
    second : (n,) float

    Returns
    -------
    float
        (U - m n / 2) / sd, with the variance of ranks that are tied; 0 if all values are equal.
    """
    from scipy.stats import rankdata

    m, n = len(first), len(second)
    ranks = rankdata(np.concatenate([first, second]))
    u = ranks[:m].sum() - m * (m + 1) / 2
    _, ties = np.unique(ranks, return_counts=True)
    total = m + n
    variance = m * n / 12 * (total + 1 - (ties**3 - ties).sum() / (total * (total - 1)))
    return float((u - m * n / 2) / np.sqrt(variance)) if variance > 1e-12 else 0.0


def data_copying(
    train: np.ndarray, test: np.ndarray, generated: np.ndarray, *, cells: int = 3, seed: int = 0
) -> CopyingTest:
    """Test whether samples lie nearer to the training set than test items do, cell by cell.

    Cells are those of k-means on the training set. In each, Z compares distances to the nearest training item
    of that cell; C_T averages Z with the test set's shares.

    Parameters
    ----------
    train, test, generated : (k, ...), (m, ...), (n, ...) float
        Training set, test set and samples.
    cells : int
        Number of cells (Meehan et al.: 3 for small sets).
    seed : int
        Of k-means.

    Returns
    -------
    CopyingTest
        Its statistic is NaN if no cell holds `LEAST` samples and a test item.
    """
    from sklearn.cluster import KMeans

    base, probe, made = (
        np.asarray(a, dtype=np.float64).reshape(len(a), -1) for a in (train, test, generated)
    )
    means = KMeans(cells, n_init=10, random_state=seed).fit(base)
    of_train, of_test, of_made = means.labels_, means.predict(probe), means.predict(made)
    rows = []
    for cell in range(cells):
        inside = base[of_train == cell]
        t, g = probe[of_test == cell], made[of_made == cell]
        enough = len(g) >= LEAST and len(t) > 0 and len(inside) >= 2
        z = mann_whitney_z(*(nearest_two(a, inside)[0][:, 0] for a in (g, t))) if enough else np.nan
        rows.append((cell, len(t), len(g), z, len(t) if enough else 0))
    table = pd.DataFrame(rows, columns=["cell", "test", "generated", "z", "weight"])
    if table["weight"].sum() == 0:
        return CopyingTest(np.nan, np.nan, table)
    table["weight"] = table["weight"] / table["weight"].sum()
    used = table[table["weight"] > 0]
    statistic = float((used["weight"] * used["z"]).sum())
    return CopyingTest(statistic, float(np.sqrt((used["weight"] ** 2).sum())), table)
