"""Whether a training set holds a point twice: with laws that have atoms, and with laws that have none."""

from typing import Any, Protocol

import numpy as np
import pandas as pd

from mmh.compute import rng
from mmh.copying.balls import exact_interval

COLUMNS = ["law", "n", "sets", "with_duplicates", "elsewhere", "exact"]
"""`elsewhere`: sets with a duplicate at a point of probability 0. `exact`: the probability of a duplicate."""


class Law(Protocol):
    """What is drawn from."""

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Give a number for each point, equal for equal points, and whether it is the law's one atom."""


def probability(weight: float, n: int) -> float:
    """Probability that n independent points hold a duplicate, of a law with one atom.

    1 - (1 - w)^n - n w (1 - w)^(n - 1): the atom is drawn twice or more; nothing else is drawn twice.

    Parameters
    ----------
    weight : float
        Probability w of the atom, in [0, 1]; 0: none.
    n : int
        Number of points, at least 1.

    Returns
    -------
    float
        In [0, 1].
    """
    rest = 1.0 - weight
    return float(max(0.0, 1.0 - rest**n - n * weight * rest ** (n - 1)))


def duplicated(values: np.ndarray, atom: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Look for duplicates in training sets.

    Parameters
    ----------
    values : (s, n) float
        A number for each point of each set, equal for equal points; what stands at the atom is not looked at.
    atom : (s, n) bool
        Whether a point is the atom.

    Returns
    -------
    anywhere, elsewhere : (s,) bool
        Whether a set holds a point twice, and whether one that is not the atom.
    """
    ordered = np.sort(np.where(atom, np.nan, values), axis=1)  # NaN last, and equal to nothing
    elsewhere = (np.diff(ordered, axis=1) == 0).any(axis=1)
    return elsewhere | (atom.sum(axis=1) >= 2), elsewhere


def duplicate_table(laws: dict[str, tuple[Law, float]], sizes: list[int], sets: int, seed: int) -> Any:
    """Draw training sets and count those that hold a duplicate.

    Parameters
    ----------
    laws : dict of str to (Law, float)
        Laws by name, each with the probability of its atom.
    sizes : list of int
        Numbers of training points.
    sets : int
        Training sets of each law and size.
    seed : int
        Root seed.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`.
    """
    rows = []
    for number, (name, (law, weight)) in enumerate(laws.items()):
        for n in sizes:
            generator = rng.generator(seed, "duplicates", number, n)
            anywhere, elsewhere = duplicated(*law.draw(generator, (sets, n)))
            found = (int(anywhere.sum()), int(elsewhere.sum()))
            rows.append((name, n, sets, *found, probability(weight, n)))
    return pd.DataFrame(rows, columns=COLUMNS)


def shares(table: pd.DataFrame) -> pd.DataFrame:
    """Estimate the probability of a duplicate.

    Parameters
    ----------
    table : pandas.DataFrame
        `COLUMNS`.

    Returns
    -------
    pandas.DataFrame
        With `share`, `low`, `high`, exact intervals.
    """
    found = [exact_interval(int(row.with_duplicates), int(row.sets)) for row in table.itertuples()]
    ends = {"share": "estimate", "low": "low", "high": "high"}
    return table.assign(**{name: [getattr(one, end) for one in found] for name, end in ends.items()})
