"""Readers of training sets: the CIFAR-10 archive as its authors give it, and folders of images.

Both trust nothing: the archive is read as a stream, never extracted, and its pickles may name only what an
array of bytes needs; images are taken as they are, neither resized nor turned to grey.
"""

import gzip
import io
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from mmh.checkpoints import restricted_pickle
from mmh.errors import InputError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
_GREY, _COLOUR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA")

_FOLDER = "cifar-10-batches-py"
_BATCHES = {"train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)}
_BATCHES["all"] = _BATCHES["train"] + _BATCHES["test"]
_SHAPE = (3, 32, 32)
_MEMBER_BYTES = 32 * 2**20  # a batch has 31 MB
_ARCHIVE_BYTES = 256 * 2**20  # unpacked; the archive has 186 MB


@dataclass(frozen=True)
class ImageSet:
    """Images in a fixed order, with their classes if they have any."""

    images: np.ndarray  # (n, C, H, W) uint8
    names: tuple[str, ...]  # n file names
    labels: np.ndarray | None = None  # (n,) int64, rows of `class_names`
    class_names: tuple[str, ...] | None = None


def write_training_set(found: ImageSet, images: Path, table: Path, *, n_train: int, what: str) -> None:
    """Write a set of images as the training set of an experiment.

    Parameters
    ----------
    found : ImageSet
    images : path
        ``.npz`` with `image` (n, C, H, W) uint8, `id` int64 and `class` int64 (0 without classes).
    table : path
        `train` and `source` (both the row), `population` (the class name, or ``train`` without classes),
        `group` (the first of the exact duplicates of an image) and `copies` (how many there are).
    n_train : int
        How many images the configuration promises.
    what : str
        Names their source in the error.

    Raises
    ------
    InputError
        If there are more or fewer images than promised.
    """
    import pandas as pd

    from mmh.io.files import write_arrays, write_table
    from mmh.io.tables import TRAIN
    from mmh.retrieval.search import duplicate_groups

    n = len(found.images)
    if n != n_train:
        raise InputError(f"{what}: holds {n} images, n_train in config.yaml is {n_train}; set n_train to {n}")
    ids = np.arange(n, dtype=np.int64)
    classes = {} if found.labels is None else {"class": found.labels}
    population = np.array(found.class_names or ("train",), dtype=object)[classes.get("class", 0 * ids)]
    group = duplicate_groups(found.images)
    copies = np.bincount(group)[group].astype(np.int64)
    columns = {"train": ids, "source": ids, "population": population, "group": group, "copies": copies}
    write_arrays(images, image=found.images, id=ids, **classes)
    write_table(pd.DataFrame(columns), table, TRAIN)


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


def read_image_folder(folder: Path, *, size: int | None, channels: int) -> ImageSet:
    """Read every image below a folder, ordered by path.

    Orientations of EXIF are applied, palettes resolved, transparent pixels laid over white. Hidden files are
    passed over.

    Parameters
    ----------
    folder : path
        PNG, JPEG, WebP or BMP files, in the folder or in sub-folders of any depth. If all of them lie in
        sub-folders, the name of the uppermost one is the class.
    size : int or None
        Side of the images, pixels; that of the first one if None.
    channels : {1, 3}
        3: colour; greyscale files are refused. 1: grey; colour files are taken if no pixel has a colour.

    Returns
    -------
    ImageSet
        Images (n, channels, side, side); names are paths relative to the folder, with slashes.

    Raises
    ------
    InputError
        If there are no images, or one is damaged, not square, of another size or kind: the first such one.
    """
    from PIL import Image

    if channels not in (1, 3):
        raise InputError(f"channels must be 1 or 3, it is {channels}")
    paths = _image_files(folder)
    labels, classes = _classes(folder, paths)
    images: np.ndarray | None = None
    for row, path in enumerate(paths):
        what = str(folder / path)
        try:
            with Image.open(what, formats=_FORMATS) as file:
                side = size or (file.width if images is None else images.shape[-1])
                if file.size != (side, side):
                    raise _wrong_size(what, file.size, side, size, None if images is None else paths[0])
                pixels = _pixels(file, what, channels)
        except InputError:
            raise
        except Exception as error:  # decoders raise anything on damaged files
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(
                f"{what}: cannot be read as an image ({reason}); replace or remove it"
            ) from error
        if images is None:
            images = np.empty((len(paths), *pixels.shape), np.uint8)
        images[row] = pixels
    if images is None:
        raise InputError(f"{folder}: holds no images ({', '.join(SUFFIXES)}); check the path")
    names = tuple(path.as_posix() for path in paths)
    return ImageSet(images, names, labels, classes)


def _image_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; check the path of the images in config.yaml")
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES]
    shown = [file for file in files if not any(part.startswith(".") for part in file.parts)]
    return sorted(shown, key=Path.as_posix)


def _classes(folder: Path, paths: list[Path]) -> tuple[np.ndarray | None, tuple[str, ...] | None]:
    classes = sorted({path.parts[0] for path in paths if len(path.parts) > 1})
    if not classes:
        return None, None
    for path in paths:
        if len(path.parts) == 1:
            raise InputError(
                f"{folder / path}: lies beside sub-folders ({classes[0]}, ...), whose names are classes; "
                "move it into one of them, or put all images into one folder"
            )
    labels = np.array([classes.index(path.parts[0]) for path in paths], dtype=np.int64)
    return labels, tuple(classes)


def _pixels(file: "ImageFile", what: str, channels: int) -> np.ndarray:
    """Values of one image, (channels, H, W) uint8."""
    from PIL import Image, ImageOps

    frames = getattr(file, "n_frames", 1)
    if frames != 1:
        raise InputError(f"{what}: holds {frames} pictures, expected one; replace or remove it")
    if file.mode not in _GREY + _COLOUR:
        raise InputError(f"{what}: is of mode {file.mode}, expected 8-bit grey or RGB; convert it")
    if channels == 3 and file.mode in _GREY:
        raise InputError(f"{what}: is greyscale, expected colour; set channels to 1, or convert it to RGB")
    image = ImageOps.exif_transpose(file)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    pixels = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    if channels == 1 and (pixels != pixels[:1]).any():
        raise InputError(f"{what}: is in colour, expected grey; set channels to 3, or convert it to grey")
    return pixels[:channels]


def _wrong_size(
    what: str, found: tuple[int, int], side: int, size: int | None, first: Path | None
) -> InputError:
    width, height = found
    if width != height:
        return InputError(f"{what}: is {width} x {height} pixels, expected a square; crop or remove it")
    reason = f"size {size} in config.yaml" if size else f"as {first}"
    return InputError(
        f"{what}: is {width} x {height} pixels, expected {side} x {side} ({reason}); "
        "nothing is resized here: resize the images beforehand, or correct size"
    )
