"""Definitions of copying on the samples of one experiment, with what its world knows of its law."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmh.compute.duplicates import duplicate_groups
from mmh.copying import definitions, excess
from mmh.copying.three_sample import CopyingTest, data_copying

if TYPE_CHECKING:
    from mmh.copying.options import Definitions
    from mmh.worlds.base import World


def apply(
    x: NDArray[Any],
    train: NDArray[Any],
    how: Definitions,
    world: type[World],
    data: dict[str, Any],
    seed: int,
) -> tuple[list[definitions.Rule], dict[str, CopyingTest]]:
    """Apply the rules that look at samples and training items, and C_T.

    Parameters
    ----------
    x : (n, ...) float
        Samples.
    train : (m, ...) float
        Training items, repeated ones as often as they are.
    how : Definitions
        Limits of the rules.
    world : type
        The row that made the training set, with fresh items of its law.
    data : dict
        The section `data`.
    seed : int
        Of the cells of C_T.

    Returns
    -------
    rules : list of Rule
    tests : dict of str to CopyingTest
        By what the samples are compared with: items of the ``law``, or ``unseen`` ones.
    """
    test, repeated = world.fresh_of(data)
    n, law = len(x), world.law_of(data) if world.law else None

    def of_law(distinct: np.ndarray) -> excess.Bound:
        if law is None:
            return excess.counted_bound(distinct, test, n)
        return excess.known_bound(lambda place, radii: law.mass(distinct[place], radii), n)

    found = definitions.rules(
        x,
        train,
        law=of_law,
        unseen=lambda distinct: excess.counted_bound(distinct, test[~repeated], n),
        groups=duplicate_groups(train),
        **how.model_dump(include={"gamma", "excess", "ratio", "neighbours", "alpha"}),
    )
    tests = {
        name: data_copying(train, items, x, cells=how.cells, seed=seed % 2**32)
        for name, items in (("law", test), ("unseen", test[~repeated]))
    }
    return found, tests
