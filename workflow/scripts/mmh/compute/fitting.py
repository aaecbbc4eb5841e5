"""Rows of a batch that free memory holds on a GPU, and what to do when it runs out all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from mmh.errors import InputError

CPU_BATCH = 8
LARGEST_BATCH = 1024
MEMORY_SHARE = 0.9
"""Of free memory: a batch of the chosen size was tried, so the rest is for fragmentation alone."""
T = TypeVar("T")


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
        The size was asked for, so running out of memory is an error.

    Returns
    -------
    result
        What `work` gave.
    size : int
        With how many rows.

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
