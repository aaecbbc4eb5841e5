"""Normal values of clusters, from which the study of coverage makes its data."""

from collections.abc import Sequence

import numpy as np


def normal(
    stream: np.random.Generator, sizes: Sequence[int], within: float, columns: int = 1, between: float = 0.0
) -> np.ndarray:
    """Values (n, columns) of clusters; `between` is the correlation of the columns."""
    mix = np.linalg.cholesky((1 - between) * np.eye(columns) + between)
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    own, shared = (stream.normal(size=(count, columns)) @ mix.T for count in (len(cluster), len(sizes)))
    return np.asarray(np.sqrt(1 - within) * own + np.sqrt(within) * shared[cluster])


def labels(sizes: Sequence[int], first: int = 0) -> np.ndarray:
    """Cluster of each value, numbered from `first`."""
    return np.repeat(np.arange(first, first + len(sizes)), sizes)
