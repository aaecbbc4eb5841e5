"""Whether a network denoises by the process that is stated for it, asked before anything is sampled.

A wrong noise schedule, prediction type or flag leaves a network that runs and gives finite numbers: samples
and dimensions are then silently wrong. The error of its prediction on noised images shows it, as another
statement about the same network then fits better.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from mmh.diffusion.score_model import ScoreModel
    from mmh.models.base import Model

LEVELS = (0.98, 0.9, 0.5, 0.1)  # psi squared, of variance-preserving processes
ROWS, DRAWN, STEPS = 8, 4, 20
BETTER = 0.8  # another statement's error, as a share of the stated one's, at which the latter is refused
FITS = 0.8  # what such a one must reach itself: a network without training fits nothing
# Laws that diffusers trains with, by the keys of scheduler_config.json.
_LAWS: tuple[dict[str, Any], ...] = (
    {"beta_schedule": "squaredcos_cap_v2"},
    {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02},
    {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    {"beta_schedule": "sigmoid", "beta_start": 0.0001, "beta_end": 0.02},
)


def relative_error(score: "ScoreModel", images: Any, *, seed: int = 0) -> float:
    """Error of the predicted noise on noised images, as a share of the best that scaling the input can do.

    Parameters
    ----------
    score : ScoreModel
        With a discrete schedule.
    images : (n, *shape) float32
        In [-1, 1]; conditioning rows, if any, are theirs.
    seed : int
        Of the noise.

    Returns
    -------
    float
        Mean over the noise levels nearest to `LEVELS`: 0 for the noise itself, 1 for the best multiple of the
        input about the images' mean.
    """
    import numpy as np
    import torch

    from mmh.compute import rng

    x = torch.as_tensor(np.asarray(images, dtype=np.float32))
    noise = rng.normal(seed, "initial-noise", range(len(x)), score.shape)
    variance, last = float(x.var()), score.schedule.index(1.0)
    steps = np.arange(0 if last is None else last + 1)
    times = np.maximum(steps, 0.25) / len(steps)  # a quarter of a step stands for the first
    levels = np.asarray(score.schedule.psi(times)) ** 2
    shares = []
    for level in LEVELS:
        t = float(times[np.abs(levels - level).argmin()])
        psi, sigma = score.schedule.psi(t), score.schedule.sigma(t)
        z = (psi * x + sigma * noise).to(device=score.device, dtype=score.dtype)
        with torch.no_grad():
            found = score.eps(z, t).cpu().double()
        signal = psi**2 * variance
        shares.append(float((found - noise).square().mean()) * (signal + sigma**2) / signal)
    return float(np.mean(shares))


def try_denoising(
    model: "Model", images: "np.ndarray | None" = None, classes: "np.ndarray | None" = None, *, name: str
) -> dict[str, Any]:
    """Compare what is stated of a model with other statements, on images or else on samples of its own.

    Parameters
    ----------
    model : Model
        Of a score on pixels; models of latents are passed over.
    images : (n, C, H, W) float32, optional
        Of its training, in [-1, 1]; the first `ROWS` are used. Without them, or without the classes that the
        model needs, it draws `DRAWN` itself by the stated process.
    classes : (n,) int64, optional
        Their classes.
    name : str
        The user's own name of it, for messages.

    Returns
    -------
    dict
        For the run record: the error by what is stated, and a warning where the network fits nothing.

    Raises
    ------
    InputError
        If the images have another shape, or another statement fits clearly better; it is named.
    """
    import numpy as np

    if hasattr(model, "text_encoder") or not hasattr(model, "unet"):
        return {}
    stated = model.score_model()
    if stated.schedule.index(1.0) is None:
        return {}
    own = images is None or bool(model.classes and classes is None)
    labels: Any
    if own:
        steps = getattr(model, "few_steps", {"steps": STEPS})
        x, labels = model.sample(np.arange(DRAWN), seed=0, batch_size=DRAWN, **steps), np.arange(DRAWN)
    else:
        assert images is not None
        x, labels = images[:ROWS], None if classes is None else classes[:ROWS]
    if x.shape[1:] != stated.shape:
        sides = " x ".join(map(str, stated.shape)), " x ".join(map(str, x.shape[1:]))
        raise InputError(
            f"{name}: the model makes {sides[0]}, and the images are {sides[1]}; declare its size"
        )

    def error(score: "ScoreModel") -> float:
        if model.classes:
            assert labels is not None
            score = score.conditioned(labels % model.classes)
        return relative_error(score, x)

    here, what = error(stated), "samples of its own" if own else f"{len(x)} training images"
    found = {"denoising error": round(here, 4), "denoising tried on": what}
    if not np.isfinite(here) or not float(x.var()):
        return found  # flat or not finite: import_model's trial says more
    others = {said: error(score) for said, score in _others(model)}
    best = min(others, key=others.__getitem__, default=None)
    if best is not None and others[best] < min(FITS, BETTER * here):
        raise InputError(
            f"{name}: with what is stated of it the network's error on {what} is {here:.2g} of that of a "
            f"scaled input, with {best} it would be {others[best]:.2g}; state that, or what it was trained "
            "with"
        )
    if here >= 1:
        found["warning"] = (
            f"on {what} the network predicts noise no better than a scaled input ({here:.2g}): it is "
            "untrained, or was trained with other settings, on images of another kind, or on another scale "
            "than [-1, 1]"
        )
    return found


def try_folder(folder: Path, images: Path | None, *, name: str) -> dict[str, Any]:
    """Try a model folder out on the first images of a file, as `try_denoising` does.

    Parameters
    ----------
    folder : Path
        A model folder.
    images : Path or None
        train.npz, if there is one.
    name : str
        The user's own name of the model.

    Returns
    -------
    dict
        For the run record; a warning is also printed.
    """
    import numpy as np

    from mmh.io.arrays import read_arrays
    from mmh.io.image_shards import read_column, read_images
    from mmh.models.loading import load_model

    x = classes = None
    if images is not None:
        x, ids = read_images(images, np.sort(read_arrays(images, "id")[0])[:ROWS])
        classes = read_column(images, "class", ids)
    found = try_denoising(load_model(folder), x, classes, name=name)
    if "warning" in found:
        print(f"warning: {name}: {found['warning']}")
    return found


def _others(model: Any) -> Iterator[tuple[str, "ScoreModel"]]:
    """Give other statements about the same network, in the words of the file or key that states them."""
    import numpy as np

    from mmh.diffusion.ddim import changed
    from mmh.diffusion.diffusers_network import PREDICTION_TYPES
    from mmh.diffusion.score_model import ScoreModel
    from mmh.light_diffusers import diffusers

    if hasattr(model, "others"):
        yield from model.others()
        return
    config, make = model.scheduler.config, diffusers().DDPMScheduler.from_config
    file = "in scheduler_config.json"
    for kind in PREDICTION_TYPES:
        if kind != config["prediction_type"]:
            scheduler = make(changed(config, prediction_type=kind))
            yield f"prediction_type {kind} {file}", ScoreModel.from_diffusers(model.unet, scheduler)
    for law in _LAWS:
        scheduler = make(changed(config, **law, trained_betas=None))
        if not np.allclose(scheduler.alphas_cumprod, model.scheduler.alphas_cumprod, atol=0.01):
            said = ", ".join(f"{key} {value}" for key, value in law.items())
            yield f"{said} {file}", ScoreModel.from_diffusers(model.unet, scheduler)
