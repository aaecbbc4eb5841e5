"""Diffusers folders from disk or from the hub: the files of an image model, nothing else."""

import shutil
from pathlib import Path

from mmh.errors import InputError

# Configuration and safetensors only: pickled weights could run code.
PATTERNS = ("model_index.json", "process.json", "unet/*.json", "unet/*.safetensors", "scheduler/*.json")
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
        If the folder is missing or holds none of the files.
    """
    files = {file: file.relative_to(folder) for pattern in PATTERNS for file in folder.glob(pattern)}
    if folder / "model_index.json" not in files:
        raise InputError(
            f"{folder}: no diffusers folder; it should hold model_index.json, unet/ and scheduler/"
        )
    if not (folder / "unet").is_dir():
        files |= {folder / name: Path(place) for name, place in FLAT.items() if (folder / name).is_file()}
    if Path("unet/diffusion_pytorch_model.safetensors") not in files.values():
        raise InputError(
            f"{folder}: holds no unet/diffusion_pytorch_model.safetensors; pickled weights are not read, "
            "save the model with safe_serialization=True"
        )
    for file, place in sorted(files.items()):
        (out / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, out / place)


def fetch_pipeline(repository: str, revision: str, out: Path, *, offline: bool = False) -> None:
    """Fetch a pipeline from the hub, or take it from the hub's cache.

    Parameters
    ----------
    repository : str
        ``owner/name``.
    revision : str
        Commit, tag or branch.
    out : Path
        Folder to make.
    offline : bool
        Use the cache alone.

    Raises
    ------
    InputError
        If there is no such repository or revision, the hub cannot be reached, or files are missing.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        cached = snapshot_download(
            repository, revision=revision, allow_patterns=[*PATTERNS, *FLAT], local_files_only=offline
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{repository} at revision {revision!r} cannot be had from the hub ({reason}); check both "
            "names, or download the folder elsewhere and give its path instead of id and revision"
        ) from error
    copy_pipeline(Path(cached), out)
