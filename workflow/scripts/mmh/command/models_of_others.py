"""What a person's model is, read from its description; nothing of it is run."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmh.errors import InputError
from mmh.fetch.hub import WEIGHTS
from mmh.fetch.weights import find_weights
from mmh.models.trial import account_for

_PICKLES = (".pt", ".pth", ".ckpt", ".bin")
_LAYOUT = "a diffusers folder (model_index.json, unet/, scheduler/) or a StyleGAN2 pickle (.pkl)"


@dataclass(frozen=True)
class Found:
    """A model, as far as its description says.

    Attributes
    ----------
    path : Path
    kind : {"diffusers", "stylegan2"}
    prompts : bool
        Whether it draws images of prompts.
    size, channels : int or None
        Of its images; None where the description does not say.
    classes : int or None
        None: unconditional.
    prediction : str
        What its network predicts.
    widths : tuple of int
        Of the levels of its network.
    mb : float
        Size of its files, MB.
    """

    path: Path
    kind: str
    prompts: bool
    size: int | None
    channels: int | None
    classes: int | None
    prediction: str
    widths: tuple[int, ...]
    mb: float


def look_at_model(path: Path) -> Found:
    """Read what a model is.

    Parameters
    ----------
    path : Path
        Given by ``--model``.

    Returns
    -------
    Found

    Raises
    ------
    InputError
        If it is none that can be audited; it says what to do.
    """
    if path.suffix.lower() in _PICKLES:
        raise InputError(
            f"--model {path}: a pickled checkpoint is not read, since it could run code; save the model as "
            f"{_LAYOUT}"
        )
    if path.is_file() and path.suffix.lower() == ".pkl":
        return _stylegan2(path)
    if not path.is_dir():
        raise InputError(f"--model {path}: no such folder; give {_LAYOUT}")
    index = _json(path / "model_index.json", f"--model {path}: is no diffusers folder; give {_LAYOUT}")
    unet = path / "unet"
    folder = unet if unet.is_dir() else path
    scheduler = path / ("scheduler" if unet.is_dir() else "") / "scheduler_config.json"
    try:
        account_for(index, str(path))
        weights = find_weights(folder, WEIGHTS)
    except InputError as error:
        raise InputError(f"--model {error}") from error
    network = _json(folder / "config.json", f"--model {path}: holds no unet/config.json; save the model anew")
    settings = _json(
        scheduler, f"--model {path}: holds no scheduler/scheduler_config.json; save the model anew"
    )
    prompts = index.get("_class_name") == "StableDiffusionPipeline"
    size = network.get("sample_size")
    size = size[0] if isinstance(size, list) else size
    if prompts:
        levels = _json(
            path / "vae" / "config.json", f"--model {path}: holds no vae/config.json; save it anew"
        )
        size = size * 2 ** (len(levels.get("block_out_channels", [1])) - 1) if size else None
    classes = network.get("num_class_embeds")
    files = [file for file in path.rglob("*") if file.suffix == ".safetensors"]
    return Found(
        path,
        "diffusers",
        prompts,
        size,
        3 if prompts else network.get("in_channels"),
        classes if isinstance(classes, int) else None,
        str(settings.get("prediction_type", "epsilon")),
        tuple(network.get("block_out_channels", (32, 64))),
        _mb(files or weights),
    )


def _stylegan2(path: Path) -> Found:
    """Read a pickle as the conversion does, which runs nothing of it."""
    from mmh.models.stylegan.published import load_stylegan2

    try:
        config = load_stylegan2(path).network.config
    except InputError as error:
        raise InputError(f"--model {error}") from error
    size, channels = int(config["resolution"]), int(config["channels"])
    return Found(path, "stylegan2", False, size, channels, None, "none", (), _mb([path]))


def _json(path: Path, otherwise: str) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(otherwise)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: is no JSON ({error}); fetch the model anew") from error
    return value if isinstance(value, dict) else {}


def _mb(files: list[Path]) -> float:
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6
