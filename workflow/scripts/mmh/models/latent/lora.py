"""LoRA files of Stable Diffusion as diffusers writes them: read, checked, merged into a pipeline's weights.

A LoRA holds, for some layers, two small matrices: down (r, in) and up (out, r). The layer's weights become
``W + scale * alpha / r * up @ down``; after that the pipeline is an ordinary one, and nothing knows of it.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmh.errors import InputError, in_short
from mmh.fetch.hub import NETWORKS
from mmh.fetch.weights import find_weights

PARTS = ("unet", "text_encoder")
METADATA = "lora_adapter_metadata"
"""What diffusers writes beside the tensors: peft's settings, as one JSON text."""
# Endings of names, those of peft, of diffusers since 0.20 and of its attention processors before.
_ENDINGS = {
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora.down.weight": "down",
    ".lora.up.weight": "up",
    ".lora_linear_layer.down.weight": "down",
    ".lora_linear_layer.up.weight": "up",
    ".alpha": "alpha",
}
_PROCESSOR = re.compile(r"\.to_(q|k|v|out)_lora\.(down|up)\.weight$")
_OUT = {"unet": "to_out.0", "text_encoder": "out_proj"}
_UNREAD = ("use_dora", "lora_bias", "fan_in_fan_out")
"""Settings of peft by which the weights follow from the file in another way."""


@dataclass
class Layer:
    """A layer that a LoRA changes.

    Attributes
    ----------
    part : str
        A key of the pipeline: `PARTS`.
    module : str
        Name of the layer in it.
    names : dict of str to str
        Names of the tensors ``down`` and ``up``, perhaps of ``alpha``, in the file.
    """

    part: str
    module: str
    names: dict[str, str] = field(default_factory=dict)


def read_layers(file: Path) -> list[Layer]:
    """Read which layers a file changes, from the names in its header.

    Parameters
    ----------
    file : Path
        Safetensors.

    Returns
    -------
    list of Layer

    Raises
    ------
    InputError
        If it is no LoRA as diffusers writes it; the first unknown name is told.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such file; give a LoRA that diffusers wrote (.safetensors)")
    if file.suffix != ".safetensors":
        raise InputError(
            f"{file}: only safetensors are read, since others could run code; load it once with diffusers "
            "and call save_lora_weights(folder, safe_serialization=True)"
        )
    with _opened(file) as tensors:
        names = sorted(tensors.keys())
    layers: dict[tuple[str, str], Layer] = {}
    for name in names:
        part, module, role = _parsed(name, file)
        layer = layers.setdefault((part, module), Layer(part, module))
        if role in layer.names:
            raise InputError(f"{file}: {layer.names[role]} and {name} are one tensor twice; mend the file")
        layer.names[role] = name
    for layer in layers.values():
        for role, other in (("down", "up"), ("up", "down")):
            if role not in layer.names:
                there = layer.names.get(other) or layer.names["alpha"]
                raise InputError(f"{file}: {there} is there without its {role}; the file is not whole")
    if not layers:
        raise InputError(f"{file}: holds no tensors; give a LoRA that diffusers wrote")
    return list(layers.values())


def check_lora(file: Path, pipeline: Path, flag: str = "") -> list[Layer]:
    """See that each layer of a LoRA is in a pipeline, with weights that it fits. Nothing is loaded.

    Parameters
    ----------
    file : Path
    pipeline : Path
        Folder of a StableDiffusionPipeline.
    flag : str
        What gave the file, before its name in messages.

    Returns
    -------
    list of Layer

    Raises
    ------
    InputError
        If the file is none that can be read, or belongs to another model.
    """
    try:
        return _checked(file, pipeline)
    except InputError as error:
        raise InputError(f"{flag}{error}") from error


def _checked(file: Path, pipeline: Path) -> list[Layer]:
    layers = read_layers(file)
    _settings(file)
    with _opened(file) as tensors:
        shapes = {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    for part in PARTS:
        mine = [layer for layer in layers if layer.part == part]
        if not mine:
            continue
        if not (pipeline / part).is_dir():
            raise InputError(f"{file}: changes the {part}, and {pipeline} has none; it is of another model")
        weights = _shapes(find_weights(pipeline / part, NETWORKS[part]))
        for layer in mine:
            _check_layer(file, layer, shapes, weights)
    return layers


def merge_lora(file: Path, pipeline: Path, *, scale: float = 1.0) -> dict[str, Any]:
    """Add a LoRA to the weights of a pipeline folder, in place.

    Parameters
    ----------
    file : Path
    pipeline : Path
        Folder of a StableDiffusionPipeline, each network's weights in one file.
    scale : float
        Of all layers, beside each layer's own alpha / rank.

    Returns
    -------
    dict
        For the run record: `file`, `sha256`, `layers` by part, `ranks`, `scale`.

    Raises
    ------
    InputError
        As for `check_lora`.
    """
    from safetensors.torch import load_file, save_file

    layers, settings = check_lora(file, pipeline), _settings(file)
    small, ranks = load_file(file), set()
    for part in PARTS:
        mine = [layer for layer in layers if layer.part == part]
        if not mine:
            continue
        path = pipeline / part / NETWORKS[part]
        weights = load_file(path)
        for layer in mine:
            name = _weight(layer, weights)
            assert name is not None  # as was checked
            down, up = (small[layer.names[role]].double().flatten(1) for role in ("down", "up"))
            ranks.add(len(down))
            factor = scale * _factor(layer, len(down), small, settings)
            whole = weights[name]
            change = (factor * (up @ down)).reshape(whole.shape)
            weights[name] = (whole.double() + change).to(whole.dtype)
        save_file(weights, path, metadata={"format": "pt"})
    counts = {part: sum(layer.part == part for layer in layers) for part in PARTS}
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    said = {"file": file.name, "sha256": digest, "layers": counts}
    return said | {"ranks": sorted(ranks), "scale": scale}


def _opened(file: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(file, framework="np")
    except (SafetensorError, OSError) as error:
        raise InputError(f"{file}: is damaged ({in_short(error)}); fetch it anew") from error


def _parsed(name: str, file: Path) -> tuple[str, str, str]:
    """Part, layer and role of a tensor's name."""
    part, _, rest = name.partition(".")
    if part not in PARTS:
        part, rest = "unet", name  # attention processors were once saved without a prefix
    rest = rest.replace(".processor.", ".")
    if found := _PROCESSOR.search(rest):
        which, role = found.groups()
        own = f"to_{which}" if part == "unet" else f"{which}_proj"
        return part, f"{rest[: found.start()]}.{_OUT[part] if which == 'out' else own}", role
    for ending, role in _ENDINGS.items():
        if rest.endswith(ending):
            return part, rest.removesuffix(ending), role
    kohya = "; it is a file of kohya's scripts" if name.startswith("lora_") else ""
    raise InputError(
        f"{file}: {name} is no name that is known here{kohya}; load it once with diffusers and call "
        "save_lora_weights"
    )


def _shapes(files: list[Path]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for file in files:
        with _opened(file) as tensors:
            found |= {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    return found


def _weight(layer: Layer, weights: Any) -> str | None:
    """Name of the layer's weights; the text encoder's are saved with a prefix or without."""
    bare = layer.module.removeprefix("text_model.")
    names = [layer.module, bare, f"text_model.{bare}"] if layer.part == "text_encoder" else [layer.module]
    return next((f"{name}.weight" for name in names if f"{name}.weight" in weights), None)


def _check_layer(
    file: Path,
    layer: Layer,
    shapes: dict[str, tuple[int, ...]],
    weights: dict[str, tuple[int, ...]],
) -> None:
    name, down, up = _weight(layer, weights), shapes[layer.names["down"]], shapes[layer.names["up"]]
    if name is None:
        raise InputError(
            f"{file}: {layer.names['down']} belongs to a layer that the model's {layer.part} has not; it is "
            "a LoRA of another model"
        )
    whole = weights[name]
    fits = (
        len(down) >= 2
        and down[0] == up[1]
        and up[0] == whole[0]
        and _size(up[2:]) == 1
        and _size(down[1:]) == _size(whole[1:])
    )
    if not fits:
        raise InputError(
            f"{file}: {layer.names['down']} is {down} and its up {up}, the layer's weights are {whole}; it "
            "is a LoRA of another model"
        )


def _size(shape: tuple[int, ...]) -> int:
    product = 1
    for length in shape:
        product *= length
    return product


def _settings(file: Path) -> dict[str, Any]:
    """Peft's settings of each part, as ``unet.lora_alpha``; empty where the file has none."""
    with _opened(file) as tensors:
        text = (tensors.metadata() or {}).get(METADATA)
    if not text:
        return {}
    try:
        settings = json.loads(text)
    except ValueError as error:
        raise InputError(f"{file}: its {METADATA} are no JSON ({error}); save it anew") from error
    for part in PARTS:
        for key in _UNREAD:
            if settings.get(f"{part}.{key}"):
                raise InputError(
                    f"{file}: was made with {key}, which is not merged here; merge it with peft "
                    "(pipeline.fuse_lora) and give the pipeline that save_pretrained writes"
                )
    return dict(settings)


def _factor(layer: Layer, rank: int, tensors: Any, settings: dict[str, Any]) -> float:
    """Alpha / rank: alpha of the layer, else of peft's settings, else the rank, as diffusers takes it."""
    if "alpha" in layer.names:
        return float(tensors[layer.names["alpha"]]) / rank
    alpha = settings.get(f"{layer.part}.lora_alpha", rank)
    for pattern, value in (settings.get(f"{layer.part}.alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", layer.module):
            alpha = value
            break
    root = settings.get(f"{layer.part}.use_rslora")
    return float(alpha) / (rank**0.5 if root else rank)
