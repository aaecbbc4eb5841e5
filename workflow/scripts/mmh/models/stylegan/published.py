"""Reader of StyleGAN2's published pickles, which needs none of their code and runs none of it.

Those that the code of StyleGAN2-ADA writes, and those of StyleGAN2 that the code of StyleGAN3 writes.

The unpickler is given inert stand-ins; afterwards G_ema's tensors are cut out of their storages, with every
offset checked.
"""

import hashlib
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from mmh.errors import InputError
from mmh.io import restricted_pickle
from mmh.models.stylegan.keywords import generator_options, refuse_stylegan3
from mmh.models.stylegan.model import GeneratorModel, build, untrained
from mmh.models.stylegan.stand_ins import ALLOWED, Record, Tensor, short

REMEDY = "fetch the file anew and compare its sha256 with the published one"


def convert(checkpoint: Path, folder: Path, options: Any) -> dict[str, Any]:
    """Write the model folder of a pickle's averaged generator and say where it is from; see `Kind.maker`."""
    generator = load_stylegan2(checkpoint)
    generator.save(folder)
    return {"source": generator.source}


def load_stylegan2(path: str | Path) -> GeneratorModel:
    """Load the averaged generator (G_ema) of a StyleGAN2-ADA pickle.

    Parameters
    ----------
    path : path
        As published by the authors, made by training, by their converter from TensorFlow, or by StyleGAN3's
        code with ``--cfg=stylegan2``. Nothing of the code in it is run, whatever the file holds.

    Returns
    -------
    GeneratorModel
        ``model(z, c)`` gives float32 images in about [-1, 1]; `source` holds the sha256 of the file and of
        the embedded source text, and the keywords of the network.

    Raises
    ------
    InputError
        If the file is no such pickle, asks for other names, or holds a network that `Generator` is not.
    """
    path = Path(path)
    digest, record = _read(path)
    options, keywords = generator_options(record, path)
    try:
        tensors = _tensors(record, set(untrained(options).state_dict()))
        state = {name: _cut(name, tensor) for name, tensor in tensors}
        broken = [name for name, tensor in state.items() if not tensor.isfinite().all()]
        if broken:
            raise InputError(f"tensor {broken[0]} holds NaN or infinity; fetch the file anew")
        network = build(options, state)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    source = {
        "format": "StyleGAN2-ADA pickle, G_ema",
        "file": path.name,
        "sha256": digest,
        "class_name": record.class_name,
        "module_sha256": record.source_sha256,
        "keywords": keywords,
    }
    return GeneratorModel(network, source)


def _read(path: Path) -> tuple[str, Record]:
    """Give the file's sha256 and the record of G_ema."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            content = restricted_pickle.load(file, ALLOWED, what=str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except InputError as error:
        raise InputError(f"{error}; {REMEDY}") from error
    record = content.get("G_ema") if isinstance(content, dict) else None
    if not isinstance(record, Record):
        raise InputError(f"{path}: holds no network G_ema, as a StyleGAN2-ADA pickle does; {REMEDY}")
    if record.class_name != "Generator":
        found = short(record.class_name)
        raise InputError(f"{path}: G_ema is a {found}, only a 'Generator' can be loaded")
    refuse_stylegan3(record, path)
    return digest, record


def _tensors(record: Record, expected: set[str], prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Give the tensors of a record and its children; a name that is not expected ends the walk.

    Records can hold each other, in a circle too: the expected names bound the depth and the number of steps.
    """
    for group in ("_parameters", "_buffers", "_modules"):
        members = record.state.get(group)
        if not isinstance(members, dict) or not all(isinstance(key, str) for key in members):
            raise InputError(f"the stored module {prefix.rstrip('.') or 'G_ema'} has no {group} with names")
        for key, value in members.items():
            name = prefix + key
            if value is None:
                continue
            kind, type_ = ("module", Record) if group == "_modules" else ("tensor", Tensor)
            if not isinstance(value, type_):
                raise InputError(f"{short(name)} is no {kind}")
            known = name in expected or any(other.startswith(name + ".") for other in expected)
            if not known:
                raise InputError(f"holds a {kind} {short(name)}, unlike a generator of these options")
            if isinstance(value, Record):
                yield from _tensors(value, expected, name + ".")
            else:
                yield name, value


def _cut(name: str, tensor: Tensor) -> torch.Tensor:
    """Read a storage and copy a tensor out of it, once offset, size and stride are known to lie within."""
    try:
        storage = torch.load(io.BytesIO(tensor.storage.data), map_location="cpu", weights_only=True)
        untyped, dtype = storage._untyped_storage, storage.dtype  # the public getter warns
    except Exception as error:  # a damaged stream can raise anything; PyTorch's text would advise to trust it
        raise InputError(
            f"the numbers of {name} cannot be read ({type(error).__name__}); {REMEDY}"
        ) from error
    if dtype != torch.float32:
        raise InputError(f"tensor {name} is {dtype}, expected torch.float32")
    stored = torch.empty(0, dtype=dtype).set_(untyped)
    numbers = len(stored)
    # A stream can announce a storage and not fill it: what memory held before would be taken for numbers.
    if not numbers or not tensor.storage.data.endswith(stored.numpy().tobytes()):
        raise InputError(f"the numbers of {name} are not in the file; {REMEDY}")
    axes = list(zip(tensor.size, tensor.stride, strict=True))
    last = tensor.offset + sum((n - 1) * step for n, step in axes)
    if not (0 < math.prod(tensor.size) <= numbers and last < numbers):
        raise InputError(
            f"{name} asks for numbers outside of its storage (offset {tensor.offset}, size {tensor.size}, "
            f"stride {tensor.stride}, storage of {numbers})"
        )
    view = stored.as_strided(tensor.size, tensor.stride, tensor.offset)
    return view.clone(memory_format=torch.contiguous_format)
