"""Random numbers keyed by what they are for: a draw depends on (seed, purpose, ids...) and on nothing else.

No draw depends on batch, order, shard, thread count or device: every item has a generator of its own, derived
from a BLAKE2b digest of its key, and numbers are drawn on the CPU by NumPy's PCG64.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def _digest(size: int, seed: int, purpose: str, ids: Iterable[int]) -> int:
    # The purpose goes last: integers hold no separator, so no two keys share a text.
    key = ",".join([str(int(seed)), *(str(int(i)) for i in ids)]) + ":" + purpose
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=size).digest(), "little")


def generator(seed: int, purpose: str, *ids: int) -> np.random.Generator:
    """Make the generator of one item.

    Parameters
    ----------
    seed : int
        Root seed of the run.
    purpose : str
        What the numbers are for, for example ``"initial-noise"``; different purposes are independent.
    *ids : int
        Item id, then further indices (copy, probe, chunk) where one item has several streams.

    Returns
    -------
    numpy.random.Generator
        PCG64 seeded with 128 bits of the key's digest.
    """
    return np.random.Generator(np.random.PCG64(_digest(16, seed, purpose, ids)))


def item_seed(seed: int, purpose: str, item: int) -> np.uint64:
    """Derive the seed that is stored beside an item.

    Parameters
    ----------
    seed : int
        Root seed of the run.
    purpose : str
        What the seed is for.
    item : int
        Item id.

    Returns
    -------
    numpy.uint64
        64 bits of the key's digest.
    """
    return np.uint64(_digest(8, seed, purpose, (item,)))


def torch_generator(seed: int, purpose: str, *ids: int) -> torch.Generator:
    """Make a PyTorch CPU generator, for code that takes no NumPy one (initial weights, data order).

    PyTorch's CPU generator keeps only the lowest 32 bits of a seed, so among 50,000 items two would share a
    stream with probability about one quarter: draw per-item noise with `normal` instead.

    Parameters
    ----------
    seed : int
        Root seed of the run.
    purpose : str
        What the numbers are for.
    *ids : int
        Further indices.

    Returns
    -------
    torch.Generator
        CPU generator seeded with the key's digest.
    """
    import torch

    return torch.Generator().manual_seed(_digest(8, seed, purpose, ids))


def normal(seed: int, purpose: str, ids: Iterable[int], shape: Sequence[int], *indices: int) -> torch.Tensor:
    """Draw standard normal numbers, one generator per id.

    Parameters
    ----------
    seed : int
        Root seed of the run.
    purpose : str
        What the numbers are for.
    ids : iterable of int
        Item ids, n of them.
    shape : sequence of int
        Shape of one item's draw.
    *indices : int
        Second and further indices of the key, the same for every item (copy, probe, chunk).

    Returns
    -------
    torch.Tensor
        float32, (n, *shape), on the CPU.
    """
    import torch

    size = tuple(int(s) for s in shape)
    rows = [generator(seed, purpose, i, *indices).standard_normal(size, dtype=np.float32) for i in ids]
    return torch.from_numpy(np.stack(rows)) if rows else torch.empty((0, *size))
