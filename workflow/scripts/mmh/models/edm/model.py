"""Model folders of MLPs with EDM preconditioning: `model.json` and `weights.safetensors`."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.io.model_folder import check_weights, read_json, refuse
from mmh.models.edm import sampling
from mmh.models.edm.network import EdmNetwork

CLASS = "EdmNetwork"
Report = Callable[..., None]


@dataclass
class EdmModel:
    """An MLP with EDM preconditioning; `sample` takes the arguments of `sampling.sample`."""

    network: EdmNetwork
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
        return sampling.sample(
            self.network, ids, seed=seed, steps=steps, batch_size=batch_size, progress=progress
        )

    def latents(self, ids: Sequence[int] | np.ndarray, *, seed: int) -> dict[str, np.ndarray]:
        """Nothing but noise defines a point."""
        return {}


def load_folder(path: Path, *, device: str = "cpu") -> EdmModel:
    """Load what `save` wrote.

    Parameters
    ----------
    path : Path
        With `model.json` and `weights.safetensors`.
    device : str
        Where the network is put.

    Returns
    -------
    EdmModel
        In evaluation mode.

    Raises
    ------
    InputError
        If a file is missing, damaged or does not fit the other; it names the file and what to do.
    """
    description = read_json(path / "model.json")
    if description.get("class") != CLASS:
        refuse(path / "model.json", f"names the class {description.get('class')!r}; {CLASS!r} can be loaded")
    weights = path / "weights.safetensors"
    check_weights(weights)
    try:
        network = EdmNetwork(**description["options"])
    except (KeyError, TypeError) as error:
        refuse(path / "model.json", f"lacks or misspells an option ({error})", error)
    try:
        network.load_state_dict(load_file(weights))
    except RuntimeError as error:
        refuse(weights, "does not fit model.json: other tensors or shapes", error)
    return EdmModel(network.eval().to(device))


def save(path: Path, network: EdmNetwork) -> None:
    """Save an MLP.

    Parameters
    ----------
    path : Path
        Folder to write, made if it does not exist; gets `model.json` and `weights.safetensors`.
    network : EdmNetwork
        The network.
    """
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    save_file(network.state_dict(), path / "weights.safetensors")
    description = {"class": CLASS, "options": network.config}
    (path / "model.json").write_text(json.dumps(description, indent=2) + "\n")
