"""Model folders of diffusers UNets, which `DDPMPipeline.from_pretrained` loads as well."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmh.diffusion.score_model import ScoreModel
from mmh.errors import in_short
from mmh.io.model_folder import check_weights, read_json, refuse
from mmh.light_diffusers import diffusers, move

Report = Callable[..., None]
FLOWS = ("StableDiffusion3", "Flux")
"""How the classes of pipelines begin that are flows with captions."""


@dataclass
class UNetModel:
    """A diffusers UNet with the scheduler of its training; `sample` is that of `mmh.models.ddpm.sampling`."""

    unet: Any
    scheduler: Any

    @property
    def classes(self) -> int | None:
        """Number of classes of a class-conditional UNet."""
        return self.unet.config.num_class_embeds

    def attention(self) -> str:
        """Name diffusers' attention processors; those named 2_0 let PyTorch choose the kernel."""
        processors = (getattr(module, "processor", None) for module in self.unet.modules())
        return ", ".join(sorted({type(one).__name__ for one in processors if one is not None})) or "none"

    def score_model(self) -> ScoreModel:
        """Return the noise predictor with its schedule."""
        return ScoreModel.from_diffusers(self.unet, self.scheduler)

    def sample(
        self,
        ids: Sequence[int] | np.ndarray,
        *,
        seed: int,
        steps: int = 50,
        batch_size: int = 100,
        progress: Report | None = None,
    ) -> np.ndarray:
        """Draw (n, C, H, W) float32 images with DDIM."""
        from mmh.models.ddpm.sampling import sample

        return sample(
            self.unet,
            self.scheduler,
            ids,
            seed=seed,
            steps=steps,
            batch_size=batch_size,
            classes=self.classes,
            progress=progress,
        )

    def latents(self, ids: Sequence[int] | np.ndarray, *, seed: int) -> dict[str, np.ndarray]:
        """Give the classes of a class-conditional UNet's images."""
        return {"class": np.asarray(ids, dtype=np.int64) % self.classes} if self.classes else {}


def load_folder(path: Path, *, device: str = "cpu") -> UNetModel:
    """Load a diffusers folder of an unconditional or class-conditional UNet.

    Parameters
    ----------
    path : Path
        With `model_index.json`, `unet/` and `scheduler/`.
    device : str
        Where the network is put.

    Returns
    -------
    UNetModel
        In evaluation mode.

    Raises
    ------
    InputError
        If a file is missing, damaged or does not fit the others; it names the file and what to do.
    """
    network, settings = load_network(path)
    if not {"beta_schedule", "num_train_timesteps"} <= set(settings):
        refuse(
            path / "scheduler" / "scheduler_config.json",
            "describes no variance-preserving process (it lacks beta_schedule or num_train_timesteps)",
        )
    try:
        scheduler = diffusers().DDPMScheduler.from_config(settings)
    except Exception as error:
        file = path / "scheduler" / "scheduler_config.json"
        refuse(file, f"describes no DDPM scheduler ({in_short(error)})", error)
    return UNetModel(move(network, device), scheduler)


def load_network(path: Path) -> tuple[Any, dict[str, Any]]:
    """Load the UNet of a diffusers folder, in evaluation mode, and read the settings of its scheduler.

    Parameters
    ----------
    path : Path
        With `model_index.json`, `unet/` and `scheduler/`.

    Returns
    -------
    network : diffusers.UNet2DModel
    settings : dict
        ``scheduler_config.json``.

    Raises
    ------
    InputError
        As `load_folder` does.
    """
    index = read_json(path / "model_index.json")
    entry, pipeline = index.get("unet"), str(index.get("_class_name"))
    if pipeline.startswith(FLOWS):
        refuse(path / "model_index.json", f"is a {pipeline}: flows with captions cannot be loaded yet")
    if not isinstance(entry, list) or entry[-1:] != ["UNet2DModel"]:
        refuse(
            path / "model_index.json", f"names the unet {entry!r}; ['diffusers', 'UNet2DModel'] can be loaded"
        )
    read_json(path / "unet" / "config.json")
    settings = read_json(path / "scheduler" / "scheduler_config.json")
    weights = path / "unet" / "diffusion_pytorch_model.safetensors"
    check_weights(weights)
    try:
        network, loading = diffusers().UNet2DModel.from_pretrained(
            path / "unet", use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    except MemoryError:
        raise
    except Exception as error:  # a value that diffusers doesn't foresee can raise anything
        refuse(weights, f"does not fit unet/config.json ({in_short(error)})", error)
    misfits = sorted({str(key) for keys in loading.values() for key in keys})
    if misfits:
        refuse(weights, f"does not fit unet/config.json: {len(misfits)} tensors differ, first {misfits[0]}")
    return network.eval(), settings


def save(path: Path, network: Any, scheduler: Any, *, pipeline: str = "DDPMPipeline") -> None:
    """Save a diffusers folder that `DDPMPipeline.from_pretrained` loads as well.

    Parameters
    ----------
    path : Path
        Folder to write, made if it does not exist; gets `unet/`, `scheduler/` and `model_index.json`.
    network : diffusers.UNet2DModel
        Its weights are written as safetensors.
    scheduler : diffusers.DDPMScheduler
        The forward process of its training.
    pipeline : str
        What `model_index.json` names as the class of the whole; another one no pipeline of diffusers loads.
    """
    path = Path(path)
    network.save_pretrained(path / "unet", safe_serialization=True)
    scheduler.save_pretrained(path / "scheduler")
    index = {
        "_class_name": pipeline,
        "_diffusers_version": diffusers().__version__,
        "scheduler": ["diffusers", type(scheduler).__name__],
        "unet": ["diffusers", type(network).__name__],
    }
    (path / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
