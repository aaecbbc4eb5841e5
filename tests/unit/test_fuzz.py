"""Damaged folders, label files, lists and configurations: each ends in a right result or in words, never in a traceback.

Some 500 of them, seeded; more by FUZZ=20, which multiplies their number.
"""

import csv
import io
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from diffusers import DDPMScheduler, UNet2DModel

from mmh.config.check import check_config
from mmh.config.files import ConfigFiles
from mmh.errors import InputError
from mmh.labels.label_files import read_label_files
from mmh.models import importing
from mmh.models.ddpm import model as ddpm_model
from mmh.models.loading import load_model
from mmh.models.trial import try_model
from mmh.prompts.lists import read_prompt_list

ROOT = Path(__file__).parents[2]
TIMES = int(os.environ.get("FUZZ", "1"))
FOLDERS, LABEL_FILES, LISTS, CONFIGURATIONS = (TIMES * n for n in (100, 160, 160, 80))
ODD = [
    "nan",
    "inf",
    "1e400",
    "-1",
    "99999999999999999999",
    "",
    "null",
    "true",
    "[",
    "{",
    '"',
    "'",
    "\\",
    "é",
    "\u200b",
]
ODD += [
    "\ufeff",
    "\x00",
    "exact",
    "0x10",
    "1_000",
    "1e-3",
    "2.0",
    "\t",
    ";",
    ",,",
    "a" * 5000,
    "- -",
    "<<: *x",
    "# ",
]


def damaged(data: bytes, r: random.Random) -> bytes:
    """One to three faults, as bad copies, editors and people make them."""
    for _ in range(r.randint(1, 3)):
        data = r.choice(DAMAGE)(data, r)
    return data


def _cut(data: bytes, r: random.Random) -> bytes:
    return data[: r.randint(0, len(data))]


def _flip(data: bytes, r: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(r.randint(1, 4)):
        if found:
            found[r.randrange(len(found))] = r.randrange(256)
    return bytes(found)


def _lines(data: bytes, r: random.Random) -> bytes:
    lines = data.split(b"\n")
    place = r.randrange(len(lines))
    if r.random() < 0.5:
        del lines[place]
    else:
        lines.insert(r.randrange(len(lines) + 1), lines[place])
    return b"\n".join(lines)


def _odd(data: bytes, r: random.Random) -> bytes:
    place = r.randint(0, len(data))
    return data[:place] + r.choice(ODD).encode() + data[place:]


def _exchange(data: bytes, r: random.Random) -> bytes:
    old, new = r.choice(
        [(b",", b";"), (b"\n", b"\r"), (b"\n", b"\r\n"), (b" ", b"\t"), (b'"', b""), (b":", b" :")]
    )
    return data.replace(old, new)


def _wide(data: bytes, r: random.Random) -> bytes:
    try:
        return data.decode().encode(r.choice(["utf-16", "utf-32", "latin-1"]))
    except UnicodeError:
        return data


DAMAGE: list[Callable[[bytes, random.Random], bytes]] = [_cut, _flip, _lines, _odd, _exchange, _wide]


def said(error: InputError, name: str, *, lines: int = 1) -> None:
    """What a refusal has to say: the file, in at most so many lines, without a library's innards."""
    text = str(error)
    assert name in text
    assert 1 <= len(text.splitlines()) <= lines, text
    assert "Traceback" not in text
    assert 'File "' not in text
    assert len(text) < 4000 * lines


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that is whole."""
    torch.manual_seed(0)
    network = UNet2DModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        block_out_channels=(8, 8),
        layers_per_block=1,
        norm_num_groups=2,
        down_block_types=("DownBlock2D",) * 2,
        up_block_types=("UpBlock2D",) * 2,
    )
    path = tmp_path_factory.mktemp("whole") / "theirs"
    ddpm_model.save(path, network, DDPMScheduler(100))
    return path


def changed(content: Any, r: random.Random) -> Any:
    """JSON with a value lost, or of another kind."""
    key = r.choice(sorted(content))
    values = [
        None,
        -1,
        0,
        7,
        1e9,
        2.5,
        "x",
        "linear",
        True,
        [],
        [1, 2],
        {},
        "nan",
        [8, 8],
        ["diffusers", "UNet2DModel"],
    ]
    if r.random() < 0.3:
        return {k: v for k, v in content.items() if k != key}
    return {**content, key: r.choice(values)}


@pytest.mark.parametrize("seed", range(FOLDERS))
def test_a_damaged_model_folder(seed: int, folder: Path, tmp_path: Path) -> None:
    r, theirs = random.Random(seed), tmp_path / "theirs"
    shutil.copytree(folder, theirs)
    file = r.choice(sorted(path for path in theirs.rglob("*") if path.is_file()))
    if r.random() < 0.1:
        file.unlink()
    elif file.suffix == ".json" and r.random() < 0.7:
        file.write_text(json.dumps(changed(json.loads(file.read_text()), r)))
    else:
        file.write_bytes(damaged(file.read_bytes(), r))
    options = SimpleNamespace(
        path=str(theirs), id=None, revision=None, mirrors=None, lora=None, lora_scale=1.0
    )
    try:
        importing.make(tmp_path / "imported", options, offline=True)
        model = load_model(tmp_path / "imported")
        found = try_model(model, {"size": 8, "channels": 1}, name=str(theirs))
    except InputError as error:
        said(error, "theirs" if "theirs" in str(error) else "imported")
        return
    assert found["shape"] == [1, 8, 8]
    assert np.isfinite(found["trial"]).all()
    assert np.isfinite(model.sample(np.arange(1), seed=0, steps=2, batch_size=1)).all()


LABELS = "sample,train,label,rater,time\n" + "".join(
    f"{i},{(7 * i) % 10},{('exact', 'unsure', 'not_memorized')[i % 3]},ann,2025-03-0{1 + i}T12:30:00\n"
    for i in range(9)
)


@pytest.mark.parametrize("seed", range(LABEL_FILES))
def test_a_damaged_label_file(seed: int, tmp_path: Path) -> None:
    rows = [(s, "calibrated_l2", 1, t, 1.0, 1.0) for s in range(10) for t in range(10)]
    matches = pd.DataFrame(rows, columns=["sample", "metric", "rank", "train", "distance", "score"])
    whole, _ = read_label_files([put(tmp_path / "whole.csv", LABELS.encode())], matches=matches)
    path = put(tmp_path / "ann.csv", damaged(LABELS.encode(), random.Random(seed)))
    try:
        votes, _ = read_label_files([path], matches=matches)
    except InputError as error:
        said(error, "ann.csv", lines=60)
        return
    # Whatever was read stands in the file as it was said.
    text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    for vote in votes.itertuples():
        line = text.split("\n")[vote.line - 1]
        assert str(vote.sample) in line
        assert vote.label in line
    assert len(votes) <= len(text.split("\n"))
    assert set(votes["label"]) <= set(whole["label"]) | {"reconstructive"}


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


TEXTS = [f"a prompt, number {i}; it is \"said\" of 'nine' — {'é' * (i % 3)}" for i in range(12)]


def listed(suffix: str) -> bytes:
    """The same prompts in each form that lists have."""
    if suffix == ".txt":
        return "\n".join(TEXTS).encode()
    if suffix == ".jsonl":
        return "\n".join(json.dumps({"caption": text}) for text in TEXTS).encode()
    if suffix == ".parquet":
        out = io.BytesIO()
        pd.DataFrame({"caption": TEXTS}).to_parquet(out)
        return out.getvalue()
    text = io.StringIO()
    if suffix == ".csv":
        csv.writer(text).writerows([["id", "caption"], *([i, t] for i, t in enumerate(TEXTS))])
    else:
        text.write("id\tcaption\n" + "".join(f"{i}\t{t}\n" for i, t in enumerate(TEXTS)))
    return text.getvalue().encode()


SUFFIXES = [".txt", ".csv", ".tsv", ".jsonl", ".parquet"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_whole_list_is_read_whole(suffix: str, tmp_path: Path) -> None:
    assert read_prompt_list(put(tmp_path / f"list{suffix}", listed(suffix)), column="caption") == TEXTS


@pytest.mark.parametrize("seed", range(LISTS))
def test_a_damaged_list_of_prompts(seed: int, tmp_path: Path) -> None:
    r = random.Random(seed)
    suffix = SUFFIXES[seed % len(SUFFIXES)]
    path = put(tmp_path / f"list{suffix}", damaged(listed(suffix), r))
    try:
        texts = read_prompt_list(path, column="caption")
    except InputError as error:
        said(error, path.name)
        return
    assert texts
    assert all(isinstance(text, str) and text.strip() for text in texts)
    assert all("\n" not in text and "\x00" not in text for text in texts)
    if suffix == ".txt":  # a line each, none dropped but empty ones
        text = path.read_bytes().decode("utf-8-sig")
        lines = text.split("\n" if "\n" in text else "\r")
        assert len(texts) == sum(bool(line.strip()) for line in lines)


@pytest.mark.parametrize("seed", range(CONFIGURATIONS))
def test_a_damaged_configuration(seed: int, tmp_path: Path) -> None:
    shipped = (ROOT / "config.yaml").read_bytes()
    path = put(tmp_path / "config.yaml", damaged(shipped, random.Random(seed)))
    try:
        files = ConfigFiles.of_options(path, [])
        config = check_config(files.merged(), files)
    except InputError as error:
        said(error, "config.yaml", lines=2000)
        return
    assert config["run"]
    assert set(config["run"]) <= set(config["experiments"])
