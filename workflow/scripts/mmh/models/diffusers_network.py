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


def noise_predictor(
    unet: Any,
    scheduler: Any,
    schedule: Schedule,
    time_scale: float = 1.0,
    call: Callable[..., Any] | None = None,
) -> Network:
    """Make (z, t, c) -> eps of a diffusers model.

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

    Returns
    -------
    callable
        eps = out (``epsilon``), psi out + sigma z (``v_prediction``) or (z - psi out) / sigma (``sample``).

    Raises
    ------
    InputError
        If the prediction type is unknown.
    """
    # None for a scheduler that names no such thing (flow matching): it must not pass for epsilon.
    prediction = getattr(scheduler.config, "prediction_type", None)
    if prediction not in PREDICTION_TYPES:
        raise InputError(
            f"{type(scheduler).__name__} has prediction type {prediction!r}; needed is one of "
            f"{', '.join(PREDICTION_TYPES)}"
        )
    function = unet if call is None else call
    steps = int(scheduler.config.num_train_timesteps)
    parameters: Mapping[str, inspect.Parameter] = inspect.signature(unet.forward).parameters
    name = "encoder_hidden_states" if "encoder_hidden_states" in parameters else "class_labels"
    required = name in parameters and parameters[name].default is inspect.Parameter.empty

    def network(z: torch.Tensor, t: float, c: torch.Tensor | None) -> torch.Tensor:
        if c is None and required:
            raise InputError(f"{type(unet).__name__} needs conditioning: call .conditioned or .guided first")
        if c is not None and name not in parameters:
            raise InputError(f"{type(unet).__name__} takes no conditioning")
        index = schedule.index(t)
        # Given as a tensor: a plain float would be cut to an integer by some models.
        time = torch.full((len(z),), (t * steps if index is None else index) * time_scale, device=z.device)
        out = function(z, timestep=time, return_dict=False, **({} if c is None else {name: c}))[0]
        if out.shape[1] == 2 * z.shape[1]:
            out = out[:, : z.shape[1]]  # the rest is a learned variance
        if prediction == "epsilon":
            return out
        psi, sigma = schedule.psi(t), schedule.sigma(t)
        return psi * out + sigma * z if prediction == "v_prediction" else (z - psi * out) / sigma

    return network


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
