"""OpenAI's improved-diffusion networks, from their published state dicts, as diffusers UNets.

The layout is inferred from names and shapes, so that other widths and depths load as well; what tensors do
not show is taken from `Flags`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NoReturn

import torch

from mmh.errors import InputError
from mmh.models.improved.flags import Flags, inferred_size
from mmh.models.improved.model import (
    GROUPS,
    Architecture,
    IddpmModel,
    Shapes,
    check_tensors,
    filled,
    shapes,
    untrained,
)

REMEDY = (
    "expected is the state dict of an unconditional improved-diffusion network, such as "
    "cifar10_uncond_50M_500K.pt: fetch it anew and check its sha256"
)

# Names within a block: diffusers -> source.
_INNER = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
    "group_norm": "norm",
    "to_out.0": "proj_out",
}


def load_iddpm(path: Path, *, sha256: str | None = None, flags: Flags | None = None) -> IddpmModel:
    """Load a checkpoint of improved-diffusion; nothing that it may contain is run.

    Parameters
    ----------
    path : Path
        A flat state dict written by `torch.save`: 446 float32 tensors in the published one.
    sha256 : str, optional
        Refuse any other file; the checkpoints of both losses have the same shapes.
    flags : Flags, optional
        What the tensors do not show; by default those of the network for CIFAR-10, at the size that widths
        and attention say.

    Returns
    -------
    IddpmModel
        float32, on the CPU.

    Raises
    ------
    InputError
        If the file is missing, damaged or another one, or a tensor is missing, left over, misshapen, not
        float32 or not finite: it names the first one and what was expected.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        _refuse(path, f"cannot be read ({error.strerror})")
    if sha256 is not None and digest != sha256.lower():
        _refuse(path, f"has the sha256 {digest}, expected {sha256}")
    source = _read(path)
    flags = flags or Flags()
    architecture = _infer(path, {name: tuple(value.shape) for name, value in source.items()}, flags)
    flags = replace(flags, image_size=architecture.size)
    network = untrained(architecture)
    wanted, modules = shapes(network), _modules(architecture)
    routes = {key: _source(key, modules) for key in wanted}
    expected: dict[str, tuple[int, ...]] = {}
    for key, (name, third) in routes.items():
        rows, *rest = wanted[key]
        # Attention was written with convolutions of length 1, hence one more axis.
        extra = (1,) if name.endswith((".qkv.weight", ".proj_out.weight")) else ()
        expected[name] = (rows if third is None else 3 * rows, *rest, *extra)
    check_tensors(path, source, expected, REMEDY)
    tensors = {
        key: _third(source[name], k, flags.num_heads).reshape(wanted[key])
        for key, (name, k) in routes.items()
    }
    return IddpmModel(filled(network, tensors), architecture, digest, flags)


def convert(checkpoint: Path, folder: Path, options: Any) -> dict[str, Any]:
    """Convert a checkpoint to a model folder and say what was found; see `Kind.maker`."""
    stated = options.model_dump(include=set(Flags.__dataclass_fields__))
    network = load_iddpm(checkpoint, flags=Flags(**stated))
    network.save(folder)
    layout = network.architecture
    why = "declared" if stated["image_size"] else inferred_size(layout.widths, layout.attention)[1]
    return {
        "sha256": network.sha256,
        "architecture": asdict(network.architecture),
        "parameters": sum(p.numel() for p in network.unet.parameters()),
        "attention": network.attention(),
        "assumed": f"{network.flags.said()}; the file does not say, and other flags have the same tensors. "
        f"The size: {why}",
    }


def _read(path: Path) -> dict[str, torch.Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # a damaged or foreign file can raise anything
        _refuse(path, f"is no whole file of plain tensors ({type(error).__name__}), nothing of it was run")
    if not isinstance(content, Mapping):
        _refuse(path, f"holds a {type(content).__name__}, not a state dict")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            _refuse(path, f"holds a {type(value).__name__} under {name!r}: it is no flat state dict")
    return dict(content)


def _infer(path: Path, shapes: Shapes, flags: Flags) -> Architecture:
    """Read the layout off the first block of each level; what deviates elsewhere is found by name later."""

    def width(key: str) -> int:
        shape = shapes.get(key, ())
        if len(shape) != 4 or not shape[0] or shape[0] % GROUPS:
            found = f"has the tensor {key} of shape {shape}" if key in shapes else f"lacks the tensor {key}"
            _refuse(path, f"{found}, expected the shape (width, channels, 3, 3), {GROUPS} dividing the width")
        return shape[0]

    def block(n: int) -> str:
        return f"input_blocks.{n}.0.in_layers.2.weight"

    first, blocks = width("input_blocks.0.0.weight"), 1
    while block(blocks + 1) in shapes:
        blocks += 1
    starts = [1]
    while block(starts[-1] + blocks + 1) in shapes:
        starts.append(starts[-1] + blocks + 1)
    widths = tuple(width(block(n)) for n in starts)
    attention = tuple(f"input_blocks.{n}.1.qkv.weight" in shapes for n in starts)
    if widths[0] != first:
        _refuse(path, f"has the tensor {block(1)} of width {widths[0]}, expected {first} as at the input")
    for n, here, attended in zip(starts, widths, attention, strict=True):
        if attended and here != widths[-1]:
            key = f"input_blocks.{n}.1.qkv.weight"
            _refuse(path, f"has {here} channels in {key}, expected {widths[-1]} as in the middle")
    size = flags.image_size or inferred_size(widths, attention)[0]
    if size % 2 ** (len(widths) - 1):
        _refuse(path, f"has {len(widths)} levels, up to {block(starts[-1])}: too many for {size} pixels")
    if widths[-1] % flags.num_heads:
        _refuse(
            path, f"has {widths[-1]} channels with attention, which {flags.num_heads} heads do not divide"
        )
    # What is neither is found by name later.
    learned = shapes.get("out.2.weight", (6,))[:1] != (3,)
    scale_shift = shapes.get("input_blocks.1.0.emb_layers.1.weight", (2 * first,))[:1] != (first,)
    return Architecture(widths, blocks, attention, size, flags.num_heads, learned, scale_shift)


def _source(key: str, modules: Mapping[str, str]) -> tuple[str, int | None]:
    """Name the source tensor of a diffusers tensor, and which of query, key and value it is."""
    module, leaf = key.rsplit(".", 1)
    if module in modules:
        return f"{modules[module]}.{leaf}", None
    for inner, source in _INNER.items():
        if module.endswith("." + inner):
            return f"{modules[module.removesuffix('.' + inner)]}.{source}.{leaf}", None
    outer, projection = module.rsplit(".", 1)
    return f"{modules[outer]}.qkv.{leaf}", ("to_q", "to_k", "to_v").index(projection)


def _third(tensor: torch.Tensor, third: int | None, heads: int) -> torch.Tensor:
    """Take query, key or value out of rows that are grouped by head: q, k, v of head 0, then of head 1."""
    if third is None:
        return tensor
    grouped = tensor.reshape(heads, 3, len(tensor) // (3 * heads), *tensor.shape[1:])
    return grouped[:, third].reshape(len(tensor) // 3, *tensor.shape[1:])


def _modules(architecture: Architecture) -> dict[str, str]:
    """Names of blocks, diffusers -> source; within a block see `_source`."""
    per_level, last = architecture.blocks + 1, len(architecture.widths) - 1
    names = {
        "conv_in": "input_blocks.0.0",
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "mid_block.resnets.0": "middle_block.0",
        "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
    }
    for level in range(last + 1):
        for j in range(per_level):  # on the way up, level 0 is the smallest; down, its last j is unused
            n = level * per_level + j
            for kind, place in (("resnets", 0), ("attentions", 1)):
                names[f"down_blocks.{level}.{kind}.{j}"] = f"input_blocks.{n + 1}.{place}"
                names[f"up_blocks.{level}.{kind}.{j}"] = f"output_blocks.{n}.{place}"
        if level < last:
            n = (level + 1) * per_level
            names[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{n}.0.op"
            place = 2 if architecture.attention[last - level] else 1
            names[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{n - 1}.{place}.conv"
    return names


def _refuse(file: Path, what: str) -> NoReturn:
    raise InputError(f"{file} {what}; {REMEDY}")
