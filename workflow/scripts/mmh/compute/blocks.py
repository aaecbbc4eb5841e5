"""A job's items in blocks of one batch each, of the configured size or, with `auto`, of what memory holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from mmh.compute.memory import MemoryExceededError, fitting_batch, halving
from mmh.compute.rows import fixed_batches
from mmh.errors import InputError
from mmh.job.chunks import Chunks, blockwise

if TYPE_CHECKING:
    from mmh.models.latent.model import TextToImageModel

AUTO = "auto"
Compute = Callable[[NDArray[np.int64], NDArray[np.int64], int], dict[str, NDArray[Any]]]
T = TypeVar("T")


def in_fitting_batches(
    batch_size: int | str,
    work: Callable[[int, Chunks | None], T],
    trial: Callable[[int], object],
    *,
    device: torch.device,
    items: int,
    store: Chunks | None = None,
) -> tuple[T, int]:
    """Do a job's work in batches of the configured number of rows; with "auto", of what fits at its start.

    The bytes of a result depend on the rows of a batch, so all of one job's batches have the same: where
    memory runs out on the way, everything is done anew with half of them, and blocks that were finished with
    another number are not used.

    Parameters
    ----------
    batch_size : int or "auto"
        The configured number.
    work : callable
        ``work(rows, store)`` does everything.
    trial : callable
        ``trial(rows)`` does one batch.
    device : torch.device
        Where they run.
    items : int
        How many there are to compute.
    store : mmh.job.chunks.Chunks, optional
        Of the job; "auto" gives `work` a part of it for each number of rows.

    Returns
    -------
    result
        What `work` gave.
    size : int
        With how many rows.

    Raises
    ------
    MemoryExceededError
        If memory runs out with one row.
    """
    if batch_size != AUTO:
        return work(int(batch_size), store), int(batch_size)

    def quiet_trial(rows: int) -> None:
        try:
            trial(rows)
        except MemoryExceededError:
            raise
        except InputError:  # about an item, which the work itself will name
            return

    def everything(rows: int) -> T:
        print(f"batch_size: auto gives batches of {rows} on {device.type}")
        return work(rows, None if store is None else store.part(f"batch-{rows}"))

    return halving(everything, fitting_batch(quiet_trial, device, None, items), fixed=False)


def blockwise_in_fitting_batches(
    batch_size: int | str,
    computes: Sequence[Compute],
    ids: NDArray[np.int64],
    *,
    device: torch.device,
    progress: Callable[..., Callable[..., None]],
    store: Chunks | None = None,
    trial: Callable[[int], object] | None = None,
    unit: str = "image",
) -> tuple[dict[str, NDArray[Any]], int]:
    """Compute each item once, one batch per block of `mmh.job.chunks.blockwise`, by `in_fitting_batches`.

    Parameters
    ----------
    batch_size : int or "auto"
        The configured number.
    computes : sequence of callable
        ``compute(rows, numbers, size)`` gives named arrays for some places in `ids`; `numbers` are their ids
        (in a trial: others), which say the row of the batch that each is computed in. With several, each is
        done for all items in turn.
    ids : numpy.ndarray
        int64 (n,).
    device, progress, store, unit
        As for `in_fitting_batches` and `blockwise`.
    trial : callable, optional
        As for `in_fitting_batches`; by default the first of `computes`.

    Returns
    -------
    dict of str to ndarray
        First axis n times the number of `computes`, the items of the first to begin with; empty if n is 0.
    size : int
        Rows of a batch.

    Raises
    ------
    MemoryExceededError
        If memory runs out with one row.
    """
    n = len(ids)

    def one_batch(size: int) -> None:
        numbers = np.arange(size, dtype=np.int64)
        computes[0](numbers % n, numbers, size)

    def work(size: int, kept: Chunks | None) -> dict[str, NDArray[Any]]:
        def block(places: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
            turn, rows = places[0] // n, places % n
            return computes[turn](rows, ids[rows], size)

        # Ids with gaps share batches, one id per place.
        batches = [rows[places] for rows, places in fixed_batches(ids, size)]
        blocks = [turn * n + rows for turn in range(len(computes)) for rows in batches]
        return blockwise(block, blocks, progress=progress, store=kept, unit=unit)

    return in_fitting_batches(batch_size, work, trial or one_batch, device=device, items=n, store=store)


def decode_in_fitting_batches(
    model: TextToImageModel,
    latents: NDArray[np.float32],
    ids: NDArray[np.int64],
    batch_size: int | str,
    progress: Callable[..., None] | None = None,
) -> tuple[NDArray[np.uint8], int]:
    """Decode latents as `TextToImageModel.decode` does, by `in_fitting_batches`.

    Parameters
    ----------
    model : TextToImageModel
    latents : numpy.ndarray
        float32 (n, c, h, w).
    ids : numpy.ndarray
        int64 (n,).
    batch_size : int or "auto"
        The configured number.
    progress : callable, optional
        Called with the number of finished images.

    Returns
    -------
    image : numpy.ndarray
        uint8 (n, 3, H, W).
    size : int
        Rows of a batch.

    Raises
    ------
    MemoryExceededError
        If memory runs out with one row.
    """
    return in_fitting_batches(
        batch_size,
        lambda size, _: model.decode(latents, batch_size=size, ids=ids, progress=progress),
        lambda size: model.decode(latents[np.arange(size) % len(ids)], batch_size=size),
        device=model.device,
        items=len(ids),
    )
