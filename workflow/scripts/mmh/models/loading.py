"""Model folders: a diffusers pipeline folder, or `model.json` with `weights.safetensors`.

A folder with `process.json` has a sampler and time scale of its own (improved-diffusion).

What comes after a model exists sees only `load_model(path)`, and cannot tell how the model was made.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from mmh.diffusion.score_model import Schedule, ScoreModel
from mmh.errors import InputError
from mmh.light_diffusers import diffusers, move
from mmh.models import edm

Report = Callable[..., None]


class Model(Protocol):
    """What every model folder gives."""

    @property
    def classes(self) -> int | None:
        """Number of classes if the score needs one; item i is drawn from class ``i % classes``."""
        ...

    def attention(self) -> str:
        """Name the attention implementation, for the run record; ``none`` without attention."""
        ...

    def score_model(self) -> ScoreModel:
        """Return the noise predictor with its schedule."""
        ...

    @property
    def sample(self) -> Callable[..., np.ndarray]:
        """``sample(ids, *, seed, batch_size, progress, ...)`` draws one float32 item per id.

        A row depends on (seed, id) alone; what else may be given depends on the kind of model
        (`mmh.config.config_rules.SAMPLING`).
        """
        ...

    def latents(self, ids: Sequence[int] | np.ndarray, *, seed: int) -> dict[str, np.ndarray]:
        """Give what else defines each item, by name: its ``class``, a GAN's ``z``."""
        ...


@dataclass
class UNetModel:
    """A diffusers UNet with the scheduler of its training; `sample` takes the arguments of `unet.sample`."""

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
        from mmh.models import unet

        return unet.sample(
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


@dataclass
class EdmModel:
    """An MLP with EDM preconditioning; `sample` takes the arguments of `edm.sample`."""

    network: edm.EdmNetwork
    classes: int | None = None

    def attention(self) -> str:
        """An MLP has no attention."""
        return "none"

    def score_model(self) -> ScoreModel:
        """Return eps(z, t) = (z - D(z; σ)) / σ with σ(t) = σ_min^(1-t) σ_max^t and psi = 1."""
        config = self.network.config
        schedule = Schedule.edm(config["sigma_min"], config["sigma_max"])
        weight = self.network.frequencies
        self.network.eval().requires_grad_(False)

        def eps(z: torch.Tensor, t: float) -> torch.Tensor:
            return self.network.eps(
                z, torch.full((len(z), 1), schedule.sigma(t), dtype=z.dtype, device=z.device)
            )

        return ScoreModel.from_function(
            eps, (config["dim"],), schedule, dtype=weight.dtype, device=weight.device
        )

    def sample(
        self,
        ids: Sequence[int] | np.ndarray,
        *,
        seed: int,
        steps: int = 60,
        batch_size: int = 500,
        progress: Report | None = None,
    ) -> np.ndarray:
        """Draw (n, dim) float32 points with Heun's method."""
        return edm.sample(self.network, ids, seed=seed, steps=steps, batch_size=batch_size, progress=progress)

    def latents(self, ids: Sequence[int] | np.ndarray, *, seed: int) -> dict[str, np.ndarray]:
        """Nothing but noise defines a point."""
        return {}


def load_model(path: Path, *, device: str = "cpu", **options: Any) -> Model:
    """Load a model folder.

    Parameters
    ----------
    path : Path
        Folder with `model_index.json` (diffusers; with `process.json` improved-diffusion; a
        StableDiffusionPipeline is a `TextToImageModel`) or `model.json` (an MLP, or a GAN's generator).
    device : str
        Where the network is put.
    **options
        Of a text-to-image model alone: see `text_to_image.load_folder`.

    Returns
    -------
    Model
        With `score_model()` and `sample(ids, seed=...)`; in evaluation mode.

    Raises
    ------
    InputError
        If a file is missing, damaged or does not fit the others; it names the file and what to do.
    """
    path = Path(path)
    if (path / "process.json").is_file():
        from mmh.checkpoints import iddpm

        return iddpm.load_folder(path, device=device)
    if (path / "model_index.json").is_file():
        if read_json(path / "model_index.json").get("_class_name") == "StableDiffusionPipeline":
            from mmh.models import text_to_image

            return text_to_image.load_folder(path, device=device, **options)
        return _load_unet(path, device)
    if (path / "model.json").is_file():
        if read_json(path / "model.json").get("class") == "StyleGan2Generator":
            from mmh.models import generator_model

            return generator_model.load_folder(path, device=device)
        return _load_edm(path, device)
    refuse(path, "is no model folder: it has neither model_index.json nor model.json")


def class_score(model: Model, classes: np.ndarray | None) -> ScoreModel:
    """Give the score of a model, of a class-conditional one given each image's class.

    Parameters
    ----------
    model : Model
    classes : (n,) int64 or None
        Classes of the images that will be scored, None if they have none.

    Returns
    -------
    ScoreModel
        Conditioned row by row where the model has classes.

    Raises
    ------
    InputError
        If the model needs classes and the images have none, or other ones.
    """
    score = model.score_model()
    if not model.classes:
        return score
    if classes is None or (len(classes) and not 0 <= classes.min() <= classes.max() < model.classes):
        found = "no class" if classes is None else f"classes {classes.min()}..{classes.max()}"
        raise InputError(
            f"the model is conditional on {model.classes} classes and the images have {found}; give training "
            "images in one sub-folder per class"
        )
    return score.conditioned(classes)


def _load_unet(path: Path, device: str) -> UNetModel:
    index = read_json(path / "model_index.json")
    entry = index.get("unet")
    if not isinstance(entry, list) or entry[-1:] != ["UNet2DModel"]:
        refuse(
            path / "model_index.json", f"names the unet {entry!r}; ['diffusers', 'UNet2DModel'] can be loaded"
        )
    read_json(path / "unet" / "config.json")
    settings = read_json(path / "scheduler" / "scheduler_config.json")
    if not {"beta_schedule", "num_train_timesteps"} <= set(settings):
        refuse(
            path / "scheduler" / "scheduler_config.json",
            "describes no variance-preserving process (it lacks beta_schedule or num_train_timesteps)",
        )
    weights = path / "unet" / "diffusion_pytorch_model.safetensors"
    check_weights(weights)
    try:
        network, loading = diffusers().UNet2DModel.from_pretrained(
            path / "unet", use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        refuse(weights, f"does not fit unet/config.json ({str(error).splitlines()[0]})", error)
    misfits = sorted({str(key) for keys in loading.values() for key in keys})
    if misfits:
        refuse(weights, f"does not fit unet/config.json: {len(misfits)} tensors differ, first {misfits[0]}")
    try:
        scheduler = diffusers().DDPMScheduler.from_config(settings)
    except (ValueError, TypeError, NotImplementedError) as error:
        refuse(path / "scheduler" / "scheduler_config.json", f"describes no DDPM scheduler ({error})", error)
    return UNetModel(move(network.eval(), device), scheduler)


def _load_edm(path: Path, device: str) -> EdmModel:
    description = read_json(path / "model.json")
    if description.get("class") != "EdmNetwork":
        refuse(
            path / "model.json", f"names the class {description.get('class')!r}; 'EdmNetwork' can be loaded"
        )
    weights = path / "weights.safetensors"
    check_weights(weights)
    try:
        network = edm.EdmNetwork(**description["options"])
    except (KeyError, TypeError) as error:
        refuse(path / "model.json", f"lacks or misspells an option ({error})", error)
    try:
        network.load_state_dict(load_file(weights))
    except RuntimeError as error:
        refuse(weights, "does not fit model.json: other tensors or shapes", error)
    return EdmModel(network.eval().to(device))


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object of a model folder.

    Raises
    ------
    InputError
        If the file is missing or holds something else.
    """
    try:
        content = json.loads(file.read_text())
    except FileNotFoundError:
        refuse(file, "is missing")
    except (OSError, ValueError) as error:
        refuse(file, f"cannot be read as JSON ({error})", error)
    if not isinstance(content, dict):
        refuse(file, "should hold a JSON object")
    return content


def check_weights(file: Path) -> None:
    """Read the header of a safetensors file, which states the length that the file must have.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    if not file.is_file():
        refuse(file, "is missing")
    try:
        with safe_open(file, framework="pt"):
            pass
    except (SafetensorError, OSError) as error:
        refuse(file, f"is damaged ({error})", error)


def refuse(file: Path, what: str, cause: Exception | None = None) -> NoReturn:
    """Raise the `InputError` that names a file of a model folder, what is wrong with it and what to do."""
    remedy = "delete the model folder and run the rule that makes it, or copy it anew"
    raise InputError(f"{file} {what}; {remedy}") from cause
