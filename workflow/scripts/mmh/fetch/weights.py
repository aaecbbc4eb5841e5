"""Weights of a network as diffusers and transformers write them: one file, a variant, or shards."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from mmh.errors import InputError
from mmh.io.model_folder import read_json

PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.msgpack", "*.h5")


def find_weights(folder: Path, name: str) -> list[Path]:
    """Find the safetensors files that hold a network's weights together.

    Parameters
    ----------
    folder : Path
        Of the network, with its config.json.
    name : str
        Plain name of the file, such as ``diffusion_pytorch_model.safetensors``.

    Returns
    -------
    list of Path
        The plain file; without it the shards that the plain index names; without these the one variant
        (``.fp16``) that is there, or its shards.

    Raises
    ------
    InputError
        If there is none, a shard is missing, or several variants leave a choice. It names what is there.
    """
    stem = name.removesuffix(".safetensors")
    if (folder / name).is_file():
        return [folder / name]
    variants = dict(_variants(folder, stem))
    if len(variants) > 1 and "" not in variants:
        raise InputError(
            f"{folder}: holds the weights in {len(variants)} variants ({', '.join(sorted(variants))}) and "
            f"none as {name}; leave one of them there, or rename it"
        )
    if variants:
        files = variants.get("") or next(iter(variants.values()))
        missing = [file.name for file in files if not file.is_file()]
        if missing:
            raise InputError(f"{folder}: lacks {missing[0]}, a shard that its index names")
        return files
    found = sorted(file.name for pattern in PICKLES for file in folder.glob(pattern))
    if not found:
        there = sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []
        raise InputError(
            f"{folder}: holds no {name}"
            + (f", only {', '.join(there[:6])}" if there else ", nor anything else")
        )
    raise InputError(
        f"{folder}: holds no {name} but {', '.join(found[:3])}, which are pickles and could run code; load "
        "the model once with its library and call save_pretrained(folder, safe_serialization=True)"
    )


def _variants(folder: Path, stem: str) -> Iterator[tuple[str, list[Path]]]:
    """Name the variants of a network, and the files of each; the plain one is called ''."""
    for file in sorted(folder.glob(f"{stem}.*safetensors*")):
        inner = file.name.removeprefix(f"{stem}.")
        if inner.endswith("safetensors.index.json"):  # stem.safetensors.index.fp16.json was its older name
            variant = inner.removesuffix("safetensors.index.json").strip(".")
        elif inner.startswith("safetensors.index.") and inner.endswith(".json"):
            variant = inner.removeprefix("safetensors.index.").removesuffix("json").strip(".")
        elif inner.endswith(".safetensors") and "-of-" not in inner:
            yield inner.removesuffix(".safetensors"), [file]
            continue
        else:
            continue
        names = sorted(set(read_json(file).get("weight_map", {}).values()))
        yield variant, [folder / name for name in names]


def place_weights(files: list[Path], out: Path) -> None:
    """Write one safetensors file of what several hold together; one file is copied.

    Parameters
    ----------
    files : list of Path
        As from `find_weights`.
    out : Path

    Raises
    ------
    InputError
        If a file is damaged.
    """
    if len(files) == 1:
        shutil.copyfile(files[0], out)
        return
    from safetensors import SafetensorError
    from safetensors.torch import load_file, save_file

    tensors = {}
    for file in files:
        try:
            tensors.update(load_file(file))
        except (SafetensorError, OSError) as error:
            raise InputError(f"{file}: is damaged ({error}); copy it anew") from error
    save_file(tensors, out, metadata={"format": "pt"})
