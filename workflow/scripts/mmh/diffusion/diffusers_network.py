"""diffusers UNets and transformers as noise predictors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch

from mmh.diffusion.schedule import Schedule
from mmh.errors import InputError

PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")
Network = Callable[[torch.Tensor, float, torch.Tensor | None], torch.Tensor]


class NoisePredictor:
    """(z, t, c) -> eps of a diffusers model.

    Parameters
    ----------
    unet : diffusers model
        Called as ``unet(z, timestep=..., [encoder_hidden_states=c | class_labels=c])``.
    scheduler : diffusers scheduler
        States the prediction type and the number of training steps.
    schedule : Schedule
        Noise levels.
    time_scale : float
        Factor on the time input.
    call : callable, optional
        What to call instead of `unet`: a compiled form or a copy of it.

    Raises
    ------
    InputError
        If the prediction type is unknown.
    """

    def __init__(
        self,
        unet: Any,
        scheduler: Any,
        schedule: Schedule,
        time_scale: float = 1.0,
        call: Callable[..., Any] | None = None,
    ) -> None:
        # None for a scheduler that names no such thing (flow matching): it must not pass for epsilon.
        prediction = getattr(scheduler.config, "prediction_type", None)
        if prediction not in PREDICTION_TYPES:
            raise InputError(
                f"{type(scheduler).__name__} has prediction type {prediction!r}; needed is one of "
                f"{', '.join(PREDICTION_TYPES)}"
            )
        self.prediction, self.schedule, self.time_scale = prediction, schedule, time_scale
        self.steps = int(scheduler.config.num_train_timesteps)
        self._function, self._name = unet if call is None else call, type(unet).__name__
        parameters: Mapping[str, inspect.Parameter] = inspect.signature(unet.forward).parameters
        name = "encoder_hidden_states" if "encoder_hidden_states" in parameters else "class_labels"
        self._condition = name if name in parameters else None
        self._required = name in parameters and parameters[name].default is inspect.Parameter.empty

    def __call__(self, z: torch.Tensor, t: float, c: torch.Tensor | None) -> torch.Tensor:
        """Eps: out (``epsilon``), psi out + sigma z (``v_prediction``), (z - psi out)/sigma (``sample``)."""
        out = self._output(z, t, c)
        if self.prediction == "epsilon":
            return out
        psi, sigma = self.schedule.psi(t), self.schedule.sigma(t)
        return psi * out + sigma * z if self.prediction == "v_prediction" else (z - psi * out) / sigma

    def clean(self, z: torch.Tensor, t: float, c: torch.Tensor | None) -> torch.Tensor:
        """Clean: (z - sigma out) / psi (``epsilon``), psi z - sigma out (``v_prediction``), out (``sample``).

        Raises
        ------
        InputError
            If the network predicts the noise and psi is 0: its answer then says nothing of x.
        """
        psi, sigma = self.schedule.psi(t), self.schedule.sigma(t)
        if psi == 0 and self.prediction == "epsilon":
            raise InputError(
                f"at t = {t:g} the state is all noise (psi = 0) and a prediction of the noise says nothing "
                'of the image; in scheduler_config.json set timestep_spacing to "leading", or '
                'prediction_type to "v_prediction" if the network was trained so'
            )
        out = self._output(z, t, c)
        if self.prediction == "epsilon":
            return (z - sigma * out) / psi
        return psi * z - sigma * out if self.prediction == "v_prediction" else out

    def _output(self, z: torch.Tensor, t: float, c: torch.Tensor | None) -> torch.Tensor:
        if c is None and self._required:
            raise InputError(f"{self._name} needs conditioning: call .conditioned or .guided first")
        if c is not None and self._condition is None:
            raise InputError(f"{self._name} takes no conditioning")
        index = self.schedule.index(t)
        # Given as a tensor: a plain float would be cut to an integer by some models.
        time = torch.full(
            (len(z),), (t * self.steps if index is None else index) * self.time_scale, device=z.device
        )
        given = {} if c is None or self._condition is None else {self._condition: c}
        out: torch.Tensor = self._function(z, timestep=time, return_dict=False, **given)[0]
        # The rest is a learned variance.
        return out[:, : z.shape[1]] if out.shape[1] == 2 * z.shape[1] else out


def sample_shape(unet: Any) -> tuple[int, int, int]:
    """Shape (channels, height, width) of one sample, from the model's configuration.

    Raises
    ------
    InputError
        If the configuration has no ``sample_size``.
    """
    size = getattr(unet.config, "sample_size", None)
    if size is None:
        raise InputError(f"{type(unet).__name__} names no sample_size; pass shape=(channels, height, width)")
    height, width = (size, size) if isinstance(size, int) else size
    return (int(unet.config.in_channels), int(height), int(width))
