"""Model folders of improved-diffusion's networks: a diffusers UNet with a process of its own.

Images are RGB and every norm has 32 groups. What a state dict does not show, `Flags` states.
"""

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.io.files import write_json
from mmh.light_diffusers import device_of, diffusers, move
from mmh.models.ddpm.model import save
from mmh.models.improved import sampling
from mmh.models.improved.flags import Flags, regrouped

GROUPS = 32
_LAYOUT: dict[str, Callable[[Any], Any]] = {"size": int, "heads": int, "learned": bool, "scale_shift": bool}
REMEDY = "delete the model folder and run the rule that makes it (convert_model), or copy it anew"
Report = Callable[..., None]
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Architecture:
    """Channels at full size, at half of it, ...; residual blocks at each; whether attention follows each.

    There is one more block at each resolution on the way up, and the middle always has attention. Beside
    them: the side of the images, heads of attention, whether the variance is learned, and whether the time
    scales and shifts features or is added to them.
    """

    widths: tuple[int, ...]
    blocks: int
    attention: tuple[bool, ...]
    size: int = 32
    heads: int = 4
    learned: bool = True
    scale_shift: bool = True

    def options(self) -> dict[str, Any]:
        """Keywords of `diffusers.UNet2DModel`; of what is not named, the default is right."""
        down = ["AttnDownBlock2D" if here else "DownBlock2D" for here in self.attention]
        up = ["AttnUpBlock2D" if here else "UpBlock2D" for here in reversed(self.attention)]
        return {
            "sample_size": self.size,
            "in_channels": 3,
            "out_channels": 6 if self.learned else 3,
            "freq_shift": 0,
            "flip_sin_to_cos": True,
            "block_out_channels": list(self.widths),
            "layers_per_block": self.blocks,
            "down_block_types": down,
            "up_block_types": up,
            "downsample_padding": 1,
            "dropout": 0.3,
            "attention_head_dim": self.widths[-1] // self.heads,
            "norm_num_groups": GROUPS,
            "norm_eps": 1e-5,
            # Without it, scale and shift would silently cost the middle attention its norm.
            "attn_norm_num_groups": GROUPS,
            "resnet_time_scale_shift": "scale_shift" if self.scale_shift else "default",
        }


@dataclass
class IddpmModel:
    """A UNet with its process; the first three channels of its output are the noise."""

    unet: Any
    architecture: Architecture
    sha256: str
    flags: Flags = field(default_factory=Flags)
    classes: None = None
    few_steps: ClassVar[Mapping[str, str]] = {"sampler": "ddim", "respacing": "20"}

    @property
    def schedule(self) -> Schedule:
        """Noise levels of the process."""
        return self.flags.schedule()

    @property
    def time_scale(self) -> float:
        """Factor on the level, as the network's time."""
        return self.flags.time_scale

    def attention(self) -> str:
        """Name diffusers' attention processors; those named 2_0 let PyTorch choose the kernel."""
        processors = (getattr(module, "processor", None) for module in self.unet.modules())
        return ", ".join(sorted({type(one).__name__ for one in processors if one is not None}))

    def score_model(self) -> ScoreModel:
        """Return the noise predictor with its schedule: the first three of the six outputs."""
        return self._score(self.unet, self.flags)

    def others(self) -> Iterator[tuple[str, ScoreModel]]:
        """Give the scores that other flags would make of the same tensors, each with what to declare."""
        law = "linear" if self.flags.noise_schedule == "cosine" else "cosine"
        changes: list[dict[str, Any]] = [{"noise_schedule": law}]
        if self.flags.diffusion_steps != 1000:
            again = not self.flags.rescale_timesteps
            changes += [{"rescale_timesteps": again}, {"noise_schedule": law, "rescale_timesteps": again}]
        for change in changes:
            said = ", ".join(f"{key}: {str(value).lower()}" for key, value in change.items())
            yield said, self._score(self.unet, replace(self.flags, **change))
        for heads in (1, 2, 4, 8):
            if heads != self.architecture.heads and self.architecture.widths[-1] % heads == 0:
                unet = _of_heads(self.unet, self.architecture.heads, heads)
                yield f"num_heads: {heads}", self._score(unet, self.flags)

    def _score(self, unet: Any, flags: Flags) -> ScoreModel:
        scheduler = diffusers().DDPMScheduler(**flags.scheduler())
        return ScoreModel.from_diffusers(
            unet, scheduler, time_scale=flags.time_scale, schedule=flags.schedule()
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
        """Draw (n, 3, H, W) float32 images in [-1, 1]; arguments as for `sampling.sample`."""
        self.unet.eval()

        def call(x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
            return self.unet(x.to(self.unet.dtype), timestep=time, return_dict=False)[0]

        return sampling.sample(
            call,
            ids,
            seed=seed,
            shape=(3, self.architecture.size, self.architecture.size),
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
        save(folder, self.unet, diffusers().DDPMScheduler(**self.flags.scheduler()))
        process = {
            "kind": "iddpm",
            "flags": asdict(self.flags),
            "architecture": asdict(self.architecture),
            "sha256": self.sha256,
        }
        write_json(folder / "process.json", process)


def load_folder(folder: Path, *, device: str = "cpu") -> IddpmModel:
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
    file = Path(folder) / "process.json"
    stated = _read_json(file)
    if stated.get("kind") != "iddpm":
        _refuse_folder(file, f"is of the kind {stated.get('kind')!r}; 'iddpm' can be loaded")
    try:
        layout = stated["architecture"]
        widths, attention = tuple(map(int, layout["widths"])), tuple(map(bool, layout["attention"]))
        rest = {key: kind(layout[key]) for key, kind in _LAYOUT.items()}
        architecture = Architecture(widths, int(layout["blocks"]), attention, **rest)
        flags, digest = Flags(**stated["flags"]), str(stated["sha256"])
        network, _ = untrained(architecture), flags.schedule()
    except (KeyError, TypeError, ValueError, IndexError) as error:
        _refuse_folder(file, f"lacks an entry or holds a wrong one ({type(error).__name__}: {error})")
    file = file.with_name("unet") / "config.json"
    found = _read_json(file)
    for key, value in json.loads(network.to_json_string()).items():
        if not key.startswith("_") and found.get(key) != value:
            _refuse_folder(file, f"has {key} {found.get(key)!r} where process.json needs {value!r}")
    file = file.with_name("diffusion_pytorch_model.safetensors")
    try:
        tensors = load_file(file)
    except (OSError, SafetensorError) as error:
        _refuse_folder(file, "is missing" if not file.is_file() else f"is damaged ({error})")
    check_tensors(file, tensors, shapes(network), REMEDY)
    return IddpmModel(move(filled(network, tensors), device), architecture, digest, flags)


def untrained(architecture: Architecture) -> Any:
    """Make the network of shapes without numbers."""
    with torch.device("meta"):  # neither memory nor initial weights
        return diffusers().UNet2DModel(**architecture.options())


def _of_heads(network: Any, given: int, wanted: int) -> Any:
    """Copy a network and cut its attention by another number of heads."""
    other = copy.deepcopy(network)
    for module in other.modules():
        if not hasattr(module, "to_q"):
            continue
        projections = {"to_q": module.to_q, "to_k": module.to_k, "to_v": module.to_v}
        for thirds in (
            {key: one.weight for key, one in projections.items()},
            {key: one.bias for key, one in projections.items()},
        ):
            arrays = {key: value.detach().cpu().numpy() for key, value in thirds.items()}
            for key, rows in regrouped(arrays, given, wanted).items():
                thirds[key].data = torch.from_numpy(rows.copy()).to(thirds[key])
        width = module.to_q.weight.shape[0]
        module.heads, module.scale = wanted, (width // wanted) ** -0.5
    return other


def shapes(network: Any) -> dict[str, tuple[int, ...]]:
    """Give the shape of every tensor by name."""
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def filled(network: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    """Give the network all its tensors, in evaluation mode."""
    # Copies, since tensors that share memory could not be saved as safetensors.
    own = {k: v.detach().clone(memory_format=torch.contiguous_format) for k, v in tensors.items()}
    network.load_state_dict(own, strict=True, assign=True)
    return network.eval()


def check_tensors(file: Path, tensors: Mapping[str, torch.Tensor], expected: Shapes, remedy: str) -> None:
    """Refuse tensors that are missing, misshapen, of another type, not finite, or left over."""

    def refuse(what: str) -> NoReturn:
        raise InputError(f"{file} {what}; {remedy}")

    for name, shape in expected.items():
        if name not in tensors:
            refuse(f"lacks the tensor {name} of shape {shape}")
        value = tensors[name]
        if tuple(value.shape) != shape:
            refuse(f"has {name} of shape {tuple(value.shape)}, expected {shape}")
        if value.dtype != torch.float32 or value.layout != torch.strided or value.is_meta:
            refuse(f"has {name} in {value.dtype}, expected dense torch.float32")
        if not value.isfinite().all():
            refuse(f"has {name} with numbers that are not finite")
    for name in tensors:
        if name not in expected:
            refuse(f"holds the tensor {name}, which this kind of network does not have")


def _read_json(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        _refuse_folder(file, "is missing" if not file.exists() else f"is no JSON object ({error})")


def _refuse_folder(file: Path, what: str) -> NoReturn:
    raise InputError(f"{file} {what}; {REMEDY}")
