"""What norms of the noises at captioned images have in common: options handed on, batches, the check."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mmh.scores.base import NetworkOptions, SpanScore

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from mmh.diffusion.score_model import ScoreModel
    from mmh.scores.base import Arrays, Places
    from mmh.scores.setting import Setting

    Noise = Callable[[ScoreModel, Places], torch.Tensor]


class CaptionNorm(SpanScore):
    """A norm of the noises that a text-to-image model sees in a captioned image."""

    needs, large, random = "captions", True, False

    @classmethod
    def measure(cls, *given: Any, **how: Any) -> NDArray[np.float64]:
        """Measure latents: model, latents, captions, empty caption; its own options, `ids`, `batch_size`."""
        raise NotImplementedError(cls.__name__)

    @classmethod
    def values(cls, setting: Setting, rows: Places, numbers: Places, size: int) -> Arrays:
        """Measure the images of one batch."""
        given = setting.score, setting.x[rows], setting.embedded(rows, numbers), setting.null
        own = setting.options.model_dump(exclude=set(NetworkOptions.model_fields))
        return {"value": cls.measure(*given, **own, ids=numbers, batch_size=size)}


def noise_norms(
    model: ScoreModel, noise: Noise, ids: Places, *, scale: float, batch_size: int | None, what: str
) -> NDArray[np.float64]:
    """Take the norm of something like a noise, batch by batch.

    Parameters
    ----------
    model : ScoreModel
    noise : callable
        ``noise(score, rows)`` gives float64 (m, *shape) of one batch: `mmh.compute.memory.in_batches`.
    ids : numpy.ndarray
        int64 (n,).
    scale : float
        By which norms are divided.
    batch_size : int or None
        As for `in_batches`.
    what : str
        What is measured, for messages.

    Returns
    -------
    numpy.ndarray
        float64 (n,).

    Raises
    ------
    InputError
        If a norm is not finite.
    """
    import numpy as np
    import torch

    from mmh.compute.memory import in_batches
    from mmh.compute.rows import check_finite

    def batch(score: ScoreModel, rows: Places) -> Arrays:
        return {"norm": noise(score, rows).flatten(1).square().sum(1).sqrt().cpu().numpy() / scale}

    with torch.no_grad():
        found = in_batches(model, batch, ids, batch_size=batch_size).arrays
    norms: NDArray[np.float64] = found.get("norm", np.zeros(0))
    check_finite(np.isfinite(norms), ids, f"{what} is not finite")
    return norms
