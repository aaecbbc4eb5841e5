"""Reader of StyleGAN2-ADA's published pickles, which needs none of their code and runs none of it.

A file holds G, D and G_ema, each as the attributes of its modules beside the source text that made them. The
unpickler is given inert stand-ins for the few names that such a file needs; afterwards G_ema's tensors are
cut out of their storages, with every offset checked. The source text is never more than text: only its
sha256 is kept.
"""

import hashlib
import io
import math
import reprlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmh.errors import InputError
from mmh.io import restricted_pickle
from mmh.models.stylegan.model import GeneratorModel, build, untrained

RECORD_VERSION = 6
REMEDY = "fetch the file anew and compare its sha256 with the published one"
NUMBERS = {"f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}  # NumPy's names of plain scalars
LARGEST = 2**16  # of sizes among the keywords, far above any generator
_SHORT = reprlib.Repr()
_SHORT.maxstring = 80


class _Inert:
    """An object that a stream can neither change nor call: no attributes beside its slots, no setters."""

    __slots__: tuple[str, ...] = ()

    def __init__(self, *values: Any) -> None:
        for name, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a stand-in takes no attributes")


class _StandIn(_Inert):
    """What a stream gets for a function's name. A plain function would take attributes from the stream."""

    __slots__ = ("function",)
    function: Callable[..., Any]

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)


class _Record(_Inert):
    """A network or layer: class name, attributes, sha256 of the source text."""

    __slots__ = ("class_name", "source_sha256", "state")
    class_name: str
    source_sha256: str
    state: dict[str, Any]


class _Storage(_Inert):
    """Numbers in PyTorch's format before 1.6, not read yet."""

    __slots__ = ("data",)
    data: bytes


class _Tensor(_Inert):
    """Where a tensor's numbers lie, not checked yet."""

    __slots__ = ("offset", "size", "storage", "stride")
    offset: int
    size: tuple[int, ...]
    storage: _Storage
    stride: tuple[int, ...]


class _Dtype(_Inert):
    """NumPy's name of a plain little-endian number."""

    __slots__ = ("code",)
    code: str

    def __setstate__(self, state: Any) -> None:
        """Accept the state of a plain dtype and keep nothing of it."""
        if not isinstance(state, tuple) or state[1:2] not in {("<",), ("|",)} or any(state[2:5]):
            raise ValueError("holds a NumPy number that is no plain little-endian one")


def _record(meta: Any) -> _Record:
    if not isinstance(meta, dict) or (meta.get("type"), meta.get("version")) != ("class", RECORD_VERSION):
        raise ValueError(f"a stored network is no record of version {RECORD_VERSION}")
    name, state, source = (meta.get(key) for key in ("class_name", "state", "module_src"))
    if not isinstance(name, str) or not isinstance(state, dict) or not isinstance(source, str):
        raise ValueError("a stored network lacks its class name, state or source text")
    return _Record(name, hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest(), state)


def _storage(data: Any) -> _Storage:
    if not isinstance(data, bytes):
        raise ValueError("a storage is not made of bytes")
    return _Storage(data)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, grad: Any, hooks: Any, *rest: Any) -> _Tensor:
    if not isinstance(storage, _Storage) or hooks or any(rest):
        raise ValueError("a tensor has no storage of its own, or hooks")
    if not isinstance(size, tuple) or not isinstance(stride, tuple) or not len(size) == len(stride) <= 8:
        raise ValueError("a tensor has no shape")
    if not all(type(value) is int and 0 <= value < 2**63 for value in (offset, *size, *stride)):
        raise ValueError("a tensor's offset, size or stride is no count")
    return _Tensor(offset, size, storage, stride)


def _parameter(tensor: Any, grad: Any, hooks: Any) -> _Tensor:
    if not isinstance(tensor, _Tensor) or hooks:
        raise ValueError("a parameter has no tensor, or hooks")
    return tensor


def _dtype(code: Any, *flags: Any) -> _Dtype:
    if not isinstance(code, str) or code not in NUMBERS:
        raise ValueError(f"holds a NumPy value of the type {code!r}")
    return _Dtype(code)


def _scalar(dtype: Any, data: Any) -> Any:
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes):
        raise ValueError("holds a NumPy value of an unknown type")
    (number,) = np.frombuffer(data, dtype="<" + dtype.code)
    return number.item()


def _encode(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding != "latin1":
        raise ValueError("encodes text in another way than protocol 2 does")
    return text.encode("latin1")


# Everything that a file asks for, pickled by protocols 2 to 5 under Python 3 with either NumPy.
ALLOWED: restricted_pickle.Allowed = {
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): _StandIn(_record),
    ("dnnlib.util", "EasyDict"): dict,
    ("collections", "OrderedDict"): dict,  # an OrderedDict's instances would take attributes
    ("builtins", "set"): set,
    ("__builtin__", "set"): set,
    ("torch._utils", "_rebuild_parameter"): _StandIn(_parameter),
    ("torch._utils", "_rebuild_tensor_v2"): _StandIn(_tensor),
    ("torch.storage", "_load_from_bytes"): _StandIn(_storage),
    ("numpy.core.multiarray", "scalar"): _StandIn(_scalar),
    ("numpy._core.multiarray", "scalar"): _StandIn(_scalar),
    ("numpy", "dtype"): _StandIn(_dtype),
    ("_codecs", "encode"): _StandIn(_encode),
}


def _integer(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LARGEST


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _or_none(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or test(value)


def _numbers(value: Any) -> bool:
    return isinstance(value, list | tuple) and 0 < len(value) < 64 and all(map(_number, value))


def _flag(value: Any) -> bool:
    return type(value) is bool


def _short(value: Any) -> str:
    """Show what a stream holds in one short line, however long or deep it is."""
    return _SHORT.repr(value)


def _only(value: Any) -> Callable[[Any], bool]:
    return lambda given: type(given) is type(value) and given == value


# Keyword -> option of `Generator`, test of its value. Without an option the value changes nothing here (it is
# about speed on a GPU), or `Generator` knows one value only.
KEYWORDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "z_dim": ("z_dim", _integer),
    "w_dim": ("w_dim", _integer),
    "c_dim": ("c_dim", _integer),
    "img_resolution": ("resolution", _integer),
    "img_channels": ("channels", _integer),
    "mapping_kwargs.num_layers": ("mapping_layers", _integer),
    "mapping_kwargs.embed_features": ("embed_features", _or_none(_integer)),
    "mapping_kwargs.layer_features": ("layer_features", _or_none(_integer)),
    "mapping_kwargs.activation": ("", _only("lrelu")),
    "mapping_kwargs.lr_multiplier": ("mapping_lr", _number),
    "mapping_kwargs.w_avg_beta": ("w_avg_beta", _number),
    "synthesis_kwargs.channel_base": ("channel_base", _integer),
    "synthesis_kwargs.channel_max": ("channel_max", _integer),
    "synthesis_kwargs.conv_clamp": ("conv_clamp", _or_none(_number)),
    "synthesis_kwargs.resample_filter": ("resample_filter", _numbers),
    "synthesis_kwargs.use_noise": ("use_noise", _flag),
    "synthesis_kwargs.architecture": ("", _only("skip")),
    "synthesis_kwargs.activation": ("", _only("lrelu")),
    "synthesis_kwargs.kernel_size": ("", _only(3)),
    "synthesis_kwargs.num_fp16_res": ("", _integer),
    "synthesis_kwargs.fp16_channels_last": ("", _flag),
}
REQUIRED = [name for name in KEYWORDS if "." not in name]
# What the authors' classes assume for keywords that are left out, where `Generator` assumes otherwise.
DEFAULTS = {"mapping_layers": 8}


def convert(checkpoint: Path, folder: Path) -> dict[str, Any]:
    """Write the model folder of a pickle's averaged generator and say where it is from; see `Kind.maker`."""
    generator = load_stylegan2(checkpoint)
    generator.save(folder)
    return {"source": generator.source}


def load_stylegan2(path: str | Path) -> GeneratorModel:
    """Load the averaged generator (G_ema) of a StyleGAN2-ADA pickle.

    Parameters
    ----------
    path : path
        As published by the authors, made by training or by their converter from TensorFlow. Nothing of the
        code in it is run, whatever the file holds.

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
    options, keywords = _options(record, path)
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


def _read(path: Path) -> tuple[str, _Record]:
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
    if not isinstance(record, _Record):
        raise InputError(f"{path}: holds no network G_ema, as a StyleGAN2-ADA pickle does; {REMEDY}")
    if record.class_name != "Generator":
        found = _short(record.class_name)
        raise InputError(f"{path}: G_ema is a {found}, only a 'Generator' can be loaded")
    return digest, record


def _options(record: _Record, path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Translate the keywords that the network was made with; also give them as they are, for the record."""
    given = record.state.get("_init_kwargs")
    if not isinstance(given, dict) or record.state.get("_init_args"):
        raise InputError(f"{path}: G_ema does not say by which keywords it was made")
    keywords: dict[Any, Any] = {}
    for name, value in given.items():
        if name in ("mapping_kwargs", "synthesis_kwargs") and isinstance(value, dict):
            keywords |= {f"{name}.{key}": inner for key, inner in value.items()}
        else:
            keywords[name] = value
    options: dict[str, Any] = dict(DEFAULTS)
    for name, value in keywords.items():
        option, test = KEYWORDS.get(name, ("", lambda _: False))
        if not test(value):
            given_as = f"{_short(name)} {_short(value)}"
            raise InputError(f"{path}: G_ema was made with {given_as}, which is not supported")
        if option:
            options[option] = value
    if missing := [name for name in REQUIRED if name not in keywords]:
        raise InputError(f"{path}: the keywords of G_ema lack {', '.join(missing)}")
    return options, keywords


def _tensors(record: _Record, expected: set[str], prefix: str = "") -> Iterator[tuple[str, _Tensor]]:
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
            kind, type_ = ("module", _Record) if group == "_modules" else ("tensor", _Tensor)
            if not isinstance(value, type_):
                raise InputError(f"{_short(name)} is no {kind}")
            known = name in expected or any(other.startswith(name + ".") for other in expected)
            if not known:
                raise InputError(f"holds a {kind} {_short(name)}, unlike a generator of these options")
            if isinstance(value, _Record):
                yield from _tensors(value, expected, name + ".")
            else:
                yield name, value


def _cut(name: str, tensor: _Tensor) -> torch.Tensor:
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
