"""Write a model folder; apart from what loads models, on which training does not depend."""

import json
from pathlib import Path
from typing import Any

from mmh.light_diffusers import diffusers


def save_unet(path: Path, network: Any, scheduler: Any) -> None:
    """Save a diffusers folder that `DDPMPipeline.from_pretrained` loads as well.

    Parameters
    ----------
    path : Path
        Folder to write, made if it does not exist; gets `unet/`, `scheduler/` and `model_index.json`.
    network : diffusers.UNet2DModel
        Its weights are written as safetensors.
    scheduler : diffusers.DDPMScheduler
        The forward process of its training.
    """
    path = Path(path)
    network.save_pretrained(path / "unet", safe_serialization=True)
    scheduler.save_pretrained(path / "scheduler")
    index = {
        "_class_name": "DDPMPipeline",
        "_diffusers_version": diffusers().__version__,
        "scheduler": ["diffusers", type(scheduler).__name__],
        "unet": ["diffusers", type(network).__name__],
    }
    (path / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")


def save_edm(path: Path, network: Any) -> None:
    """Save an MLP.

    Parameters
    ----------
    path : Path
        Folder to write, made if it does not exist; gets `model.json` and `weights.safetensors`.
    network : EdmNetwork
        The network.
    """
    from safetensors.torch import save_file

    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    save_file(network.state_dict(), path / "weights.safetensors")
    (path / "model.json").write_text(
        json.dumps({"class": "EdmNetwork", "options": network.config}, indent=2) + "\n"
    )
