"""Places of items in computing batches, checks of items, and kernels that repeat bit by bit."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmh.errors import InputError

if TYPE_CHECKING:
    import torch

    from mmh.diffusion.score_model import ScoreModel


def fixed_batches(ids: NDArray[np.int64], size: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Cut items into batches of exactly `size` rows in which an id always has the same place.

    Kernels round the rows of a batch differently (matrix products with odd sizes do so even within full
    batches), so an item's bytes depend on its row, but never on what the other rows hold. Item i therefore
    always is in row ``i % size``; each batch takes one item per place, and places that are left over repeat
    an item that is there.

    Parameters
    ----------
    ids : numpy.ndarray
        int64 (n,), in any order, repetitions allowed.
    size : int
        Rows of a batch.

    Yields
    ------
    rows : numpy.ndarray
        int64 (size,), positions in `ids` to compute.
    places : numpy.ndarray
        int64 (m,), the rows of the batch that count; the others are filling.

    Raises
    ------
    InputError
        If `size` is not positive.
    """
    if size < 1:
        raise InputError(f"batch_size must be positive, got {size}")
    waiting: list[list[int]] = [[] for _ in range(size)]
    for position in range(len(ids) - 1, -1, -1):
        waiting[int(ids[position]) % size].append(position)
    while True:
        places = np.array([place for place, line in enumerate(waiting) if line], dtype=np.int64)
        if not len(places):
            return
        taken = np.array([waiting[place].pop() for place in places], dtype=np.int64)
        rows = np.full(size, taken[0], dtype=np.int64)
        rows[places] = taken
        yield rows, places


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


def check_items(
    model: ScoreModel, x: ArrayLike | torch.Tensor, ids: ArrayLike | None
) -> tuple[torch.Tensor, NDArray[np.int64]]:
    """Check clean samples and their ids.

    Parameters
    ----------
    model : ScoreModel
        The model that will see them.
    x : array_like or torch.Tensor
        (n, *shape), floating point, finite.
    ids : array_like of int, optional
        (n,); 0..n-1 by default.

    Returns
    -------
    x : torch.Tensor
        float64 on the CPU.
    ids : numpy.ndarray
        int64 (n,).

    Raises
    ------
    InputError
        If type, shape, a value, or the number of ids or of conditioning rows is wrong.

    Warns
    -----
    UserWarning
        If images look like [0, 1] or 0..255; the message says the range seen.
    """
    import torch

    tensor = x.detach() if isinstance(x, torch.Tensor) else torch.from_numpy(np.array(x))
    if not tensor.is_floating_point():
        raise InputError(f"needs floating-point samples on the model's scale, got {tensor.dtype}")
    if tuple(tensor.shape[1:]) != model.shape or tensor.ndim != len(model.shape) + 1:
        raise InputError(f"needs samples (n, {', '.join(map(str, model.shape))}), got {tuple(tensor.shape)}")
    n = len(tensor)
    numbers = np.arange(n, dtype=np.int64) if ids is None else np.asarray(ids)
    if numbers.shape != (n,) or (n and not np.issubdtype(numbers.dtype, np.integer)):
        raise InputError(f"needs {n} integer ids, got {numbers.dtype} of shape {numbers.shape}")
    if model.rows not in (None, n):
        raise InputError(f"the conditioning has {model.rows} rows for {n} samples")
    tensor = tensor.to(device="cpu", dtype=torch.float64)
    check_finite(tensor.flatten(1).isfinite().all(1).numpy(), numbers, "the sample holds NaN or infinity")
    _warn_range(tensor)
    return tensor, numbers.astype(np.int64)


def fast_layout(z: torch.Tensor, module: torch.nn.Module | None) -> torch.Tensor:
    """Lay images out channels last on a CPU for networks with attention, and leave them for others.

    Without attention it costs 1.0 to 1.15 times as much, by processor. What counts is what the network is
    made of, not a clock: the layout shows in the last bits of a result, which must not depend on what else a
    machine does.

    Parameters
    ----------
    z : (n, ...) tensor
        A batch that the network will be given.
    module : torch.nn.Module or None
        The network; None for a closed form.

    Returns
    -------
    (n, ...) tensor
        The same numbers.
    """
    import torch

    if z.ndim != 4 or z.device.type != "cpu":
        return z
    attends = module is None or any("Attention" in type(part).__name__ for part in module.modules())
    return z.to(memory_format=torch.channels_last) if attends else z


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """On a GPU, take kernels that add up in a fixed order, so that results repeat bit by bit.

    The backward passes of convolutions and of fused attention otherwise may add in the order in which threads
    finish. Every switch is put back as it was found; on a CPU there is nothing to switch.
    """
    if device.type != "cuda":
        yield
        return
    import torch

    cudnn: Any = torch.backends.cudnn
    filling: Any = torch.utils.deterministic
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    found = cudnn.benchmark, filling.fill_uninitialized_memory
    try:
        torch.use_deterministic_algorithms(True, warn_only=True)
        cudnn.benchmark, filling.fill_uninitialized_memory = False, False
        with warnings.catch_warnings():
            # It asks for an environment variable; PyTorch hands cuBLAS a fixed workspace, which is as good.
            warnings.filterwarnings("ignore", message=".*CUBLAS_WORKSPACE_CONFIG")
            yield
    finally:
        cudnn.benchmark, filling.fill_uninitialized_memory = found
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)


def _warn_range(x: torch.Tensor) -> None:
    """Warn of images (n, channels, height, width) that seem to be on the scale [0, 1] or 0..255."""
    if x.ndim != 4 or not x.numel():
        return
    low, high = float(x.min()), float(x.max())
    # Images in [-1, 1], latents and noise all have negative values; a constant says nothing.
    if low >= 0 and high > low:
        scale = "[0, 1]" if high <= 1 else "0..255" if high <= 255 else "no usual scale"
        message = (
            f"samples range from {low:.4g} to {high:.4g}, as on {scale}; models here take [-1, 1]: "
            "pass 2 x - 1 for [0, 1], x / 127.5 - 1 for 0..255"
        )
        warnings.warn(message, UserWarning, stacklevel=4)


def check_finite(finite: NDArray[np.bool_], ids: NDArray[np.int64], what: str) -> None:
    """Raise `InputError` naming the first ids whose entry of `finite` (n,) is false."""
    if not finite.all():
        bad = ids[~finite]
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        raise InputError(f"{what}: id {', '.join(map(str, bad[:5].tolist()))}{more}")
