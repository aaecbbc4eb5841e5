"""Folders of flows: a diffusers UNet with a FlowMatchEulerDiscreteScheduler."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmh.errors import in_short
from mmh.io.model_folder import refuse
from mmh.light_diffusers import diffusers, move
from mmh.models.ddpm.model import Report, UNetModel, load_network

PIPELINE = "UNetFlow"
"""What `model_index.json` names the whole: diffusers has no pipeline of an unconditional flow."""


@dataclass
class FlowModel(UNetModel):
    """A diffusers UNet that predicts n - x, with the scheduler of its flow."""

    def sample(
        self,
        ids: Sequence[int] | np.ndarray,
        *,
        seed: int,
        steps: int = 50,
        batch_size: int = 100,
        progress: Report | None = None,
    ) -> np.ndarray:
        """Draw (n, C, H, W) float32 images by Euler steps, from the noises that a `UNetModel` begins with."""
        from mmh.models.flow.sampling import sample

        return sample(
            self.score_model(),
            levels(self.scheduler, steps),
            ids,
            seed=seed,
            batch_size=batch_size,
            classes=self.classes,
            progress=progress,
        )


def levels(scheduler: Any, steps: int) -> np.ndarray:
    """Noise levels of a sampler's steps as diffusers has them, float64 (steps + 1,), falling to 0."""
    scheduler.set_timesteps(steps)
    sigmas: np.ndarray = scheduler.sigmas.double().numpy()
    return 1.0 - sigmas if scheduler.config.invert_sigmas else sigmas


def load_folder(path: Path, *, device: str = "cpu") -> FlowModel:
    """Load the folder of a flow.

    Parameters
    ----------
    path : Path
        With `model_index.json`, `unet/` and `scheduler/`.
    device : str
        Where the network is put.

    Returns
    -------
    FlowModel
        In evaluation mode.

    Raises
    ------
    InputError
        If a file is missing, damaged or does not fit the others; it names the file and what to do.
    """
    network, settings = load_network(path)
    file, wanted = path / "scheduler" / "scheduler_config.json", "FlowMatchEulerDiscreteScheduler"
    if settings.get("_class_name") != wanted:
        refuse(file, f"is of {settings.get('_class_name')!r}, a flow has a {wanted}")
    if settings.get("use_dynamic_shifting"):
        refuse(file, "shifts its steps by the size of the image (use_dynamic_shifting), which is not read")
    try:
        scheduler = diffusers().FlowMatchEulerDiscreteScheduler.from_config(settings)
    except Exception as error:
        refuse(file, f"describes no scheduler of a flow ({in_short(error)})", error)
    return FlowModel(move(network, device), scheduler)
