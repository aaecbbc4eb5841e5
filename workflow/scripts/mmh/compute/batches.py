"""Fixed computing batches, so that an item's bytes do not depend on which items are asked for with it."""

from collections.abc import Iterator, Sequence

import numpy as np


def aligned_blocks(
    ids: Sequence[int] | np.ndarray, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Cut ids into computing batches in which every id has a fixed place.

    Item `i` is always row ``i % batch_size`` of block ``i // batch_size``; rows that were not asked for stay
    empty. Kernels may treat the rows of a batch differently in the last bits, so the place must not depend on
    the cut. Calls whose ids are cut at multiples of `batch_size` waste nothing.

    Parameters
    ----------
    ids : (n,) int
        Item ids, not negative, in any order.
    batch_size : int
        Rows of a computing batch.

    Yields
    ------
    rows : (m,) int64
        Positions in `ids` that belong to this block.
    places : (m,) int64
        Their rows in the computing batch.
    """
    ids = np.asarray(ids, dtype=np.int64)
    block = ids // batch_size
    for number in np.unique(block):
        rows = np.flatnonzero(block == number)
        yield rows, ids[rows] % batch_size
