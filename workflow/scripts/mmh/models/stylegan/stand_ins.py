"""Inert stand-ins for the few names that a StyleGAN2-ADA pickle needs: all that a stream can make.

A file holds G, D and G_ema, each as the attributes of its modules beside the source text that made them. The
source text is never more than text: only its sha256 is kept.
"""

import hashlib
import reprlib
from collections.abc import Callable
from typing import Any

import numpy as np

from mmh.io import restricted_pickle

RECORD_VERSION = 6
NUMBERS = {"f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}  # NumPy's names of plain scalars
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


class Record(_Inert):
    """A network or layer: class name, attributes, sha256 of the source text."""

    __slots__ = ("class_name", "source_sha256", "state")
    class_name: str
    source_sha256: str
    state: dict[str, Any]


class _Storage(_Inert):
    """Numbers in PyTorch's format before 1.6, not read yet."""

    __slots__ = ("data",)
    data: bytes


class Tensor(_Inert):
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


def _record(meta: Any) -> Record:
    if not isinstance(meta, dict) or (meta.get("type"), meta.get("version")) != ("class", RECORD_VERSION):
        raise ValueError(f"a stored network is no record of version {RECORD_VERSION}")
    name, state, source = (meta.get(key) for key in ("class_name", "state", "module_src"))
    if not isinstance(name, str) or not isinstance(state, dict) or not isinstance(source, str):
        raise ValueError("a stored network lacks its class name, state or source text")
    return Record(name, hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest(), state)


def _storage(data: Any) -> _Storage:
    if not isinstance(data, bytes):
        raise ValueError("a storage is not made of bytes")
    return _Storage(data)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, grad: Any, hooks: Any, *rest: Any) -> Tensor:
    if not isinstance(storage, _Storage) or hooks or any(rest):
        raise ValueError("a tensor has no storage of its own, or hooks")
    if not isinstance(size, tuple) or not isinstance(stride, tuple) or not len(size) == len(stride) <= 8:
        raise ValueError("a tensor has no shape")
    if not all(type(value) is int and 0 <= value < 2**63 for value in (offset, *size, *stride)):
        raise ValueError("a tensor's offset, size or stride is no count")
    return Tensor(offset, size, storage, stride)


def _parameter(tensor: Any, grad: Any, hooks: Any) -> Tensor:
    if not isinstance(tensor, Tensor) or hooks:
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


def short(value: Any) -> str:
    """Show what a stream holds in one short line, however long or deep it is."""
    return _SHORT.repr(value)
