"""Clusters that are drawn anew, or change places: what is random where nothing is to be found."""

from __future__ import annotations

import numpy as np

from mmh.stats.clusters import members


class Clusters:
    """Which observations belong together.

    Parameters
    ----------
    labels : (n,) array
        Cluster of each observation.
    """

    def __init__(self, labels: np.ndarray) -> None:
        self.member = members(labels, len(labels))
        self.size = np.bincount(self.member)
        self.start = np.cumsum(self.size) - self.size

    def shuffled(self, values: np.ndarray, stream: np.random.Generator) -> np.ndarray:
        """Give each cluster the values of another one.

        A cluster stays whole: where its values are all alike, as a label mostly is, another cluster gets that
        one value. Where they differ, the other gets the same mixture: they are repeated or cut to its size,
        in random order.

        Parameters
        ----------
        values : (n, ...) array
            Of each observation.
        stream : numpy.random.Generator

        Returns
        -------
        (n, ...) array
        """
        taker, giver = self._order(stream), self._order(stream)
        group = self.member[taker]
        other = stream.permutation(len(self.size))[group]
        place = np.arange(len(taker)) - self.start[group]
        out = np.empty_like(values)
        out[taker] = values[giver[self.start[other] + place % self.size[other]]]
        return out

    def redrawn(
        self, stream: np.random.Generator, stratum: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw clusters with replacement, as many of each stratum as there are.

        Parameters
        ----------
        stream : numpy.random.Generator
        stratum : (n,) int or bool, optional
            Of each observation; a cluster is of the largest one that it holds. One stratum if None.

        Returns
        -------
        rows : (m,) int64
            Observations of the clusters drawn.
        cluster : (m,) int64
            Each draw is a cluster of its own.
        """
        of = np.zeros(len(self.size), dtype=np.int64)
        if stratum is not None:
            np.maximum.at(of, self.member, np.asarray(stratum, dtype=np.int64))
        parts = [np.flatnonzero(of == s) for s in np.unique(of)]
        chosen = np.concatenate([stream.choice(part, len(part)) for part in parts])
        size = self.size[chosen]
        first = np.repeat(np.cumsum(size) - size, size)
        order = np.argsort(self.member, kind="stable")
        rows = order[np.repeat(self.start[chosen], size) + np.arange(int(size.sum())) - first]
        return rows, np.repeat(np.arange(len(chosen)), size)

    def flipped(self, stream: np.random.Generator) -> np.ndarray:
        """Say of each observation whether its cluster is turned round, as a coin falls; (n,) bool."""
        return (stream.random(len(self.size)) < 0.5)[self.member]

    def _order(self, stream: np.random.Generator) -> np.ndarray:
        """Observations cluster by cluster, those of one in random order."""
        return np.lexsort((stream.random(len(self.member)), self.member))
