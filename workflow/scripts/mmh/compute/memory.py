"""Rows of a batch that fit into memory, and what is done anew: in smaller batches, or in float32."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from mmh.compute.attention import full_float32
from mmh.compute.rows import fixed_batches, repeatable
from mmh.diffusion.variants import variant
from mmh.errors import InputError

if TYPE_CHECKING:
    from mmh.diffusion.score_model import ScoreModel

CPU_BATCH = 8
LARGEST_BATCH = 1024
MEMORY_SHARE = 0.9
"""Of free memory: a batch of the chosen size was tried, so the rest is for fragmentation alone."""
T = TypeVar("T")
Arrays = dict[str, NDArray[Any]]
Rows = NDArray[np.int64]


class MemoryExceededError(InputError):
    """A batch does not fit into the device's memory."""


OUT_OF_MEMORY = (torch.OutOfMemoryError, MemoryExceededError)


def fitting_batch(
    work: Callable[[int], object],
    device: torch.device,
    batch_size: int | None,
    items: int,
    *,
    on_cpu: int = CPU_BATCH,
) -> int:
    """Give the rows of a batch: those asked for, or what free memory holds.

    Parameters
    ----------
    work : callable
        Does the work on so many rows; tried with 1, 2, 4, ... of them.
    device : torch.device
        Where it runs.
    batch_size : int or None
        Rows asked for, None to choose.
    items : int
        How many there are to compute: more rows on a GPU would only be filling.
    on_cpu : int
        What is chosen on a CPU.

    Returns
    -------
    int
        A power of two up to 1024 where it was chosen on a GPU.

    Raises
    ------
    InputError
        If `batch_size` is less than 1.
    """
    if batch_size is not None:
        if batch_size < 1:
            raise InputError(f"batch_size must be positive, got {batch_size}")
        return batch_size
    if device.type != "cuda":
        return on_cpu
    if items < 1:
        return 1

    def peak(rows: int) -> float:
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work(rows)
        return torch.cuda.max_memory_allocated(device) - before

    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(device)
    try:
        return largest_batch(peak, MEMORY_SHARE * free, min(LARGEST_BATCH, 1 << (items - 1).bit_length()))
    finally:
        torch.cuda.empty_cache()


def largest_batch(peak: Callable[[int], float], budget: float, most: int) -> int:
    """Double the rows of a batch as long as the next size should need no more than a budget.

    What a size needs is foretold from the two before it. One row alone tells little: libraries take
    workspaces that do not grow with the rows, and may be larger than all else.

    Parameters
    ----------
    peak : callable
        Bytes that so many rows need; may raise one of `OUT_OF_MEMORY`.
    budget : float
        Bytes.
    most : int
        Power of two.

    Returns
    -------
    int
        Power of two, 1 to `most`; 1 also where one row does not fit, which fails again where it is reported.
    """
    rows, last, growth = 1, 0.0, 0.0
    while True:
        try:
            needed = peak(rows)
        except OUT_OF_MEMORY:
            return max(rows // 2, 1)
        except RuntimeError as error:
            # Libraries report full memory, or more elements than they can count, in words of their own.
            if rows == 1:
                raise
            print(f"note: {rows} rows failed ({' '.join(str(error).split())[:200]})")
            return rows // 2
        if needed > budget:
            return max(rows // 2, 1)
        growth = max(2 * (needed - last), 0.0) if rows > 1 else 0.0
        last = needed
        if rows >= most or last + growth > budget:
            return rows
        rows *= 2


def halving(work: Callable[[int], T], size: int, *, fixed: bool) -> tuple[T, int]:
    """Do work on batches of `size` rows, and anew with half of them whenever memory runs out.

    Parameters
    ----------
    work : callable
        Takes the rows of a batch.
    size : int
        Rows to begin with.
    fixed : bool
        They were asked for, so running out of memory is an error.

    Returns
    -------
    result, size
        What `work` gave, and with how many rows.

    Raises
    ------
    MemoryExceededError
        If memory runs out with one row, or with a fixed size.
    """
    while True:
        try:
            return work(size), size
        except OUT_OF_MEMORY as error:
            if fixed or size == 1:
                less = "use" if size == 1 else "lower batch_size, or use"
                advice = f"{less} float16 (images: vae_tiling), or another device"
                raise MemoryExceededError(
                    f"batches of {size} do not fit into the device's memory; {advice}"
                ) from error
        size //= 2  # outside of the handler, where the failed call's tensors are gone
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def float32_retry(
    model: ScoreModel,
    work: Callable[[ScoreModel, Rows], Arrays],
    rows: Rows,
    finite: Callable[[Arrays], NDArray[np.bool_]] | None = None,
) -> tuple[Arrays, int]:
    """Do work with a model, and what half precision could not hold anew with a float32 copy of it.

    Parameters
    ----------
    model : ScoreModel
        In any precision.
    work : callable
        ``work(score, rows)`` gives named arrays whose first axis is that of `rows`.
    rows : numpy.ndarray
        int64 (n,).
    finite : callable, optional
        Which rows of the arrays are as they should be, bool (n,); by default those without NaN and infinity.

    Returns
    -------
    arrays, retried
        What `work` gave, rows that are still not finite included, and how many rows were done anew.
    """
    found = work(model, rows)
    bad = np.flatnonzero(~(finite or all_finite)(found))
    if not len(bad) or model.dtype.itemsize >= 4:
        return found, 0
    again = work(variant(model, dtype=torch.float32), rows[bad])
    for name, values in again.items():
        found[name][bad] = values
    return found, len(bad)


def all_finite(arrays: Arrays) -> NDArray[np.bool_]:
    """Rows (n,) without NaN and infinity in any of the arrays."""
    parts = [np.isfinite(a).all(axis=tuple(range(1, a.ndim))) for a in arrays.values()]
    return np.logical_and.reduce(parts)


class Batched(NamedTuple):
    """What `in_batches` found: arrays of n rows (none if n is 0), and how many rows float32 did anew."""

    arrays: Arrays
    size: int
    retried: int


def in_batches(
    model: ScoreModel,
    batch: Callable[[ScoreModel, Rows], Arrays],
    ids: Rows,
    *,
    batch_size: int | None,
    on_cpu: int = CPU_BATCH,
    trial: Callable[[int], object] | None = None,
    finite: Callable[[Arrays], NDArray[np.bool_]] | None = None,
    progress: Callable[[int], object] | None = None,
) -> Batched:
    """Compute something of a score model at items, by the one loop over batches that there is.

    Every batch has the same number of rows, and item i is in row ``i % size`` of its batch, so a value's
    bytes depend on (item, size) and not on what else is computed. Kernels add up in a fixed order, and TF32
    is off. Without a `batch_size` a GPU gets the rows that its free memory holds; where memory runs out all
    the same, everything is done anew with half of them. Rows that half precision leaves non-finite are done
    anew in float32, in the same rows of their batches.

    Parameters
    ----------
    model : ScoreModel
    batch : callable
        ``batch(score, rows)`` gives named arrays of one batch; `rows` are positions in `ids`, as many as a
        batch has, and `score` is `model` or its float32 copy.
    ids : numpy.ndarray
        int64 (n,).
    batch_size : int or None
        Rows of a batch; None to choose them.
    on_cpu : int
        Rows that are chosen on a CPU.
    trial : callable, optional
        Does one batch of so many rows; by default `batch` of the first items in turn.
    finite : callable, optional
        As for `float32_retry`.
    progress : callable, optional
        Called with the number of finished items.

    Returns
    -------
    Batched
        With the rows of a batch as `size`.

    Raises
    ------
    MemoryExceededError
        If memory runs out with one row, or with the `batch_size` that was asked for.
    """
    if not len(ids):
        return Batched({}, batch_size or 1, 0)

    def all_batches(size: int, score: ScoreModel, wanted: Rows) -> Arrays:
        arrays: Arrays = {}
        done = len(ids) - len(wanted)
        for rows, places in fixed_batches(ids[wanted], size):
            for name, values in batch(score, wanted[rows]).items():
                shape = (len(wanted), *values.shape[1:])
                arrays.setdefault(name, np.empty(shape, dtype=values.dtype))[rows[places]] = values[places]
            done += len(places)
            if progress is not None:
                progress(done)
        return arrays

    everything = np.arange(len(ids))
    with repeatable(model.device), full_float32():
        first = trial or (lambda rows: batch(model, np.arange(rows) % len(ids)))
        size = fitting_batch(first, model.device, batch_size, len(ids), on_cpu=on_cpu)

        def work(size: int) -> tuple[Arrays, int]:
            return float32_retry(model, partial(all_batches, size), everything, finite)

        (arrays, retried), size = halving(work, size, fixed=batch_size is not None)
    return Batched(arrays, size, retried)
