"""Diffusers folders from disk or from the hub: the files of an image model, nothing else."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from mmh.errors import InputError

# Configuration and safetensors only: pickled weights could run code. Weights by their plain name: beside them
# lie other forms of the same network (half precision, without averaging), gigabytes each.
WEIGHTS = "diffusion_pytorch_model.safetensors"
PATTERNS = (
    "model_index.json",
    "process.json",
    "unet/config.json",
    f"unet/{WEIGHTS}",
    "scheduler/*.json",
    "vae/config.json",
    f"vae/{WEIGHTS}",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/*.json",
    "tokenizer/merges.txt",
)
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
    if Path("unet", WEIGHTS) not in files.values():
        raise InputError(
            f"{folder}: holds no unet/{WEIGHTS}; pickled weights are not read, "
            "save the model with safe_serialization=True"
        )
    for file, place in sorted(files.items()):
        (out / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, out / place)


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
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
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
