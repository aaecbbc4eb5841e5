"""Model folders of GANs: `model.json` and `weights.safetensors` of a StyleGAN2 generator.

A generator maps a latent vector z to an image in one pass. It has no score, so LID is read from its Jacobian
(`mmh.lid.jacobian`).
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from mmh.compute import rng
from mmh.compute.rows import aligned_blocks
from mmh.errors import InputError
from mmh.io.model_folder import refuse
from mmh.models.stylegan.generator import Generator

CLASS = "StyleGan2Generator"
Report = Callable[..., None]


@dataclass
class GeneratorModel:
    """A generator in evaluation mode; ``model(z, c)`` is the map that `jacobian_spectrum` takes.

    Parameters
    ----------
    network : Generator
        The averaged generator.
    source : dict
        Where its weights come from, JSON values; kept in the model folder.
    """

    network: Generator
    source: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.network.eval().requires_grad_(False)

    @property
    def classes(self) -> int | None:
        """Number of classes, if the generator has any."""
        return self.network.config["c_dim"] or None

    def __call__(self, z: torch.Tensor, c: torch.Tensor | None = None) -> torch.Tensor:
        """Draw images at truncation 1 with the stored noise.

        Parameters
        ----------
        z : (n, z_dim)
            Latents, in the dtype of the weights and on their device.
        c : (n,) int64, optional
            Class ids, if the generator has classes.

        Returns
        -------
        (n, C, H, W)
            About [-1, 1], not clipped.

        Raises
        ------
        InputError
            If classes are missing, superfluous or out of range.
        """
        return self.network(z, self._one_hot(c))

    def latents(self, ids: Sequence[int] | np.ndarray, *, seed: int) -> dict[str, np.ndarray]:
        """Draw what makes each sample.

        Parameters
        ----------
        ids : (n,) int
            Which samples, in any order.
        seed : int
            Root seed; a latent depends on (seed, id) alone.

        Returns
        -------
        dict
            ``z`` float32 (n, z_dim), standard normal; ``class`` int64 (n,), the id modulo the number of
            classes, so that all are equally frequent; absent if there are none.
        """
        ids = np.asarray(ids, dtype=np.int64)
        config = self.network.config
        drawn = {"z": rng.normal(seed, "initial-noise", ids, (config["z_dim"],)).numpy()}
        return drawn | ({"class": ids % config["c_dim"]} if config["c_dim"] else {})

    @torch.no_grad()
    def sample(
        self,
        ids: Sequence[int] | np.ndarray,
        *,
        seed: int,
        batch_size: int = 100,
        truncation: float = 1.0,
        noise: str = "const",
        progress: Report | None = None,
    ) -> np.ndarray:
        """Draw images; an image's bytes depend on (seed, id) alone, however the ids are cut into calls.

        Parameters
        ----------
        ids : (n,) int
            Which images, in any order.
        seed : int
            Root seed of latents and of random noise.
        batch_size : int
            Images computed at once; part of the recipe, since another one may change the last bits.
        truncation : float
            psi of the truncation trick; 1: none.
        noise : {"const", "none", "random"}
            Noise inputs; only "const" and "none" make the deterministic map whose Jacobian is taken.
        progress : callable, optional
            Called as ``progress(done)`` with the number of finished images.

        Returns
        -------
        (n, C, H, W) float32
            Images, about [-1, 1]. They are not clipped, since clipping would flatten the manifold that LID is
            measured on; rows in the order of `ids`.
        """
        ids = np.asarray(ids, dtype=np.int64)
        config, weight = self.network.config, self.network.mapping.w_avg
        drawn = self.latents(ids, seed=seed)
        side = config["resolution"]
        out = np.empty((len(ids), config["channels"], side, side), dtype=np.float32)
        done = 0
        for rows, places in aligned_blocks(ids, batch_size):
            z = torch.zeros(batch_size, config["z_dim"])
            z[places] = torch.from_numpy(drawn["z"][rows])
            c = None
            if config["c_dim"]:
                c = torch.zeros(batch_size, dtype=torch.int64)
                c[places] = torch.from_numpy(drawn["class"][rows])
            x = self.network(
                z.to(weight),
                None if c is None else self._one_hot(c.to(weight.device)),
                truncation=truncation,
                noise=noise,
                noise_seed=seed,
                noise_ids=ids[rows[0]] // batch_size * batch_size + np.arange(batch_size),
            )
            out[rows] = x.float().cpu().numpy()[places]
            done += len(rows)
            if progress is not None:
                progress(done)
        return out

    def attention(self) -> str:
        """A StyleGAN2 generator has no attention."""
        return "none"

    def score_model(self) -> NoReturn:
        """Refuse: a GAN has no score."""
        raise InputError(
            "a GAN has no score, so FLIPD and the normal bundle do not apply; use an estimator with the "
            'method "jacobian"'
        )

    def save(self, folder: Path) -> None:
        """Write the model folder.

        Parameters
        ----------
        folder : Path
            Made if it does not exist; gets `weights.safetensors` and `model.json` (class, options, source).
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: tensor.contiguous() for name, tensor in self.network.state_dict().items()}
        save_file(tensors, folder / "weights.safetensors")
        description = {"class": CLASS, "options": self.network.config, "source": self.source}
        (folder / "model.json").write_text(json.dumps(description, indent=2, allow_nan=False) + "\n")

    def _one_hot(self, c: torch.Tensor | None) -> torch.Tensor | None:
        count, weight = self.network.config["c_dim"], self.network.mapping.w_avg
        if c is None or not count:
            if count or c is not None:
                raise InputError(f"the generator has {count} classes, but class ids are {_given(c)}")
            return None
        if c.ndim != 1 or c.is_floating_point() or (len(c) and not 0 <= int(c.min()) <= int(c.max()) < count):
            raise InputError(f"class ids must be (n,) integers in 0..{count - 1}, got {_given(c)}")
        return torch.eye(count, dtype=weight.dtype, device=weight.device)[c]


def _given(c: torch.Tensor | None) -> str:
    return "not given" if c is None else f"given ({c.dtype} {tuple(c.shape)})"


def build(options: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Generator:
    """Make a generator that holds the given tensors themselves; nothing is drawn at random.

    Parameters
    ----------
    options : dict
        Keywords of `Generator`.
    tensors : dict
        Its whole state dict, float32 on the CPU.

    Returns
    -------
    Generator

    Raises
    ------
    InputError
        If options are out of range, or names, shapes or types differ; the first one is named.
    """
    network = untrained(options)
    for problem in misfits(network, tensors):
        raise InputError(problem)
    network.load_state_dict(tensors, strict=True, assign=True)
    return network


def untrained(options: dict[str, Any]) -> Generator:
    """Make a generator of shapes without numbers; arguments and errors as for `build`."""
    try:
        with torch.device("meta"):
            return Generator(**options)
    except (TypeError, RuntimeError) as error:
        raise InputError(f"the options make no generator ({str(error).splitlines()[0]})") from error


def misfits(network: Generator, tensors: dict[str, torch.Tensor]) -> Iterator[str]:
    """Say what keeps `tensors` from being the state dict of `network`, one line each."""
    expected = network.state_dict()
    for name, wanted in expected.items():
        if name not in tensors:
            yield f"lacks the tensor {name} {tuple(wanted.shape)}"
        elif (found := tensors[name]).shape != wanted.shape:
            yield f"tensor {name} has shape {tuple(found.shape)}, the options ask for {tuple(wanted.shape)}"
        elif found.dtype != wanted.dtype:
            yield f"tensor {name} is {found.dtype}, expected {wanted.dtype}"
    for name in tensors:
        if name not in expected:
            yield f"holds a tensor {name!r}, unlike a generator of these options"


def load_folder(folder: Path, device: str = "cpu") -> GeneratorModel:
    """Load a model folder that `GeneratorModel.save` wrote.

    Parameters
    ----------
    folder : Path
        With `model.json` and `weights.safetensors`.
    device : str
        Where the network is put.

    Returns
    -------
    GeneratorModel

    Raises
    ------
    InputError
        If a file is missing, damaged or does not fit the other; it names the file and what to do.
    """
    folder = Path(folder)
    try:
        description = json.loads((folder / "model.json").read_text())
        given, options, source = (description[key] for key in ("class", "options", "source"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        refuse(folder / "model.json", f"describes no generator ({type(error).__name__}: {error})", error)
    if given != CLASS or not isinstance(options, dict):
        refuse(folder / "model.json", f"names the class {given!r}; {CLASS!r} can be loaded")
    weights = folder / "weights.safetensors"
    try:
        tensors = load_file(weights)
    except (SafetensorError, OSError) as error:
        refuse(weights, f"is missing or damaged ({error})", error)
    try:
        network = build(options, tensors)
    except InputError as error:
        refuse(weights, f"does not fit model.json: {error}", error)
    return GeneratorModel(network.to(device), source)
