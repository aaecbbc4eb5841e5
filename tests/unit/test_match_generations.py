"""Generations beside the training image of their prompt, by the copy descriptor: the script on small files."""

import itertools

import match_generations
import numpy as np
import pandas as pd
import pytest
import torch

from mmh.errors import InputError
from mmh.io.arrays import write_arrays
from mmh.io.table_files import read_table, write_table
from mmh.io.tables import GENERATION_MATCHES, IMAGE_SET, PROMPTS

SHAPE = (3, 8, 8)


class Colours(torch.nn.Module):
    """Coarse colours: a descriptor whose cosine is known by hand."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(x, 2).flatten(1)


def cosine(a, b):
    """Of 2 x 2 means of pixels in [-1, 1], in NumPy."""
    u, v = ((x / 127.5 - 1).reshape(3, 2, 4, 2, 4).mean(axis=(2, 4)).ravel() for x in (a, b))
    return u @ v / np.linalg.norm(u) / np.linalg.norm(v)


@pytest.fixture
def world(tmp_path):
    """Training images with ids 3, 5, 7; two sets of two prompts, of which two have a training image."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, *SHAPE), dtype=np.uint8)
    write_arrays(tmp_path / "train.npz", image=images, id=np.array([3, 5, 7]))
    torch.jit.script(Colours()).save(str(tmp_path / "colours.pt"))
    prompts = pd.DataFrame(
        {
            "prompt_set": ["memorized", "memorized", "generic", "generic"],
            "prompt": [0, 1, 0, 1],
            "text": ["a", "b", "c", "d"],
            "family": range(4),
            "train": pd.array([7, 3, None, None], dtype="Int64"),
        }
    )
    write_table(prompts, tmp_path / "prompts.parquet", PROMPTS)
    drawn = {name: rng.integers(0, 256, (4, *SHAPE), dtype=np.uint8) for name in ("memorized", "generic")}
    drawn["memorized"][1] = images[2]  # generation 1 of prompt 0 is the training image itself
    save(tmp_path, drawn)
    return tmp_path, images, drawn


def save(folder, drawn, spans=((0, 1), (2, 3))):
    """Two generations a prompt; by default a file a prompt."""
    for (name, pixels), (first, last) in itertools.product(drawn.items(), spans):
        rows = np.arange(first, last + 1)
        path = folder / "generations" / name / f"{first:06}-{last:06}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_arrays(path, image=pixels[rows], id=rows, prompt=rows // 2, generation=rows % 2)


def match(folder, images="train.npz", captions=(), batch_size=4):
    out = folder / "matches.parquet"
    match_generations.main(
        folder / "prompts.parquet",
        sorted((folder / "generations").rglob("*.npz")),
        folder / images,
        list(captions),
        folder / "colours.pt",
        out,
        preprocess="native",
        batch_size=batch_size,
        device="cpu",
        progress=lambda total, unit="step": lambda done, **values: None,
    )
    return read_table(out, GENERATION_MATCHES)


def test_each_generation_is_compared_with_the_image_of_its_own_prompt(world):
    folder, images, drawn = world
    found = match(folder)
    assert found["prompt_set"].tolist() == ["memorized"] * 4
    assert found["prompt"].tolist() == [0, 0, 1, 1]
    assert found["generation"].tolist() == [0, 1, 0, 1]
    assert found["train"].tolist() == [7, 7, 3, 3]
    expected = [cosine(drawn["memorized"][row], images[which]) for row, which in enumerate([2, 2, 0, 0])]
    np.testing.assert_allclose(found["similarity"], expected, atol=1e-6)
    assert found["similarity"][1] == pytest.approx(1, abs=1e-6)
    assert found["similarity"].drop(1).max() < 0.9


def test_the_cut_of_the_generations_does_not_matter(world):
    folder, _, drawn = world
    apart = match(folder)
    for path in (folder / "generations").rglob("*.npz"):
        path.unlink()
    save(folder, drawn, spans=[(0, 3)])
    assert match(folder)["similarity"].to_numpy().tobytes() == apart["similarity"].to_numpy().tobytes()


def test_prompts_are_looked_up_by_the_captions_of_an_image_set(world):
    """The first image of a caption stands for it; `train` of the prompts is of another set and does not count."""
    folder, images, drawn = world
    write_arrays(folder / "set.npz", image=images, id=np.arange(3))
    table = pd.DataFrame({"item": range(3), "caption": ["d", "a", "a"], "family": 0, "source": "test"})
    write_table(table, folder / "set.parquet", IMAGE_SET)
    found = match(folder, "set.npz", [folder / "set.parquet"]).set_index(
        ["prompt_set", "prompt", "generation"]
    )
    assert found["train"].to_dict() == {
        ("generic", 1, 0): 0,
        ("generic", 1, 1): 0,
        ("memorized", 0, 0): 1,
        ("memorized", 0, 1): 1,
    }
    expected = cosine(drawn["generic"][2], images[0])
    assert found["similarity"]["generic", 1, 0] == pytest.approx(expected, abs=1e-6)


def test_an_image_that_is_not_at_hand_leaves_its_prompt_out(world):
    folder, images, _ = world
    write_arrays(folder / "train.npz", image=images[:2], id=np.array([3, 5]))
    assert match(folder)["prompt"].tolist() == [1, 1]


def test_prompts_without_any_training_image_give_an_empty_table(world):
    folder, images, _ = world
    write_arrays(folder / "train.npz", image=images[:1], id=np.array([11]))
    found = match(folder)
    assert len(found) == 0
    assert list(found.columns) == ["prompt_set", "prompt", "generation", "train", "similarity"]


def test_a_table_of_another_kind_is_refused(world):
    folder, _, _ = world
    table = pd.DataFrame({"item": [0], "caption": ["a"], "family": [0], "source": ["test"]})
    write_table(table, folder / "prompts.parquet", IMAGE_SET)
    with pytest.raises(InputError, match=r"prompts\.parquet"):
        match(folder)
