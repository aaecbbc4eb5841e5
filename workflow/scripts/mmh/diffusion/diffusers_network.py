"""diffusers UNets and transformers as noise predictors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from mmh.diffusion.schedule import Schedule
from mmh.diffusion.tables import is_flow
from mmh.errors import InputError

PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")
FURTHER = ("pooled_projections", "img_ids", "guidance")
"""Inputs of transformers of flows that stand for conditions which are not bound here."""
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
        # None for a scheduler that names no such thing: it must not pass for epsilon.
        flow = is_flow(scheduler)
        prediction = "flow" if flow else getattr(scheduler.config, "prediction_type", None)
        if not flow and prediction not in PREDICTION_TYPES:
            raise InputError(
                f"{type(scheduler).__name__} has prediction type {prediction!r}; needed is one of "
                f"{', '.join(PREDICTION_TYPES)}"
            )
        if flow != (schedule.kind == "flow"):
            raise InputError(
                f"{type(scheduler).__name__} and a schedule of kind {schedule.kind!r} are no pair; leave "
                "the schedule out"
            )
        self.prediction, self.schedule, self.time_scale = prediction, schedule, time_scale
        # Such a flow's network is told 1 - t, and predicts x - n in place of n - x.
        self._inverted = prediction == "flow" and bool(scheduler.config.invert_sigmas)
        self.steps = int(scheduler.config.num_train_timesteps)
        self._function, self._name = unet if call is None else call, type(unet).__name__
        parameters: Mapping[str, inspect.Parameter] = inspect.signature(unet.forward).parameters
        name = "encoder_hidden_states" if "encoder_hidden_states" in parameters else "class_labels"
        self._condition = name if name in parameters else None
        self._required = name in parameters and parameters[name].default is inspect.Parameter.empty
        kind = getattr(unet.config, "class_embed_type", None)
        count = getattr(unet.config, "num_class_embeds", None)
        self._classes = int(count) if kind is None and count else None
        self._by_class = kind is not None or bool(count)

    def __call__(self, z: torch.Tensor, t: float, c: torch.Tensor | None) -> torch.Tensor:
        """Eps: out (``epsilon``), psi out + sigma z (``v_prediction``), (z - psi out)/sigma (``sample``).

        Of a flow, whose out is n - x, z + psi out.
        """
        out = self._output(z, t, c)
        if self.prediction == "epsilon":
            return out
        psi, sigma = self.schedule.psi(t), self.schedule.sigma(t)
        if self.prediction == "flow":
            return z + psi * out
        return psi * out + sigma * z if self.prediction == "v_prediction" else (z - psi * out) / sigma

    def clean(self, z: torch.Tensor, t: float, c: torch.Tensor | None) -> torch.Tensor:
        """Clean: (z - sigma out) / psi (``epsilon``), psi z - sigma out (``v_prediction``), out (``sample``).

        Of a flow, z - sigma out.

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
        if self.prediction == "flow":
            return z - sigma * out
        return psi * z - sigma * out if self.prediction == "v_prediction" else out

    def check_condition(self, c: torch.Tensor) -> None:
        """Raise `InputError` unless the network takes this conditioning, as far as that can be known."""
        by_class = self._condition == "class_labels"
        if self._condition is None or (by_class and not self._by_class):
            raise InputError(f"{self._name} takes no conditioning")
        if not by_class or self._classes is None:
            return
        if c.ndim != 1 or c.is_floating_point() or c.dtype == torch.bool:
            raise InputError(
                f"{self._name} takes class labels (n,) of whole numbers, got {c.dtype} {tuple(c.shape)}"
            )
        if len(c) and not 0 <= int(c.min()) <= int(c.max()) < self._classes:
            raise InputError(
                f"{self._name} has classes 0..{self._classes - 1}, got labels {int(c.min())}..{int(c.max())}"
            )

    def _output(self, z: torch.Tensor, t: float, c: torch.Tensor | None) -> torch.Tensor:
        if c is None and self._by_class and self._condition == "class_labels":
            known = "" if self._classes is None else f", whole numbers in 0..{self._classes - 1}"
            raise InputError(f"{self._name} needs class labels{known}: call .conditioned(labels) first")
        if c is None and self._required:
            raise InputError(f"{self._name} needs conditioning: call .conditioned or .guided first")
        index = self.schedule.index(t)
        at = (1.0 - t if self._inverted else t) * self.steps if index is None else index
        # Given as a tensor: a plain float would be cut to an integer by some models.
        time = torch.full((len(z),), at * self.time_scale, device=z.device)
        given = {} if c is None or self._condition is None else {self._condition: c}
        out: torch.Tensor = self._function(z, timestep=time, return_dict=False, **given)[0]
        # The rest is a learned variance.
        kept = out[:, : z.shape[1]] if out.shape[1] == 2 * z.shape[1] else out
        return -kept if self._inverted else kept


def sample_shape(unet: Any) -> tuple[int, int, int]:
    """Shape (channels, height, width) of one sample, from the model's configuration.

    Raises
    ------
    InputError
        If the configuration has no ``sample_size``.
    """
    size = getattr(unet.config, "sample_size", None)
    if size is None:
        raise InputError(
            f"{type(unet).__name__} names no sample_size; state it in its config.json, or pass "
            "shape=(channels, height, width)"
        )
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise InputError(
            f"{type(unet).__name__} has the sample_size {size!r}; expected is a number of pixels, or "
            "[height, width]: correct it in its config.json"
        )
    height, width = sides
    return (int(unet.config.in_channels), int(height), int(width))


def check_parts(unet: Any, scheduler: Any) -> None:
    """Raise `InputError` unless a network and a scheduler were given, which a pipeline holds."""
    name = type(unet).__name__
    part = "unet" if hasattr(unet, "unet") else "transformer" if hasattr(unet, "transformer") else ""
    if part and hasattr(unet, "scheduler"):
        raise InputError(f"{name} is a whole pipeline; pass its parts: from_diffusers(p.{part}, p.scheduler)")
    if not isinstance(unet, torch.nn.Module):
        raise InputError(f"a diffusers network was expected, got {name}")
    wanted = [key for key in FURTHER if key in inspect.signature(unet.forward).parameters]
    if wanted:
        raise InputError(
            f"{name} wants {' and '.join(wanted)} besides its captions, as Stable Diffusion 3 and Flux do; "
            "this is not supported. Bind them in a function of your own: "
            "ScoreModel.from_function(lambda z, t, c: ..., shape, schedule)"
        )
    if not hasattr(scheduler, "config"):
        found = "none" if scheduler is None else type(scheduler).__name__
        raise InputError(f"a diffusers scheduler was expected beside {name}, got {found}")


def diffusers_parts(
    unet: Any, scheduler: Any, schedule: Schedule | None, time_scale: float, shape: Sequence[int] | None
) -> dict[str, Any]:
    """Give what a score model of a network is made of; `ScoreModel.from_diffusers` says the rest."""
    check_parts(unet, scheduler)
    used = Schedule.from_scheduler(scheduler) if schedule is None else schedule
    first = next(unet.parameters())

    def build(call: Callable[..., Any], levels: Schedule = used) -> Network:
        return NoisePredictor(unet, scheduler, levels, time_scale, call)

    made: dict[str, Any] = {"network": build(unet), "shape": shape or sample_shape(unet), "schedule": used}
    place = {"dtype": first.dtype, "device": first.device, "module": unet}
    return {**made, **place, "build": build, "function": unet}
