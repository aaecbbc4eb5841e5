"""What an improved-diffusion checkpoint does not say of itself: the flags that it was trained with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmh.diffusion.schedule import Schedule

# Widths of --image_size in the repository, as multiples of --num_channels.
_MULTIPLES = {32: (1, 2, 2, 2), 64: (1, 2, 3, 4), 256: (1, 1, 2, 2, 4, 4)}
_FINEST = 16  # the largest side at which attention stands, by default
_LEAST = 32


@dataclass(frozen=True)
class Flags:
    """Flags of a training, by their names in the repository.

    Attributes
    ----------
    image_size : int or None
        Side of the images; None: what widths and attention say.
    num_heads : int
        Heads of attention.
    diffusion_steps : int
        Levels of the process.
    noise_schedule : {"cosine", "linear"}
        Their law.
    rescale_timesteps : bool
        Whether the network is told the level in thousandths of the process, whatever the number of levels.
    """

    image_size: int | None = None
    num_heads: int = 4
    diffusion_steps: int = 4000
    noise_schedule: str = "cosine"
    rescale_timesteps: bool = True

    @property
    def time_scale(self) -> float:
        """Factor on the level, as the network's time."""
        return 1000 / self.diffusion_steps if self.rescale_timesteps else 1.0

    def schedule(self) -> Schedule:
        """Noise levels in float64; a linear law of T levels has 1000 / T of the betas of 1000."""
        if self.noise_schedule == "cosine":
            return Schedule.cosine(self.diffusion_steps)
        betas = np.linspace(*self._betas(), self.diffusion_steps, dtype=np.float64)
        return Schedule.from_alphas_cumprod(np.cumprod(1.0 - betas, dtype=np.float64))

    def scheduler(self) -> dict[str, Any]:
        """Keywords of diffusers' DDPMScheduler for the same process."""
        law: dict[str, Any] = {"beta_schedule": "squaredcos_cap_v2"}
        if self.noise_schedule == "linear":
            first, last = self._betas()
            law = {"beta_schedule": "linear", "beta_start": first, "beta_end": last}
        return {"num_train_timesteps": self.diffusion_steps, "variance_type": "learned_range", **law}

    def said(self) -> str:
        """Say in a line what is taken for true beside the tensors."""
        time = "rescaled to 1000" if self.rescale_timesteps else "as it is"
        return (
            f"image_size {self.image_size}, num_heads {self.num_heads}, {self.diffusion_steps} "
            f"diffusion_steps of the {self.noise_schedule} schedule, the time {time}"
        )

    def _betas(self) -> tuple[float, float]:
        return 0.1 / self.diffusion_steps, 20.0 / self.diffusion_steps


def inferred_size(widths: Sequence[int], attention: Sequence[bool]) -> tuple[int, str]:
    """Infer the side of the images, and say from what.

    Parameters
    ----------
    widths : sequence of int
        Channels of each level.
    attention : sequence of bool
        Whether the level has attention.

    Returns
    -------
    int
    str
        For the log.
    """
    multiples = tuple(width / widths[0] for width in widths)
    for size, known in _MULTIPLES.items():
        if multiples == known:
            return size, "its widths are those of this size"
    if any(attention):
        return _FINEST * 2 ** list(attention).index(True), f"attention begins at {_FINEST} pixels by default"
    return _LEAST, "nothing tells it"


def regrouped(thirds: Mapping[str, np.ndarray], given: int, wanted: int) -> dict[str, np.ndarray]:
    """Cut the joint projection of one attention by another number of heads.

    Parameters
    ----------
    thirds : mapping
        ``to_q``, ``to_k`` and ``to_v``, (width, ...) each, cut by `given` heads.
    given, wanted : int
        Numbers of heads; both divide the width.

    Returns
    -------
    dict
        The same names, cut by `wanted` heads.
    """
    names = ("to_q", "to_k", "to_v")
    width, *rest = thirds["to_q"].shape
    # Rows of the joint projection: query, key and value of head 0, then those of head 1.
    joint = np.stack([thirds[name].reshape(given, width // given, *rest) for name in names], axis=1)
    cut = joint.reshape(wanted, 3, width // wanted, *rest)
    return {name: cut[:, place].reshape(width, *rest) for place, name in enumerate(names)}
