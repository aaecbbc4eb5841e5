"""What is asked of somebody's model as soon as it is there: whether its parts are known, and whether it runs.

A model that cannot be sampled, or makes images of another size, is found here, before hours of sampling.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.errors import InputError, in_short

if TYPE_CHECKING:
    from mmh.models.base import Model

# Parts by which networks are read, and those of a pipeline that change no sample.
_READ = {"unet", "scheduler", "vae", "text_encoder", "tokenizer"}
_IDLE = {"safety_checker", "feature_extractor", "requires_safety_checker"}
# Kinds of pipeline that sample from the prior, with the network of the folder alone.
_PIPELINES = ("DDPMPipeline", "DDIMPipeline", "PNDMPipeline", "StableDiffusionPipeline")
_STEPS = 2


def account_for(index: Mapping[str, Any], folder: str) -> None:
    """Refuse a pipeline of which a part would be left out.

    Parameters
    ----------
    index : mapping
        Content of model_index.json.
    folder : str
        The user's own name of the folder, for the message.

    Raises
    ------
    InputError
        If the pipeline samples otherwise, or has a part that is not read.
    """
    pipeline = index.get("_class_name", _PIPELINES[0])
    name = str(pipeline[-1] if isinstance(pipeline, list) and pipeline else pipeline)
    present = {
        key: value[-1]
        for key, value in index.items()
        if not key.startswith("_") and isinstance(value, list) and value and value[-1] is not None
    }
    unread = sorted(set(present) - _READ - _IDLE)
    if unread:
        parts = ", ".join(f"{key} ({present[key]})" for key in unread)
        raise InputError(
            f"{folder}/model_index.json: a {name} with {parts}, which is not read here, so its samples would "
            f"not be the model's; {' and '.join((', '.join(_PIPELINES[:-1]), _PIPELINES[-1]))} are"
        )
    if name not in _PIPELINES:
        raise InputError(
            f"{folder}/model_index.json: a {name}, which samples in a way of its own; "
            f"{' and '.join((', '.join(_PIPELINES[:-1]), _PIPELINES[-1]))} are read. If the network and the "
            f"scheduler are those of one of them, name that one as _class_name"
        )


def try_model(model: "Model", form: Mapping[str, int] | None = None, *, name: str) -> dict[str, Any]:
    """Predict the noise once, and sample one item in two steps.

    Parameters
    ----------
    model : Model
        Of a score.
    form : mapping, optional
        ``size`` and ``channels`` of the images that it shall be compared with.
    name : str
        The user's own name of it, for messages.

    Returns
    -------
    dict
        For the run record: the shape, and the range of the trial's sample.

    Raises
    ------
    InputError
        If the network cannot be called, gives something else than one noise for each input, or numbers that
        are not finite; if its samples have another shape than the images.
    """
    try:
        return _tried(model, form)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _tried(model: "Model", form: Mapping[str, int] | None) -> dict[str, Any]:
    import numpy as np

    _check_network(model)
    score, text = model.score_model(), hasattr(model, "text_encoder")
    if text and form:
        raise InputError(
            "is a text-to-image model, which draws images of prompts; in place of data and sampling its "
            "experiment has prompts and image_sets: copy the block stable-diffusion of config.yaml "
            "(docs/text-to-image.md)"
        )
    _check_form(score.shape, form)
    try:
        _check_noise(_bound(model, score, text=text))
    except (RuntimeError, ValueError, TypeError, NotImplementedError, IndexError, ArithmeticError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"the network cannot be called with an input of {_times(score.shape)} alone ({in_short(error)}); "
            "it may want another conditioning, or other inputs beside the image"
        ) from error
    found: dict[str, Any] = {"shape": list(score.shape)}
    if text:
        return found
    try:
        item = model.sample(np.arange(1), seed=0, steps=_STEPS, batch_size=1)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # a setting that diffusers doesn't foresee can raise anything
        raise InputError(
            f"no sample can be drawn in {_STEPS} steps ({in_short(error)}); has its "
            "scheduler/scheduler_config.json a value of a wrong kind?"
        ) from error
    if not np.isfinite(item).all():
        settings = getattr(getattr(model, "scheduler", None), "config", {})
        if score.schedule.psi(1.0) == 0 and settings.get("prediction_type") == "epsilon":
            raise InputError(
                "scheduler_config.json: sampling begins where nothing of the image is left (zero terminal "
                "SNR), of which a prediction of the noise says nothing; set prediction_type to "
                "v_prediction or sample if the network predicts that, or timestep_spacing to leading"
            )
        raise InputError(
            f"a sample of {_STEPS} steps is not finite: the schedule, the prediction type and the weights do "
            "not fit each other"
        )
    return {**found, "trial": [float(item.min()), float(item.max())]}


def _check_network(model: "Model") -> None:
    """Raise by what the network's own description says of inputs that are unknown here."""
    config = getattr(getattr(model, "unet", None), "config", None)
    if config is None:
        return
    taken, made = config.get("in_channels"), config.get("out_channels")
    if None not in (taken, made) and made not in (taken, 2 * taken):
        raise InputError(
            f"unet/config.json: {taken} channels go in and {made} come out. A noise has as many as the "
            "image, with its variance twice as many; networks that take further images, as for inpainting, "
            "are not read"
        )
    kind = config.get("class_embed_type")
    if kind is not None and not hasattr(model, "text_encoder"):
        raise InputError(
            f"unet/config.json: class_embed_type {kind!r}: the network is conditioned on vectors, not on the "
            "numbers of classes; only the latter (num_class_embeds alone) are read"
        )


def _bound(model: "Model", score: Any, *, text: bool) -> Any:
    import numpy as np

    if text:
        return score.conditioned(model.null())  # type: ignore[attr-defined]
    return score.conditioned(np.zeros(1, dtype=np.int64)) if model.classes else score


def _check_noise(score: Any) -> None:
    import torch

    z = torch.randn(1, *score.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        noise = score.eps(z.to(device=score.device, dtype=score.dtype), 0.5)
    if noise.shape != z.shape:
        raise InputError(f"the network makes {_times(noise.shape[1:])} of an input of {_times(score.shape)}")
    if not bool(noise.isfinite().all()):
        raise InputError("the network's noise at t = .5 is not finite; are its weights whole?")


def _check_form(shape: tuple[int, ...], form: Mapping[str, int] | None) -> None:
    """Raise unless the model's items have the size and channels of the images."""
    if not form:
        return
    wanted = (form.get("channels", shape[0]), form["size"], form["size"])
    if tuple(shape) != wanted:
        raise InputError(
            f"the model makes {_times(shape)}, and the images are {_times(wanted)} (data.size, "
            "data.channels); take the images that it was trained on, at its size"
        )


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def of_user(message: str, folder: Path, given: str) -> str:
    """Name the user's own folder in a message about the copy of it."""
    copied = "; delete the model folder and run the rule that makes it, or copy it anew"
    said = message.replace(str(folder), given).replace(copied, "; mend it there, and run again")
    return said if given in said else f"{given}: {said}"
