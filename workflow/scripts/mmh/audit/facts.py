"""What stands at the end of an answer: cost, versions, digests, and what was not looked at."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmh.provenance import versions

_BLOCK = 1 << 20


def facts(model: Path, files: Iterable[Path], *, seed: int, what: str = "images") -> dict[str, str]:
    """Gather what an answer rests on.

    Parameters
    ----------
    model : path
        Model folder.
    files : iterable of path
        What else was read: the first holds what was asked about.
    seed : int
    what : str
        What that is.

    Returns
    -------
    dict of str to str
    """
    read = list(files)
    seconds = [_seconds(path) for path in [model, *read]]
    said = {
        "computed in": f"{sum(seconds) / 60:.1f} minutes of jobs; those of the scores: benchmarks/",
        "root seed": str(seed),
        "model": f"sha256 {_digest(sorted(path for path in model.rglob('*') if path.is_file()))}",
        what: f"sha256 {_digest(read[:1])}",
    }
    lora = _record(model).get("lora")
    if lora:
        said["LoRA"] = f"{lora['file']}, scale {lora['scale']:g}, sha256 {lora['sha256']}"
    return said | {"versions": ", ".join(f"{name} {version}" for name, version in versions().items())}


def _record(path: Path) -> dict[str, Any]:
    """The run record of a file; empty where there is none."""
    try:
        record: dict[str, Any] = json.loads(path.with_name(path.name + ".json").read_text())
    except (OSError, ValueError):
        return {}
    return record


def _seconds(path: Path) -> float:
    """Seconds that the job of a file took."""
    return float(_record(path).get("seconds") or 0.0)


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def file_names(folder: str | None, n: int) -> list[str]:
    """Names of the training images: paths in their folder, or numbers where there is none, or another one."""
    from mmh.errors import InputError
    from mmh.worlds.sets.image_folder import image_files

    try:
        names = [path.as_posix() for path in image_files(Path(folder))] if folder else []
    except InputError:
        names = []
    return names if len(names) == n else [f"image {row}" for row in range(n)]


def unseen_images(samples: int, scored: bool, described: bool) -> list[str]:
    """Say what an audit of images does not look at.

    Parameters
    ----------
    samples : int
        Samples that were drawn.
    scored : bool
        Whether the model has a score, and so LID.
    described : bool
        Whether a copy descriptor was used.

    Returns
    -------
    list of str
    """
    lines = [f"Samples beyond the {samples} that were drawn, other samplers, other numbers of steps."]
    if not described:
        lines.append(
            "Copies that are turned, cropped, mirrored or changed in colour: l2 sees none of these. A copy "
            "descriptor does: give the published SSCD file by --sscd."
        )
    lines += [
        "Images that the model may have been trained on and that you did not give.",
        "Whether these images were trained on at all: an image that was, and left no trace, counts as clean.",
    ]
    return lines if scored else [*lines, "LID: this kind of model has no score, so samples alone decide."]
