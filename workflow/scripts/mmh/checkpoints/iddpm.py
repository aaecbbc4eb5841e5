"""OpenAI's improved-diffusion network for CIFAR-10, from its published state dict, as a diffusers UNet.

The layout is inferred from names and shapes, so that narrower networks of the same kind load as well. What
cannot be seen in a state dict is fixed: 32 x 32 RGB images, four heads, 32 groups in every norm, scale and
shift by the time, learned variance, 4000 levels of the cosine schedule.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from mmh.diffusion.score_model import Schedule, ScoreModel
from mmh.errors import InputError
from mmh.io.files import write_json
from mmh.io.saving import save_unet
from mmh.light_diffusers import device_of, diffusers, move
from mmh.models import iddpm_process

HEADS, GROUPS, SIDE = 4, 32, 32
Report = Callable[..., None]
Shapes = Mapping[str, tuple[int, ...]]

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


@dataclass(frozen=True)
class Architecture:
    """Channels at 32 x 32, 16 x 16, ...; residual blocks at each; whether attention follows each of those.

    There is one more block at each resolution on the way up, and the middle always has attention.
    """

    widths: tuple[int, ...]
    blocks: int
    attention: tuple[bool, ...]

    def options(self) -> dict[str, Any]:
        """Keywords of `diffusers.UNet2DModel`; of what is not named, the default is right."""
        down = ["AttnDownBlock2D" if here else "DownBlock2D" for here in self.attention]
        up = ["AttnUpBlock2D" if here else "UpBlock2D" for here in reversed(self.attention)]
        return {
            "sample_size": SIDE,
            "in_channels": 3,
            "out_channels": 6,
            "freq_shift": 0,
            "flip_sin_to_cos": True,
            "block_out_channels": list(self.widths),
            "layers_per_block": self.blocks,
            "down_block_types": down,
            "up_block_types": up,
            "downsample_padding": 1,
            "dropout": 0.3,
            "attention_head_dim": self.widths[-1] // HEADS,
            "norm_num_groups": GROUPS,
            "norm_eps": 1e-5,
            # Without it, scale and shift would silently cost the middle attention its norm.
            "attn_norm_num_groups": GROUPS,
            "resnet_time_scale_shift": "scale_shift",
        }

    def modules(self) -> dict[str, str]:
        """Names of blocks, diffusers -> source; within a block see `_source`."""
        per_level, last = self.blocks + 1, len(self.widths) - 1
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
                place = 2 if self.attention[last - level] else 1
                names[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{n - 1}.{place}.conv"
        return names


@dataclass
class IddpmModel:
    """A UNet of six output channels with its process; its time input is the level times `time_scale`."""

    unet: Any
    architecture: Architecture
    sha256: str
    schedule: Schedule = field(default_factory=lambda: Schedule.cosine(iddpm_process.STEPS))
    time_scale: float = iddpm_process.TIME_SCALE
    classes: None = None

    def attention(self) -> str:
        """Name diffusers' attention processors; those named 2_0 let PyTorch choose the kernel."""
        processors = (getattr(module, "processor", None) for module in self.unet.modules())
        return ", ".join(sorted({type(one).__name__ for one in processors if one is not None}))

    def score_model(self) -> ScoreModel:
        """Return the noise predictor with its schedule: the first three of the six outputs."""
        return ScoreModel.from_diffusers(
            self.unet, self._scheduler(), time_scale=self.time_scale, schedule=self.schedule
        )

    def sample(
        self,
        ids: Sequence[int] | np.ndarray,
        *,
        seed: int,
        batch_size: int = 100,
        sampler: str = "ancestral",
        respacing: str = "250",
        eta: float = 0.0,
        progress: Report | None = None,
    ) -> np.ndarray:
        """Draw (n, 3, 32, 32) float32 images in [-1, 1]; arguments as for `iddpm_process.sample`."""
        self.unet.eval()

        def call(x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
            return self.unet(x.to(self.unet.dtype), timestep=time, return_dict=False)[0]

        return iddpm_process.sample(
            call,
            ids,
            seed=seed,
            shape=(3, SIDE, SIDE),
            batch_size=batch_size,
            respacing=respacing,
            sampler=sampler,
            eta=eta,
            schedule=self.schedule,
            time_scale=self.time_scale,
            progress=progress,
            device=device_of(self.unet),
        )

    def latents(self, ids: Sequence[int] | np.ndarray, *, seed: int) -> dict[str, np.ndarray]:
        """Return nothing: a sample is not a function of one vector of lower dimension."""
        return {}

    def save(self, folder: Path) -> None:
        """Write a diffusers folder with `process.json` beside, which `load_folder` reads.

        diffusers' own pipeline reads it too, but does not scale the network's time.
        """
        folder = Path(folder)
        save_unet(folder, self.unet, self._scheduler())
        process = {
            "kind": "iddpm",
            "schedule": self.schedule.to_dict(),
            "time_scale": self.time_scale,
            "architecture": asdict(self.architecture),
            "sha256": self.sha256,
        }
        write_json(folder / "process.json", process)

    def _scheduler(self) -> Any:
        """Describe the process to diffusers, as far as that goes: its tables are float32."""
        return diffusers().DDPMScheduler(
            iddpm_process.STEPS, beta_schedule="squaredcos_cap_v2", variance_type="learned_range"
        )


def load_iddpm(path: Path, *, sha256: str | None = None) -> IddpmModel:
    """Load a checkpoint of improved-diffusion; nothing that it may contain is run.

    Parameters
    ----------
    path : Path
        A flat state dict written by `torch.save`: 446 float32 tensors in the published one.
    sha256 : str, optional
        Refuse any other file; the checkpoints of both losses have the same shapes.

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
    architecture = _infer(path, {name: tuple(value.shape) for name, value in source.items()})
    network = _empty(architecture)
    shapes, modules = _shapes(network), architecture.modules()
    routes = {key: _source(key, modules) for key in shapes}
    expected: dict[str, tuple[int, ...]] = {}
    for key, (name, third) in routes.items():
        rows, *rest = shapes[key]
        # Attention was written with convolutions of length 1, hence one more axis.
        extra = (1,) if name.endswith((".qkv.weight", ".proj_out.weight")) else ()
        expected[name] = (rows if third is None else 3 * rows, *rest, *extra)
    _compare(path, source, expected)
    tensors = {key: _third(source[name], k).reshape(shapes[key]) for key, (name, k) in routes.items()}
    return IddpmModel(_fill(network, tensors), architecture, digest)


def load_folder(folder: Path, device: str = "cpu") -> IddpmModel:
    """Load what `IddpmModel.save` wrote.

    Parameters
    ----------
    folder : Path
        With `process.json`, `unet/config.json` and `unet/diffusion_pytorch_model.safetensors`.
    device : str
        Where the network is put.

    Returns
    -------
    IddpmModel
        With bit-equal parameters.

    Raises
    ------
    InputError
        If a file is missing, damaged or does not fit the others; it names the file and what to do.
    """
    remedy = "delete the model folder and run the rule that makes it (convert_iddpm), or copy it anew"
    file = Path(folder) / "process.json"
    process = _read_json(file, remedy)
    if process.get("kind") != "iddpm":
        _refuse(file, f"is of the kind {process.get('kind')!r}; 'iddpm' can be loaded", remedy)
    try:
        stated = process["architecture"]
        widths, attention = tuple(map(int, stated["widths"])), tuple(map(bool, stated["attention"]))
        architecture = Architecture(widths, int(stated["blocks"]), attention)
        schedule = Schedule.from_dict(process["schedule"])
        time_scale, digest = float(process["time_scale"]), str(process["sha256"])
        network = _empty(architecture)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        _refuse(file, f"lacks an entry or holds a wrong one ({type(error).__name__}: {error})", remedy)
    file = file.with_name("unet") / "config.json"
    found = _read_json(file, remedy)
    for key, value in json.loads(network.to_json_string()).items():
        if not key.startswith("_") and found.get(key) != value:
            _refuse(file, f"has {key} {found.get(key)!r} where process.json needs {value!r}", remedy)
    file = file.with_name("diffusion_pytorch_model.safetensors")
    try:
        tensors = load_file(file)
    except (OSError, SafetensorError) as error:
        _refuse(file, "is missing" if not file.is_file() else f"is damaged ({error})", remedy)
    _compare(file, tensors, _shapes(network), remedy)
    return IddpmModel(move(_fill(network, tensors), device), architecture, digest, schedule, time_scale)


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


def _infer(path: Path, shapes: Shapes) -> Architecture:
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
    if SIDE % 2 ** (len(widths) - 1):
        _refuse(path, f"has {len(widths)} levels, up to {block(starts[-1])}: too many for {SIDE} pixels")
    return Architecture(widths, blocks, attention)


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


def _third(tensor: torch.Tensor, third: int | None) -> torch.Tensor:
    """Take query, key or value out of rows that are grouped by head: q, k, v of head 0, then of head 1."""
    if third is None:
        return tensor
    grouped = tensor.reshape(HEADS, 3, len(tensor) // (3 * HEADS), *tensor.shape[1:])
    return grouped[:, third].reshape(len(tensor) // 3, *tensor.shape[1:])


def _empty(architecture: Architecture) -> Any:
    with torch.device("meta"):  # neither memory nor initial weights
        return diffusers().UNet2DModel(**architecture.options())


def _shapes(network: Any) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def _fill(network: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    # Copies, since tensors that share memory could not be saved as safetensors.
    own = {k: v.detach().clone(memory_format=torch.contiguous_format) for k, v in tensors.items()}
    network.load_state_dict(own, strict=True, assign=True)
    return network.eval()


def _compare(
    file: Path, tensors: Mapping[str, torch.Tensor], expected: Shapes, remedy: str | None = None
) -> None:
    """Refuse tensors that are missing, misshapen, of another type, not finite, or left over."""
    for name, shape in expected.items():
        if name not in tensors:
            _refuse(file, f"lacks the tensor {name} of shape {shape}", remedy)
        value = tensors[name]
        if tuple(value.shape) != shape:
            _refuse(file, f"has {name} of shape {tuple(value.shape)}, expected {shape}", remedy)
        if value.dtype != torch.float32 or value.layout != torch.strided or value.is_meta:
            _refuse(file, f"has {name} in {value.dtype}, expected dense torch.float32", remedy)
        if not value.isfinite().all():
            _refuse(file, f"has {name} with numbers that are not finite", remedy)
    for name in tensors:
        if name not in expected:
            _refuse(file, f"holds the tensor {name}, which this kind of network does not have", remedy)


def _read_json(file: Path, remedy: str) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        _refuse(file, "is missing" if not file.exists() else f"is no JSON object ({error})", remedy)


def _refuse(file: Path, what: str, remedy: str | None = None) -> NoReturn:
    expected = (
        "expected is the state dict of an unconditional improved-diffusion network for 32 x 32 images with "
        "learned variance, such as cifar10_uncond_50M_500K.pt: fetch it anew and check its sha256"
    )
    raise InputError(f"{file} {what}; {remedy or expected}")
