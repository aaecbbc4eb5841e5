"""Reader of the CIFAR-10 archive as its authors give it.

It trusts nothing: the archive is read as a stream, never extracted, and its pickles may name only what an
array of bytes needs.
"""

import gzip
import io
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np

from mmh.errors import InputError
from mmh.io import restricted_pickle
from mmh.worlds.sets.image_set import ImageSet

_FOLDER = "cifar-10-batches-py"
_BATCHES = {"train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)}
_BATCHES["all"] = _BATCHES["train"] + _BATCHES["test"]
_SHAPE = (3, 32, 32)
_MEMBER_BYTES = 32 * 2**20  # a batch has 31 MB
_ARCHIVE_BYTES = 256 * 2**20  # unpacked; the archive has 186 MB


def read_cifar10(archive: Path, *, split: str = "train") -> ImageSet:
    """Read the archive ``cifar-10-python.tar.gz``.

    Parameters
    ----------
    archive : path
        Gzipped tar with `cifar-10-batches-py/data_batch_1` to `_5`, `test_batch` and `batches.meta`: pickles
        of dictionaries with `data` (n x 3072 uint8: rows of red, of green, of blue), `labels`, `filenames`
        and, in the last one, `label_names`.
    split : {"train", "test", "all"}
        The five batches, the test batch, or all six.

    Returns
    -------
    ImageSet
        Images (n, 3, 32, 32), labels and class names.

    Raises
    ------
    InputError
        If the archive is damaged, holds a path that leads out of it, a link or a device, if a member is
        missing, too large or not of this layout, or a pickle asks for anything but arrays of bytes.
    """
    if split not in _BATCHES:
        raise InputError(f"split must be one of {', '.join(_BATCHES)}, it is '{split}'")
    wanted = [f"{_FOLDER}/{name}" for name in (*_BATCHES[split], "batches.meta")]
    members = _members(archive, wanted)
    meta = _record(members[wanted[-1]], f"{archive}: {wanted[-1]}", "label_names")
    classes = meta["label_names"]
    if not _is_list(classes, str) or not classes:
        raise InputError(f"{archive}: {wanted[-1]}: label_names must be a list of names")
    images: list[np.ndarray] = []
    labels, names = [], []
    for member in wanted[:-1]:
        what = f"{archive}: {member}"
        batch = _record(members.pop(member), what, "data", "labels", "filenames")
        data = batch["data"].value if isinstance(batch["data"], _Array) else None
        if data is None or data.ndim != 2 or not len(data) or data.shape[1] != np.prod(_SHAPE):
            found = "no array" if data is None else f"shape {data.shape}"
            raise InputError(f"{what}: data must be an array of shape (n, {np.prod(_SHAPE)}), it has {found}")
        if images and len(data) != len(images[0]):
            raise InputError(f"{what}: holds {len(data)} images, expected {len(images[0])} as in {wanted[0]}")
        for key, kind in (("labels", int), ("filenames", str)):
            if not _is_list(batch[key], kind) or len(batch[key]) != len(data):
                raise InputError(
                    f"{what}: {key} must be a list of {len(data)} {kind.__name__}, one per image"
                )
        if not 0 <= min(batch["labels"]) <= max(batch["labels"]) < len(classes):
            raise InputError(f"{what}: labels must lie in 0..{len(classes) - 1}")
        images.append(data.reshape(-1, *_SHAPE))
        labels += batch["labels"]
        names += batch["filenames"]
    return ImageSet(np.concatenate(images), tuple(names), np.array(labels, np.int64), tuple(classes))


def _members(archive: Path, wanted: list[str]) -> dict[str, IO[bytes]]:
    """Read some members into memory, after a look at every one of the archive."""
    found: dict[str, IO[bytes]] = {}
    others = []
    try:
        with gzip.open(archive) as unzipped:
            stream = _Bounded(unzipped, archive)
            with tarfile.open(fileobj=stream, mode="r|") as tar:  # type: ignore[call-overload]
                for member in tar:
                    path = _checked(member, archive)
                    if str(path) in found:
                        raise InputError(f"{archive}: holds {path} twice; download the archive again")
                    if str(path) in wanted and member.isfile():
                        found[str(path)] = io.BytesIO(tar.extractfile(member).read())  # type: ignore[union-attr]
                    else:
                        others.append(str(path))
            while stream.read(2**20):
                pass  # to the end, where gzip keeps its checksum
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        if not archive.is_file():
            raise InputError(f"{archive}: no such file; run the rule that fetches it") from error
        advice = "delete it and run again"
        raise InputError(f"{archive}: cannot be read as a .tar.gz archive ({error}); {advice}") from error
    missing = [name for name in wanted if name not in found]
    if missing:
        advice = f"found {', '.join(others[:3]) or 'nothing'}; give the authors' cifar-10-python.tar.gz"
        raise InputError(f"{archive}: lacks {', '.join(missing)}, {advice}")
    return found


def _checked(member: tarfile.TarInfo, archive: Path) -> PurePosixPath:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise InputError(f"{archive}: member {member.name!r} leads out of the archive; refused")
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE):
        raise InputError(f"{archive}: member {member.name!r} is a link or a device, not a file; refused")
    if member.size > _MEMBER_BYTES:
        raise InputError(
            f"{archive}: member {member.name!r} has {member.size} bytes, at most {_MEMBER_BYTES} are expected"
        )
    return path


class _Bounded:
    """A stream that ends in an error before it fills the memory, whatever it unpacks to."""

    def __init__(self, file: gzip.GzipFile, archive: Path) -> None:
        self._file, self._archive, self._left = file, archive, _ARCHIVE_BYTES

    def read(self, size: int) -> bytes:
        block = self._file.read(size)
        self._left -= len(block)
        if self._left < 0:
            raise InputError(f"{self._archive}: unpacks to more than {_ARCHIVE_BYTES} bytes; refused")
        return block


class _Inert:
    """What a pickle may name but not fill, change or, unless a subclass allows it, call."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        raise ValueError("gives a state to something that has none")


class _Reconstruct(_Inert):
    """Stand-in of NumPy's array maker: gives arrays that can become nothing but arrays of bytes."""

    __slots__ = ()

    def __call__(self, kind: Any, shape: Any, code: Any) -> "_Array":
        return _Array()


class _Array(_Inert):
    """An array in the making; `value` is None until its state has come."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, columns_first, data = state
        if not isinstance(dtype, _Dtype):
            raise ValueError("an array that is not of bytes (uint8)")
        octets = data.encode("latin-1") if isinstance(data, str) else data
        flat = np.frombuffer(octets, np.uint8)
        self.value = np.ascontiguousarray(flat.reshape(shape, order="F" if columns_first else "C"))


class _Dtype(_Inert):
    """Stand-in of ``numpy.dtype`` that knows uint8 alone; its state (byte order, alignment) says nothing."""

    __slots__ = ()

    def __call__(self, code: Any, *flags: Any) -> "_Dtype":
        if code not in ("u1", "|u1", "uint8"):
            raise ValueError(f"an array of type {code!r}, expected bytes (uint8)")
        return self

    def __setstate__(self, state: Any) -> None:
        pass


class _Encode(_Inert):
    """Stand-in of ``_codecs.encode``, by which Python 3 writes bytes in protocol 2."""

    __slots__ = ()

    def __call__(self, text: Any, encoding: Any) -> bytes:
        if not isinstance(text, str) or encoding != "latin1":
            raise ValueError(f"text encoded by {encoding!r}, expected latin1")
        return text.encode("latin-1")


# NumPy 1 and 2 name the same function differently.
_ALLOWED: Mapping[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _Reconstruct(),
    ("numpy._core.multiarray", "_reconstruct"): _Reconstruct(),
    ("numpy", "ndarray"): _Inert(),
    ("numpy", "dtype"): _Dtype(),
    ("_codecs", "encode"): _Encode(),
}


def _record(file: IO[bytes], what: str, *keys: str) -> dict[str, Any]:
    """Read a dictionary and the keys asked for; Python 2 strings may come as text or as bytes."""
    value = restricted_pickle.load(file, _ALLOWED, what=what, encoding="latin1")
    if not isinstance(value, dict):
        raise InputError(f"{what}: must be a dictionary, it is a {type(value).__name__}")
    record = {_text(key): item for key, item in value.items()}
    missing = [key for key in keys if key not in record]
    if missing:
        raise InputError(f"{what}: lacks {', '.join(missing)}; it has {', '.join(map(str, record))}")
    asked = {key: record[key] for key in keys}
    return {k: [_text(item) for item in v] if isinstance(v, list) else v for k, v in asked.items()}


def _text(value: Any) -> Any:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _is_list(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(type(item) is kind for item in value)
