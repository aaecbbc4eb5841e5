"""The null of Fig. 3: norm of a guided score whose unconditional part is another image's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmh.errors import InputError
from mmh.options.base import Field, NoiseLevel
from mmh.scores.base import NetworkOptions
from mmh.scores.caption_norms import CaptionNorm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mmh.plan.work import Work
    from mmh.scores.base import Arrays, Places
    from mmh.scores.setting import Setting


class ExchangedNorm(CaptionNorm):
    """||s_0(x') + lambda (s_c(x) - s_0(x))||, x' another image of the set, drawn by the seed.

    Formula: ||s_0(x') + lambda (s_c(x) - s_0(x))||, both at psi(t) times the image.

    Source: this project: a control of `score-norm`, whose unconditional part is of the same image.

    Cost: three forward passes.

    Fails: it depends on which other image is drawn, hence on the set and the seed.
    """

    name, unit, whole, random = "exchanged-norm", "1 / latent unit", True, True

    class Options(NetworkOptions):
        """Norm of a score at the scaled clean image, its unconditional part at another one."""

        t: NoiseLevel
        """noise level in (0, 1]"""
        guidance: float = Field(ge=0)
        """guidance scale"""

    @classmethod
    def calls(cls, work: Work) -> float:
        """Two at the image, one at the other."""
        return 3.0

    @classmethod
    def values(cls, setting: Setting, rows: Places, numbers: Places, size: int) -> Arrays:
        """Measure the images of one batch."""
        from mmh.scores.score_norm import score_norms

        assert setting.whole is not None
        images, ids = setting.whole
        given = setting.score, setting.x[rows], setting.embedded(rows, numbers), setting.null
        value = score_norms(
            *given,
            t=setting.options.t,
            guidance=setting.options.guidance,
            exchanged=images[partners(numbers, ids, setting.seed)],
            ids=numbers,
            batch_size=size,
        )
        return {"value": value}

    @classmethod
    def describe(cls, setting: Setting) -> dict[str, Any]:
        """Say of which score."""
        return {"method": "norm of the guided score, its unconditional part of another image"}


def partners(numbers: Places, ids: NDArray[np.int64], seed: int) -> Places:
    """Draw another image of the set for each one, by its id alone.

    Parameters
    ----------
    numbers : numpy.ndarray
        int64 (m,), ids.
    ids : numpy.ndarray
        int64 (N,), ids of the set, which hold them.
    seed : int

    Returns
    -------
    numpy.ndarray
        int64 (m,), places in `ids`.

    Raises
    ------
    InputError
        If the set holds one image alone.
    """
    import numpy as np

    from mmh.compute import rng

    if len(ids) < 2:
        raise InputError("an image set of one image has no other to exchange scores with; use a larger set")
    order = np.argsort(ids)
    place = np.searchsorted(ids[order], numbers)
    step = [rng.generator(seed, "exchange", int(i)).integers(1, len(ids)) for i in numbers]
    return np.asarray(order[(place + np.array(step, dtype=np.int64)) % len(ids)], dtype=np.int64)
