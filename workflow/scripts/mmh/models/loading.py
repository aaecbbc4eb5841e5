"""Load a model folder, whatever made it."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.errors import InputError
from mmh.io.model_folder import read_json, refuse
from mmh.models.base import DESCRIPTIONS, KINDS, Kind, Model

if TYPE_CHECKING:
    import numpy as np

    from mmh.diffusion.score_model import ScoreModel


def load_model(path: Path, *, device: str = "cpu", **loading: Any) -> Model:
    """Load a model folder.

    Parameters
    ----------
    path : Path
        Folder with `process.json`, `model_index.json` or `model.json`, which tells its kind.
    device : str
        Where the network is put.
    **loading
        Of a text-to-image model alone: see `mmh.models.latent.folder.load_folder`.

    Returns
    -------
    Model
        With `score_model()` and `sample(ids, seed=...)`; in evaluation mode.

    Raises
    ------
    InputError
        If a file is missing, damaged or does not fit the others; it names the file and what to do.
    """
    return kind_of(path).load(Path(path), device=device, **loading)


def kind_of(path: Path) -> type[Kind]:
    """Find the kind whose folders are described like this one.

    Parameters
    ----------
    path : Path

    Returns
    -------
    type
        A row of `KINDS`.

    Raises
    ------
    InputError
        If it is no model folder, or of no kind that is known.
    """
    path = Path(path)
    for name, key in DESCRIPTIONS.items():
        if not (path / name).is_file():
            continue
        value = read_json(path / name).get(key)
        for wanted in (value, "*"):
            kind = KINDS.find(partial(_claims, name, wanted))
            if kind is not None:
                return kind
        refuse(path / name, f"names the {key} {value!r}; {', '.join(_known(name))} can be loaded")
    refuse(path, "is no model folder: it has neither model_index.json nor model.json")


def _claims(name: str, value: Any, kind: type[Kind]) -> bool:
    return (name, value) in kind.folders


def _known(name: str) -> Iterator[str]:
    folders = [folder for kind in KINDS.rows().values() for folder in kind.folders]
    yield from (repr(value) for file, value in folders if file == name)


def class_score(model: Model, classes: "np.ndarray | None") -> "ScoreModel":
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
