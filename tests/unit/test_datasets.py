"""Readers of training sets: the layout of CIFAR-10, archives and pickles that mean harm, folders of images."""

import gzip
import io
import pickle
import struct
import tarfile
import zlib
from pathlib import Path
from typing import Any

import import_dataset
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mmh.errors import InputError
from mmh.io.arrays import read_arrays
from mmh.io.image_shards import read_column, read_images
from mmh.io.table_files import read_table
from mmh.io.tables import TRAIN
from mmh.worlds.sets import cifar10
from mmh.worlds.sets.cifar10 import read_cifar10
from mmh.worlds.sets.image_folder import read_image_folder

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
FOLDER = "cifar-10-batches-py"
BATCHES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
N = 3


class Python2:
    """Writes what Python 2 and NumPy 1 wrote in protocol 2: byte strings everywhere, no memo."""

    def __init__(self, module: str = "numpy.core.multiarray") -> None:
        self.module = module

    def text(self, value: bytes) -> bytes:
        return (
            b"T" + struct.pack("<i", len(value)) + value if len(value) > 255 else b"U%c" % len(value) + value
        )

    def integer(self, value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    def array(self, value: np.ndarray) -> bytes:
        kind = b"cnumpy\ndtype\n" + self.text(b"u1") + self.integer(0) + self.integer(1) + b"\x87R"
        kind += (
            b"(" + self.integer(3) + self.text(b"|") + b"NNN" + self.integer(-1) * 2 + self.integer(0) + b"tb"
        )
        shape = self.integer(value.shape[0]) + self.integer(value.shape[1]) + b"\x86"
        made = f"c{self.module}\n_reconstruct\ncnumpy\nndarray\n".encode()
        made += self.integer(0) + b"\x85" + self.text(b"b") + b"\x87R"
        return made + b"(" + self.integer(1) + shape + kind + b"\x89" + self.text(value.tobytes()) + b"tb"

    def sequence(self, items: list[bytes]) -> bytes:
        return b"](" + b"".join(items) + b"e"

    def batch(self, data: np.ndarray, labels: list[int], names: list[str]) -> bytes:
        pairs = [
            (b"batch_label", self.text(b"training batch 1 of 5")),
            (b"labels", self.sequence([self.integer(label) for label in labels])),
            (b"data", self.array(data)),
            (b"filenames", self.sequence([self.text(name.encode()) for name in names])),
        ]
        return b"\x80\x02}(" + b"".join(self.text(key) + value for key, value in pairs) + b"u."


def python3(keys: type, protocol: int = 2) -> Any:
    """Write a batch anew with Python 3, keys as text or as bytes."""

    def write(data: np.ndarray, labels: list[int], names: list[str]) -> bytes:
        batch: dict[Any, Any] = {"batch_label": "x", "labels": labels, "data": data, "filenames": names}
        if keys is bytes:
            batch = {key.encode(): value for key, value in batch.items()}
            batch[b"filenames"] = [name.encode() for name in names]
        return pickle.dumps(batch, protocol=protocol)

    return write


def contents(name: str, n: int = N) -> tuple[np.ndarray, list[int], list[str]]:
    """Values that differ in every place of every batch, with a batch's own seed."""
    generator = np.random.default_rng(BATCHES.index(name))
    data = generator.integers(0, 256, size=(n, 3072), dtype=np.uint8)
    return data, generator.integers(0, 10, size=n).tolist(), [f"{name}_s_{row:06}.png" for row in range(n)]


def meta(protocol: int = 0) -> bytes:
    return pickle.dumps({"num_cases_per_batch": 10000, "label_names": CLASSES, "num_vis": 3072}, protocol)


def members(write: Any = None, **changes: bytes | None) -> dict[str, bytes]:
    """The files of an archive; `changes` replaces (or with None removes) some."""
    write = write or Python2().batch
    files = {"readme.html": b"<p>", "batches.meta": meta()}
    files |= {name: write(*contents(name)) for name in BATCHES} | changes
    return {f"{FOLDER}/{name}": data for name, data in files.items() if data is not None}


def pack(path: Path, files: dict[str, bytes], *extra: tarfile.TarInfo, prefix: str = "") -> Path:
    with tarfile.open(path, "w:gz") as tar:
        folder = tarfile.TarInfo(FOLDER)
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, data in files.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for member in extra:
            tar.addfile(member, io.BytesIO(bytes(member.size)))
    return path


def refuses(path: Path, split: str = "train") -> str:
    with pytest.raises(InputError) as error:
        read_cifar10(path, split=split)
    message = str(error.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "cifar-10-python.tar.gz"


# ---- CIFAR-10

WRITERS = {
    "python 2": Python2().batch,
    "python 2, numpy 2 name": Python2("numpy._core.multiarray").batch,
    "python 3, text": python3(str),
    "python 3, bytes": python3(bytes),
    "python 3, protocol 4": python3(str, 4),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize(
    ("split", "names"), [("train", BATCHES[:5]), ("test", BATCHES[5:]), ("all", BATCHES)]
)
def test_cifar10_is_read_as_it_was_written(archive: Path, write: Any, split: str, names: list[str]) -> None:
    found = read_cifar10(pack(archive, members(write)), split=split)
    parts: list[list[Any]] = [[item for name in names for item in contents(name)[part]] for part in range(3)]
    data, labels, files = parts
    assert found.images.dtype == np.uint8
    assert found.images.shape == (N * len(names), 3, 32, 32)
    for image, row in zip(found.images, data, strict=True):  # the first 1024 are red, row by row
        assert (image[0, 0, 5], image[1, 2, 3], image[2, 31, 31]) == (row[5], row[1024 + 67], row[3071])
        np.testing.assert_array_equal(image.ravel(), row)
    assert found.labels is not None
    assert found.labels.dtype == np.int64
    assert found.labels.tolist() == labels
    assert found.names == tuple(files)
    assert found.class_names == tuple(CLASSES)


def test_the_writer_of_old_pickles_is_right() -> None:
    """What these tests take for a Python 2 pickle is one to the real unpickler and the real NumPy."""
    data, labels, names = contents("test_batch")
    batch = pickle.loads(Python2().batch(data, labels, names), encoding="bytes")
    np.testing.assert_array_equal(batch[b"data"], data)
    assert batch[b"labels"] == labels
    assert batch[b"filenames"] == [name.encode() for name in names]


def test_arrays_by_columns_are_read_in_their_order(archive: Path) -> None:
    def write(data: np.ndarray, labels: list[int], names: list[str]) -> bytes:
        return python3(str)(np.asfortranarray(data), labels, names)

    found = read_cifar10(pack(archive, members(write)), split="test")
    np.testing.assert_array_equal(found.images.reshape(N, -1), contents("test_batch")[0])


def test_nothing_is_extracted_and_paths_may_start_with_a_dot(archive: Path) -> None:
    pack(archive, members(), prefix="./")
    assert len(read_cifar10(archive).images) == 5 * N
    assert list(archive.parent.iterdir()) == [archive]


def special(name: str, kind: bytes, target: str = "", size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, target, size
    return member


HOSTILE = {
    "parent": (special("../evil", tarfile.REGTYPE), "leads out of the archive"),
    "inner parent": (special(f"{FOLDER}/../../evil", tarfile.REGTYPE), "leads out of the archive"),
    "absolute": (special("/etc/evil", tarfile.REGTYPE), "leads out of the archive"),
    "symbolic link": (special("link", tarfile.SYMTYPE, "/etc/passwd"), "is a link or a device"),
    "hard link": (special("link", tarfile.LNKTYPE, f"{FOLDER}/test_batch"), "is a link or a device"),
    "device": (special("null", tarfile.CHRTYPE), "is a link or a device"),
    "pipe": (special("pipe", tarfile.FIFOTYPE), "is a link or a device"),
    "large": (special("large", tarfile.REGTYPE, size=2**25 + 1), "has 33554433 bytes"),
    "twice": (special(f"{FOLDER}/batches.meta", tarfile.REGTYPE), "batches.meta twice"),
}


@pytest.mark.parametrize(("member", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_members_that_mean_harm_are_refused_wherever_they_are(
    archive: Path, member: tarfile.TarInfo, reason: str
) -> None:
    """After everything that is needed, so that only a look at the whole archive finds them."""
    assert reason in refuses(pack(archive, members(), member))


def test_an_archive_that_unpacks_without_end_is_refused(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cifar10, "_ARCHIVE_BYTES", 2**20)
    with tarfile.open(archive, "w:gz") as tar:  # a header of 2 MB, which tarfile would hold in memory
        member = tarfile.TarInfo("x")
        member.pax_headers = {"comment": "x" * 2**21}
        tar.addfile(member)
    assert "unpacks to more than 1048576 bytes" in refuses(archive)
    with gzip.open(archive, "ab") as file:
        file.write(bytes(2**22))
    assert "unpacks to more than" in refuses(archive)


class _Call:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.parts = (function, arguments)

    def __reduce__(self) -> Any:
        return self.parts


def batch_with(**changes: Any) -> bytes:
    data, labels, names = contents("test_batch")
    return pickle.dumps({"data": data, "labels": labels, "filenames": names} | changes, protocol=2)


DATA = contents("test_batch")[0]
UNTRUSTED = {
    "os.system": (b"cos\nsystem\n(S'touch hacked'\ntR.", "asks for os.system"),
    "builtin": (b"c__builtin__\neval\n(S'1'\ntR.", "asks for __builtin__.eval"),
    "through a module": (b"\x80\x04\x8c\x05numpy\x8c\nf2py.os.so\x93.", "asks for numpy.f2py.os.so"),
    "another of numpy": (batch_with(data=_Call(np.fromfile, "/etc/passwd")), "numpy.fromfile"),
    "array called": (b"cnumpy\nndarray\n(I4\ntR.", "not callable"),
    "array filled": (b"cnumpy\nndarray\n}b.", "gives a state to something that has none"),
    "maker filled": (b"cnumpy._core.multiarray\n_reconstruct\n(N}S'x'\nI1\nstb.", "gives a state"),
    "array changed": (
        b"cnumpy._core.multiarray\n_reconstruct\n(NNNtRS'a'\nS'b'\ns.",
        "does not support item assignment",
    ),
    "objects": (batch_with(data=DATA.astype(object)), "an array of type 'O8', expected bytes"),
    "wide": (batch_with(data=DATA.astype(np.int64)), "an array of type 'i8', expected bytes"),
    "no type": (
        b"cnumpy._core.multiarray\n_reconstruct\n(NNNtR(I1\n(I1\nI1\ntNI00\nS'a'\ntb.",
        "an array that is not of bytes",
    ),
    "codec": (b"c_codecs\nencode\n(Vx\nVzlib\ntR.", "text encoded by 'zlib', expected latin1"),
    "truncated": (batch_with()[:-10], "is no whole pickle"),
    "empty": (b"", "is no whole pickle"),
    "text": (b"hello", "is no whole pickle"),
}


@pytest.mark.parametrize(("stream", "reason"), UNTRUSTED.values(), ids=UNTRUSTED)
def test_pickles_that_ask_for_more_are_refused(
    archive: Path, stream: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(archive.parent)
    message = refuses(pack(archive, members(test_batch=stream)), "test")
    assert f"{FOLDER}/test_batch" in message
    assert reason in message
    assert not Path("hacked").exists()


def test_array_data_that_does_not_fill_its_shape_is_refused(archive: Path) -> None:
    stream = Python2().batch(*contents("test_batch"))
    short = stream.replace(struct.pack("<i", 3072) + b"\x86", struct.pack("<i", 3073) + b"\x86")
    assert short != stream
    assert "cannot reshape array" in refuses(pack(archive, members(test_batch=short)), "test")


LOOP: list[Any] = [1, 2]
LOOP.append(LOOP)
LAYOUT = {
    "no dictionary": ({"test_batch": pickle.dumps([1], 2)}, "must be a dictionary, it is a list"),
    "no data": (
        {"test_batch": pickle.dumps({"labels": [], "filenames": []}, 2)},
        "lacks data; it has labels",
    ),
    "data is a list": ({"test_batch": batch_with(data=[1])}, "data must be an array of shape (n, 3072)"),
    "columns": ({"test_batch": batch_with(data=DATA[:, :3000])}, "it has shape (3, 3000)"),
    "one axis": ({"test_batch": batch_with(data=DATA[0])}, "it has shape (3072,)"),
    "no rows": ({"test_batch": Python2().batch(DATA[:0], [], [])}, "it has shape (0, 3072)"),
    "few labels": ({"test_batch": batch_with(labels=[1, 2])}, "labels must be a list of 3 int"),
    "labels as text": ({"test_batch": batch_with(labels=["1"] * N)}, "labels must be a list of 3 int"),
    "labels as truth": ({"test_batch": batch_with(labels=[True] * N)}, "labels must be a list of 3 int"),
    "a list in itself": ({"test_batch": batch_with(labels=LOOP)}, "labels must be a list of 3 int"),
    "names": ({"test_batch": batch_with(filenames="abc")}, "filenames must be a list of 3 str"),
    "label 10": ({"test_batch": batch_with(labels=[0, 1, 10])}, "labels must lie in 0..9"),
    "label -1": ({"test_batch": batch_with(labels=[0, 1, -1])}, "labels must lie in 0..9"),
    "classes": ({"batches.meta": pickle.dumps({"label_names": [1]}, 0)}, "label_names must be a list"),
    "no classes": ({"batches.meta": pickle.dumps({"label_names": []}, 0)}, "label_names must be a list"),
    "missing": ({"test_batch": None}, f"lacks {FOLDER}/test_batch, found {FOLDER}, {FOLDER}/readme.html"),
    "no meta": ({"batches.meta": None}, f"lacks {FOLDER}/batches.meta"),
}


@pytest.mark.parametrize(("changes", "reason"), LAYOUT.values(), ids=LAYOUT)
def test_another_layout_is_named(archive: Path, changes: dict[str, bytes | None], reason: str) -> None:
    assert reason in refuses(pack(archive, members(**changes)), "test")


def test_batches_hold_equally_many(archive: Path) -> None:
    fewer = Python2().batch(*contents("data_batch_4", n=2))
    message = refuses(pack(archive, members(data_batch_4=fewer)))
    assert f"{FOLDER}/data_batch_4: holds 2 images, expected 3 as in {FOLDER}/data_batch_1" in message


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.999])
def test_a_truncated_archive_is_refused(archive: Path, kept: float) -> None:
    whole = pack(archive, members()).read_bytes()
    archive.write_bytes(whole[: int(len(whole) * kept)])
    message = refuses(archive)
    assert "delete it and run again" in message or "lacks" in message


def test_a_missing_checksum_and_a_flipped_bit_are_seen(archive: Path) -> None:
    whole = pack(archive, members()).read_bytes()
    archive.write_bytes(whole[:-8])  # only the trailer of gzip: every member is whole
    assert "cannot be read as a .tar.gz archive" in refuses(archive)
    archive.write_bytes(whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:])
    assert "CRC check failed" in refuses(archive)


def test_what_is_no_archive_is_refused(archive: Path) -> None:
    assert "no such file; run the rule that fetches it" in refuses(archive)
    archive.write_bytes(b"hello")
    assert "Not a gzipped file" in refuses(archive)
    with pytest.raises(InputError, match="split must be one of train, test, all, it is 'valid'"):
        read_cifar10(archive, split="valid")


def test_the_script_writes_images_and_their_table(archive: Path, tmp_path: Path) -> None:
    twin = contents("data_batch_2")[0]
    twin[1] = contents("data_batch_1")[0][2]  # row 4 repeats row 2
    pack(archive, members(data_batch_2=Python2().batch(twin, *contents("data_batch_2")[1:])))
    images, table = tmp_path / "train.npz", tmp_path / "train.parquet"
    options = {"source": archive.name, "split": "train", "n_train": 5 * N}
    import_dataset.main(archive, images, table, world="cifar10", options=options)
    image, ids, label = read_arrays(images, "image", "id", "class")
    found = read_cifar10(archive)
    np.testing.assert_array_equal(image, found.images)
    assert image.dtype == np.uint8
    assert ids.tolist() == list(range(5 * N))
    np.testing.assert_array_equal(label, found.labels)
    rows = read_table(table, TRAIN)
    group = [2 if row == 4 else row for row in range(5 * N)]
    expected = pd.DataFrame(
        {
            "train": range(5 * N),
            "source": range(5 * N),
            "population": [CLASSES[row] for row in label],
            "group": group,
            "copies": [group.count(row) for row in group],
        }
    )
    pd.testing.assert_frame_equal(rows, expected, check_dtype=False)
    x, _ = read_images(images)
    assert x.min() >= -1
    assert x.max() <= 1
    options["n_train"] = 50000
    images.unlink()
    with pytest.raises(
        InputError, match=r"holds 15 images, n_train in config.yaml is 50000; set n_train to 15"
    ):
        import_dataset.main(archive, images, table, world="cifar10", options=options)
    assert not images.exists()


# ---- folders

RED, HALF = (255, 0, 0), (255, 0, 0, 128)


def noise(seed: int, channels: int = 3, side: int = 4) -> np.ndarray:
    shape = (side, side, channels) if channels > 1 else (side, side)
    return np.random.default_rng(seed).integers(0, 256, size=shape, dtype=np.uint8)


def save(path: Path, pixels: np.ndarray | Image.Image, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)
    return path


def folder_error(folder: Path, size: int | None = None, channels: int = 3) -> str:
    with pytest.raises(InputError) as error:
        read_image_folder(folder, size=size, channels=channels)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("size", [4, None])
def test_images_are_read_in_the_order_of_their_paths(tmp_path: Path, size: int | None) -> None:
    for seed, name in enumerate(["b.png", "a.PNG", "c/d.webp", "a.bmp"]):
        save(tmp_path / "x" / name, noise(seed), **({"lossless": True} if "webp" in name else {}))
    (tmp_path / "x" / "notes.txt").write_text("no image")
    (tmp_path / "x" / "._b.png").write_bytes(b"what macOS leaves beside a file")
    found = read_image_folder(tmp_path, size=size, channels=3)
    assert found.names == ("x/a.PNG", "x/a.bmp", "x/b.png", "x/c/d.webp")
    expected = np.stack([noise(seed).transpose(2, 0, 1) for seed in (1, 3, 0, 2)])
    np.testing.assert_array_equal(found.images, expected)
    assert (found.images.dtype, found.class_names) == (np.uint8, ("x",))
    assert found.labels is not None
    assert found.labels.tolist() == [0] * 4


def test_a_jpeg_is_read_as_pillow_reads_it(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpeg", noise(0))
    found = read_image_folder(tmp_path, size=4, channels=3)
    np.testing.assert_array_equal(found.images[0], np.asarray(Image.open(path)).transpose(2, 0, 1))


def test_sub_folders_are_classes(tmp_path: Path) -> None:
    for seed, name in enumerate(["dog/1.png", "cat/deep/2.png", "dog/3.png"]):
        save(tmp_path / name, noise(seed))
    found = read_image_folder(tmp_path, size=4, channels=3)
    assert found.class_names == ("cat", "dog")
    assert found.labels is not None
    assert found.labels.tolist() == [0, 1, 1]
    save(tmp_path / "4.png", noise(4))
    message = folder_error(tmp_path)
    assert message.startswith(f"{tmp_path / '4.png'}: lies beside sub-folders (cat, ...)")


def test_without_sub_folders_there_are_no_classes(tmp_path: Path) -> None:
    save(tmp_path / "a.png", noise(0))
    found = read_image_folder(tmp_path, size=None, channels=3)
    assert found.labels is None
    assert found.class_names is None


def test_links_to_class_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    for seed, name in enumerate(["a/1.png", "b/2.png", "b/3.png"]):
        save(tmp_path / "real" / name, noise(seed))
    for folder in ("all", "one"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "b").symlink_to(tmp_path / "real" / "b")
    (tmp_path / "all" / "a").symlink_to(tmp_path / "real" / "a")
    save(tmp_path / "one" / "a" / "1.png", noise(0))
    (tmp_path / "one" / "a" / "again").symlink_to(tmp_path / "one")
    for folder in ("all", "one"):
        found = read_image_folder(tmp_path / folder, size=4, channels=3)
        assert found.names == ("a/1.png", "b/2.png", "b/3.png")
        assert found.class_names == ("a", "b")
        np.testing.assert_array_equal(found.images[2], noise(2).transpose(2, 0, 1))
    (tmp_path / "all" / "c").symlink_to(tmp_path / "gone")
    assert folder_error(tmp_path / "all").startswith(
        f"{tmp_path / 'all' / 'c'}: is a link to something that is not"
    )


def test_images_of_a_kind_that_is_not_read_are_named(tmp_path: Path) -> None:
    save(tmp_path / "a.png", noise(0))
    save(tmp_path / "b.TIF", noise(1))
    save(tmp_path / "c.gif", Image.fromarray(noise(2)).convert("P"))
    message = folder_error(tmp_path)
    assert message.startswith(f"{tmp_path / 'b.TIF'}: 2 images are of a kind that is not read (.gif, .tif)")


@pytest.mark.parametrize("mode", ["colour", "grey"])
def test_sixteen_bits_are_not_cut_to_eight(tmp_path: Path, mode: str) -> None:
    rows = b"".join(
        b"\0" + noise(row, 1, 8 if mode == "grey" else 24).tobytes()[: 8 if mode == "grey" else 24]
        for row in range(4)
    )
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 0 if mode == "grey" else 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    (tmp_path / "deep.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in chunks
        )
    )
    assert Image.open(tmp_path / "deep.png").size == (4, 4)
    message = folder_error(tmp_path, channels=1 if mode == "grey" else 3)
    assert message.startswith(f"{tmp_path / 'deep.png'}: has 16 bits a channel, expected 8")


def test_exif_turns_the_image(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    save(tmp_path / "a.png", noise(0), exif=exif)
    found = read_image_folder(tmp_path, size=4, channels=3)
    np.testing.assert_array_equal(found.images[0], np.rot90(noise(0), -1).transpose(2, 0, 1))


def test_palettes_and_transparency_are_resolved(tmp_path: Path) -> None:
    palette = Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4) % 2).convert("P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    save(tmp_path / "1.png", palette)
    save(tmp_path / "2.png", palette, transparency=1)
    save(tmp_path / "3.png", Image.new("RGBA", (4, 4), (255, 0, 0, 0)))
    save(tmp_path / "4.png", Image.new("RGBA", (4, 4), (255, 0, 0, 255)))
    save(tmp_path / "5.png", Image.new("RGBA", (4, 4), (255, 0, 0, 51)))
    save(tmp_path / "6.png", Image.new("RGB", (4, 4), RED), transparency=RED)
    images = read_image_folder(tmp_path, size=4, channels=3).images
    odd = np.arange(16).reshape(4, 4) % 2 == 1
    np.testing.assert_array_equal(images[0], np.where(odd, 40, 10) + np.array([0, 10, 20])[:, None, None])
    white = np.where(odd, 255, np.array([10, 20, 30])[:, None, None])
    np.testing.assert_array_equal(images[1], white)
    flat = [images[row].reshape(3, -1)[:, 0].tolist() for row in range(2, 6)]
    assert flat == [[255, 255, 255], [255, 0, 0], [255, 204, 204], [255, 255, 255]]
    assert all((images[row] == images[row][:, :1, :1]).all() for row in range(2, 6))


def test_grey_images_are_read_as_grey(tmp_path: Path) -> None:
    grey = noise(0, channels=1)
    save(tmp_path / "1.png", grey)
    save(tmp_path / "2.png", np.repeat(grey[:, :, None], 3, axis=2))
    save(tmp_path / "3.png", Image.fromarray(grey > 127))
    save(tmp_path / "4.png", Image.merge("LA", [Image.fromarray(grey), Image.new("L", (4, 4), 0)]))
    images = read_image_folder(tmp_path, size=4, channels=1).images
    assert images.shape == (4, 1, 4, 4)
    np.testing.assert_array_equal(images[:, 0], [grey, grey, 255 * (grey > 127), np.full((4, 4), 255)])


def test_the_first_image_of_another_kind_is_named(tmp_path: Path) -> None:
    save(tmp_path / "a.png", noise(0))
    grey = save(tmp_path / "b.png", noise(1, channels=1))
    save(tmp_path / "c.png", noise(2, channels=1))
    assert folder_error(tmp_path, 4).startswith(f"{grey}: is greyscale, expected colour; set channels to 1")
    assert folder_error(tmp_path, 4, channels=1).startswith(
        f"{tmp_path / 'a.png'}: is in colour, expected grey"
    )
    with pytest.raises(InputError, match="channels must be 1 or 3, it is 4"):
        read_image_folder(tmp_path, size=4, channels=4)


def test_other_depths_and_several_pictures_are_refused(tmp_path: Path) -> None:
    deep = save(tmp_path / "deep" / "a.png", np.full((4, 4), 1000, dtype=np.uint16))
    assert f"{deep}: has 16 bits a channel, expected 8; convert it" in folder_error(
        deep.parent, 4, channels=1
    )
    inks = save(tmp_path / "inks" / "a.jpg", Image.new("CMYK", (4, 4)))
    assert f"{inks}: is of mode CMYK" in folder_error(inks.parent, 4)
    frames = [Image.fromarray(noise(seed)) for seed in range(2)]
    film = save(tmp_path / "film" / "a.png", frames[0], save_all=True, append_images=frames[1:])
    assert f"{film}: holds 2 pictures, expected one" in folder_error(film.parent, 4)


def test_sizes_are_checked_and_nothing_is_resized(tmp_path: Path) -> None:
    save(tmp_path / "a.png", noise(0))
    assert f"{tmp_path / 'a.png'}: is 4 x 4 pixels, expected 32 x 32 (size 32" in folder_error(tmp_path, 32)
    odd = save(tmp_path / "b.png", noise(1, side=5))
    assert f"{odd}: is 5 x 5 pixels, expected 4 x 4 (as a.png)" in folder_error(tmp_path)
    assert f"{odd}: is 5 x 5 pixels, expected 4 x 4 (size 4" in folder_error(tmp_path, 4)
    for size in (None, 4):
        save(odd, noise(1)[:2])
        assert f"{odd}: is 4 x 2 pixels, expected a square" in folder_error(tmp_path, size)
    save(tmp_path / "a.png", noise(1)[:, :2])
    assert f"{tmp_path / 'a.png'}: is 2 x 4 pixels, expected a square" in folder_error(tmp_path)


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", noise(0, side=64))
    whole = path.read_bytes()
    for damage in (whole[: len(whole) // 2], b"", b"hello", whole[:40] + b"\0" * 40 + whole[80:]):
        path.write_bytes(damage)
        assert folder_error(tmp_path, 64).startswith(f"{path}: cannot be read as an image (")
    save(path, Image.fromarray(noise(0)), format="TIFF")  # a decoder that was not asked for
    assert "cannot be read as an image" in folder_error(tmp_path)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    assert folder_error(tmp_path / "none").startswith(f"{tmp_path / 'none'}: no such folder")
    (tmp_path / "a.txt").touch()
    assert folder_error(tmp_path).startswith(f"{tmp_path}: holds no images (.png, .jpg")


@pytest.mark.parametrize("classes", [False, True])
def test_the_script_takes_a_folder(tmp_path: Path, classes: bool) -> None:
    folder = tmp_path / "in"
    for row, (name, seed) in enumerate([("b", 1), ("a", 2), ("b", 1)]):
        save(folder / (f"{name}/{row}.png" if classes else f"{row}.png"), noise(seed))
    images, table = tmp_path / "train.npz", tmp_path / "train.parquet"
    options = {"path": str(folder), "n_train": 3, "size": 4, "channels": 3}
    import_dataset.main(folder, images, table, world="images", options=options)
    image, ids = read_arrays(images, "image", "id")
    order = [2, 1, 1] if classes else [1, 2, 1]
    np.testing.assert_array_equal(image, np.stack([noise(seed).transpose(2, 0, 1) for seed in order]))
    assert ids.tolist() == [0, 1, 2]
    label = read_column(images, "class", ids)
    assert label is None if not classes else label.tolist() == [0, 1, 1]
    rows = read_table(table, TRAIN)
    assert rows.population.tolist() == (["a", "b", "b"] if classes else ["train"] * 3)
    assert rows.group.tolist() == ([0, 1, 1] if classes else [0, 1, 0])
    assert rows["copies"].tolist() == ([1, 2, 2] if classes else [2, 1, 2])
    with pytest.raises(InputError, match=f"{folder}: holds 3 images, n_train in config.yaml is 4"):
        import_dataset.main(folder, images, table, world="images", options=options | {"n_train": 4})
