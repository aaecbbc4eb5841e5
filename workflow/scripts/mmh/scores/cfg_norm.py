"""The CFG-vector norm of real images: how far a caption moves the noise that a model sees in its own image.

An image is carried from its clean latent to noise level t along the probability-flow ODE of the conditional
model, dx = -(beta(t) / 2) (x - eps(x, t, c) / sigma(t)) dt, and the two noises are compared there.
"""

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
    from mmh.plan.work import Work
    from mmh.scores.base import Places
    from mmh.scores.setting import Setting

EulerGrid = Literal["correct", "published"]
START = 1e-4
"""Where the ODE starts: at t = 0 sigma may be 0."""


class CfgNorm(CaptionNorm):
    """CFG-vector norm of captioned images (Fig. 6).

    Formula: ||eps(x_t, t, c) - eps(x_t, t, null)||, x carried to x_t by the probability-flow ODE.

    Source: Wen et al. 2024, as in the paper's Fig. 6.

    Cost: steps + 2 forward passes.

    Fails: three Euler steps are few near a point mass (docs/fidelity.md); a caption that is rare or long
    moves the norm without any memorization.
    """

    name, label, unit = "cfg-norm", "CFG-vector norm", "units of the noise"
    axis = r"$\|\varepsilon_c - \varepsilon_\varnothing\|$ (units of the noise)"

    class Options(NetworkOptions):
        """CFG-vector norm."""

        t: NoiseLevel
        """noise level in (0, 1]"""
        steps: int = Field(ge=1)
        """Euler steps from t = 1e-4"""
        grid: EulerGrid = "correct"
        """correct by default; published: one step too many, as the authors' code"""
        over_sigma: bool = False
        """divide by sigma: the norm of the scores' difference"""

    @classmethod
    def calls(cls, work: Work) -> float:
        """Along the ODE with the caption, at its end with and without."""
        return float(work.options.get("steps", 3)) + 2

    @classmethod
    def measure(cls, *given: Any, **how: Any) -> NDArray[np.float64]:
        """Measure images."""
        return cfg_vector_norm(*given, **how)

    @classmethod
    def columns(cls, setting: Setting) -> dict[str, Any]:
        """The noise level that an ODE ends at, which is no step of a discrete model."""
        t = float(setting.options.t)
        return {"t": t, "sigma": setting.score.schedule.continuous().sigma(t)}

    @classmethod
    def describe(cls, setting: Setting) -> dict[str, Any]:
        """Say by which grid, and how many captions were too long for the text encoder."""
        return {
            "method": f"CFG-vector norm, {setting.options.grid} Euler grid",
            "truncated_captions": int(setting.model.tokens(setting.captions)[1].sum()),
        }


def cfg_vector_norm(
    model: ScoreModel,
    x: ArrayLike | torch.Tensor,
    c: torch.Tensor,
    null: torch.Tensor,
    *,
    t: float = 0.01,
    steps: int = 3,
    grid: EulerGrid = "correct",
    over_sigma: bool = False,
    ids: ArrayLike | None = None,
    batch_size: int | None = 8,
) -> NDArray[np.float64]:
    """Measure ||eps(x_t, t, c) - eps(x_t, t, null)||_2 where the probability-flow ODE carries x.

    Between the steps of a discrete model the noise level is interpolated (`Schedule.continuous`), and the
    network is given the time t T as it is.

    Parameters
    ----------
    model : ScoreModel
        Variance-preserving, without bound conditions.
    x : array_like or torch.Tensor
        (n, *shape), clean latents.
    c : torch.Tensor
        (n, L, D) or (1, L, D), embedded captions.
    null : torch.Tensor
        (1, L, D), the embedded empty caption.
    t : float
        Noise time at which the noises are compared.
    steps : int
        Euler steps from 1e-4 to `t`.
    grid : {"correct", "published"}
        "published" repeats the public code: `steps` points from 1e-4 to `t`, both included, and an update of
        their distance at each, the last one too, so that the state is carried one step too far.
    over_sigma : bool
        Divide by sigma(t): the norm of the difference of the scores.
    ids : array_like of int, optional
        Ids of the images, (n,); 0..n-1 by default. Image i is computed in row ``i % batch_size``.
    batch_size : int or None
        Images at a time; None: what free memory holds on a GPU.

    Returns
    -------
    numpy.ndarray
        float64 (n,); large for memorized images with their captions.

    Raises
    ------
    InputError
        If an argument is out of range, the process is not variance-preserving, or a result is not finite.
    """
    import torch

    from mmh.compute.rows import check_items, fast_layout

    samples, numbers = check_items(model, x, ids)
    model = model.continuous()
    times, distance = _euler_times(t, steps, grid)
    if len(c) not in (1, len(samples)) or len(null) != 1:
        raise InputError(f"needs {len(samples)} conditions or one, and one empty one: {len(c)}, {len(null)}")
    scale = model.schedule.sigma(float(t)) if over_sigma else 1.0

    def difference(score: ScoreModel, rows: Places) -> torch.Tensor:
        kind = torch.promote_types(score.dtype, torch.float32)
        captions = c.to(score.device)
        chosen = captions if len(c) == 1 else captions[torch.from_numpy(rows).to(score.device)]
        conditional, empty = score.conditioned(chosen), score.conditioned(null)
        z = fast_layout(samples[rows].to(device=score.device, dtype=kind), score.module)
        for time in times:
            rate, sigma = score.schedule.beta(time), score.schedule.sigma(time)
            noise = conditional.eps(z, time).to(kind)
            z = z - (0.5 * rate * distance) * (z - noise / sigma)
        return conditional.eps(z, t).double() - empty.eps(z, t).double()

    what = f"the CFG-vector norm at t={t}"
    return noise_norms(model, difference, numbers, scale=scale, batch_size=batch_size, what=what)


def _euler_times(t: float, steps: int, grid: str) -> tuple[list[float], float]:
    """Times of the updates, and their length."""
    import numpy as np

    if grid not in ("correct", "published"):
        raise InputError(f"grid must be correct or published, got {grid!r}")
    least = 2 if grid == "published" else 1
    if steps < least or not START < t <= 1:
        raise InputError(
            f"needs {least} or more Euler steps and t in ({START}, 1], got {steps} steps and t={t}"
        )
    if grid == "published":
        return np.linspace(START, t, steps).tolist(), (t - START) / (steps - 1)
    return np.linspace(START, t, steps + 1)[:-1].tolist(), (t - START) / steps
