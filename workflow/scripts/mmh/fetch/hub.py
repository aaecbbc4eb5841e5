"""Diffusers folders from disk or from the hub: the files of an image model, nothing else."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from mmh.errors import InputError, in_short
from mmh.fetch.weights import find_weights, place_weights

# Configuration and safetensors only: pickled weights could run code. Weights by their plain name: beside them
# lie other forms of the same network (half precision, without averaging), gigabytes each, which are taken
# where there is no other (`mmh.fetch.weights`).
WEIGHTS = "diffusion_pytorch_model.safetensors"
NETWORKS = {"unet": WEIGHTS, "vae": WEIGHTS, "text_encoder": "model.safetensors"}
DESCRIPTIONS = (
    "model_index.json",
    "process.json",
    "unet/config.json",
    "scheduler/*.json",
    "vae/config.json",
    "text_encoder/config.json",
    "tokenizer/*.json",
    "tokenizer/merges.txt",
)
PATTERNS = (*DESCRIPTIONS, *(f"{part}/{name}" for part, name in NETWORKS.items()))
# Some older repositories keep everything at the top.
FLAT = {
    "config.json": "unet/config.json",
    "diffusion_pytorch_model.safetensors": "unet/diffusion_pytorch_model.safetensors",
    "scheduler_config.json": "scheduler/scheduler_config.json",
}


def copy_pipeline(folder: Path, out: Path) -> None:
    """Copy a local pipeline folder.

    Parameters
    ----------
    folder : Path
        With `model_index.json`, and `unet/` and `scheduler/` or their files at the top.
    out : Path
        Folder to make.

    Raises
    ------
    InputError
        If the folder is missing, or holds no weights that can be read; it says what is there.
    """
    if not (folder / "model_index.json").is_file():
        raise InputError(
            f"{folder}: no diffusers folder; it should hold model_index.json, unet/ and scheduler/"
        )
    files = {file: file.relative_to(folder) for pattern in DESCRIPTIONS for file in folder.glob(pattern)}
    flat = not (folder / "unet").is_dir()
    if flat:
        files |= {folder / name: Path(place) for name, place in FLAT.items() if (folder / name).is_file()}
        files.pop(folder / WEIGHTS, None)
    weights = {Path("unet", WEIGHTS): find_weights(folder if flat else folder / "unet", WEIGHTS)}
    for part, name in NETWORKS.items():
        if part != "unet" and (folder / part).is_dir():
            weights[Path(part, name)] = find_weights(folder / part, name)
    for file, place in sorted(files.items()):
        (out / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, out / place)
    for place, parts in weights.items():
        (out / place).parent.mkdir(parents=True, exist_ok=True)
        place_weights(parts, out / place)


def fetch_pipeline(
    repository: str, revision: str, out: Path, *, mirrors: Sequence[str] = (), offline: bool = False
) -> str:
    """Fetch a pipeline from the hub, or take it from the hub's cache.

    Parameters
    ----------
    repository : str
        ``owner/name``.
    revision : str
        Commit, tag or branch.
    out : Path
        Folder to make.
    mirrors : sequence of str
        ``owner/name`` or ``owner/name@revision``, tried in turn where the repository cannot be had; without
        a revision the same one is meant.
    offline : bool
        Use the cache alone.

    Returns
    -------
    str
        The ``owner/name@revision`` that was taken, and its commit in brackets.

    Raises
    ------
    InputError
        If no such repository or revision can be had, the hub cannot be reached, or files are missing.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    reasons = []
    for place in (f"{repository}@{revision}", *mirrors):
        name, _, version = place.partition("@")
        version = version or revision
        try:
            cached = snapshot_download(
                name, revision=version, allow_patterns=[*PATTERNS, *FLAT], local_files_only=offline
            )
            if wanted := _variants_wanted(Path(cached)):
                snapshot_download(name, revision=version, allow_patterns=wanted, local_files_only=offline)
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
            reason = in_short(error)
            reasons.append((name, version, reason, error))
            continue
        copy_pipeline(Path(cached), out)
        return f"{name}@{version} ({Path(cached).name})"  # the folder is named by the commit
    name, version, reason, cause = reasons[0]
    more = f", nor can its {len(mirrors)} mirrors" if mirrors else ""
    raise InputError(
        f"{name} at revision {version!r} cannot be had from the hub ({reason}){more}; check both "
        "names, or download the folder elsewhere and give its path instead of id and revision"
    ) from cause


def _variants_wanted(folder: Path) -> list[str]:
    """Name the other forms of the networks that have no weights by their plain name."""
    return [
        f"{part}/{name.removesuffix('.safetensors')}*.safetensors*"
        for part, name in NETWORKS.items()
        if (folder / part).is_dir() and not (folder / part / name).is_file()
    ]
