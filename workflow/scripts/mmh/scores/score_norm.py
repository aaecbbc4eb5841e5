"""Norms of a text-to-image model at real images: of the guided score and of the CFG vector (Fig. 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from mmh.errors import InputError
from mmh.options.base import Field, NoiseLevel
from mmh.scores.base import NetworkOptions
from mmh.scores.caption_norms import CaptionNorm, noise_norms

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import ArrayLike, NDArray

    from mmh.diffusion.score_model import ScoreModel
    from mmh.scores.base import Places
    from mmh.scores.setting import Setting


class ScoreNorm(CaptionNorm):
    """Norm of the guided score, or of the scores' difference, at the scaled clean image.

    Formula: ||s_0 + lambda (s_c - s_0)||, or ||s_c - s_0||, at z = psi(t) x.

    Source: Fig. 3 of the paper.

    Cost: two forward passes.

    Fails: it is no dimension and has no scale: compare ranks at one t, guidance and model alone.
    """

    name, unit = "score-norm", "1 / latent unit"

    class Options(NetworkOptions):
        """Norm of a score at the scaled clean image."""

        t: NoiseLevel
        """noise level in (0, 1]"""
        of: Literal["guided", "difference"]
        """guided: of s^CFG; difference: of s_c - s_0"""
        guidance: float = Field(ge=0)
        """guidance scale, of guided"""

    @classmethod
    def measure(cls, *given: Any, **how: Any) -> NDArray[np.float64]:
        """Measure images."""
        return score_norms(*given, **how)

    @classmethod
    def describe(cls, setting: Setting) -> dict[str, Any]:
        """Say of which score."""
        return {"method": f"norm of the {setting.options.of} score"}


def score_norms(
    model: ScoreModel,
    x: ArrayLike | torch.Tensor,
    c: torch.Tensor,
    null: torch.Tensor,
    *,
    t: float = 0.02,
    of: Literal["guided", "difference"] = "guided",
    guidance: float = 7.5,
    exchanged: ArrayLike | None = None,
    ids: ArrayLike | None = None,
    batch_size: int | None = 8,
) -> NDArray[np.float64]:
    """Measure ||s_0 + lambda (s_c - s_0)|| or ||s_c - s_0|| at z = psi(t) x, the clean image scaled.

    Parameters
    ----------
    model : ScoreModel
        Without bound conditions.
    x : array_like or torch.Tensor
        (n, *shape), clean latents.
    c : torch.Tensor
        (n, L, D), embedded captions.
    null : torch.Tensor
        (1, L, D), the embedded empty caption.
    t : float
        Noise time in (0, 1]; the paper's Fig. 3 has .02.
    of : {"guided", "difference"}
        Which norm.
    guidance : float
        lambda, of "guided".
    exchanged : array_like, optional
        (n, *shape), clean latents of other images, at which s_0 is taken for the first term of "guided": a
        guided score whose two terms come from different images.
    ids : array_like of int, optional
        Ids of the images, (n,); 0..n-1 by default. Image i is computed in row ``i % batch_size``.
    batch_size : int or None
        Images at a time; None: what free memory holds on a GPU.

    Returns
    -------
    numpy.ndarray
        float64 (n,), of scores: noises over sigma(t).

    Raises
    ------
    InputError
        If an argument is out of range, or a norm is not finite.
    """
    import torch

    from mmh.compute.rows import check_items, fast_layout

    samples, numbers = check_items(model, x, ids)
    if of not in ("guided", "difference"):
        raise InputError(f"of must be guided or difference, got {of!r}")
    if len(c) != len(samples) or len(null) != 1:
        raise InputError(f"needs {len(samples)} conditions and one empty one: {len(c)}, {len(null)}")
    others = samples if exchanged is None else check_items(model, exchanged, None)[0]
    if len(others) != len(samples):
        raise InputError(f"needs {len(samples)} images to exchange with, got {len(others)}")
    psi, sigma = model.schedule.psi(float(t)), model.schedule.sigma(float(t))

    def noise(score: ScoreModel, rows: Places) -> torch.Tensor:
        def scaled(images: torch.Tensor) -> torch.Tensor:
            return fast_layout(psi * images[rows].to(device=score.device, dtype=torch.float32), score.module)

        z, unconditional = scaled(samples), score.conditioned(null)
        chosen = c.to(score.device)[torch.from_numpy(rows).to(score.device)]
        empty = unconditional.eps(z, t).double()
        difference = score.conditioned(chosen).eps(z, t).double() - empty
        if of == "difference":
            return difference
        if exchanged is not None:
            empty = unconditional.eps(scaled(others), t).double()
        return empty + guidance * difference

    what = f"the norm of the score at t={t}"
    return noise_norms(model, noise, numbers, scale=sigma, batch_size=batch_size, what=what)
