"""Rows of kinds of models and worlds: what they name is there, what fits what, and rows of plug-ins."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmh.compute.network_cost import IDDPM
from mmh.digest.code import code_digest, edited_digest
from mmh.errors import InputError
from mmh.models.base import DESCRIPTIONS, KINDS, Kind, SamplingOptions, SamplingPlan
from mmh.models.loading import kind_of, load_model
from mmh.options.entries import Entry
from mmh.rows import load_plugin, load_plugins, root_of
from mmh.worlds.base import WORLDS

PLUGIN = '''
import json
import re
from pathlib import Path

from mmh.options import base as options
from mmh.options.base import Field
from mmh.models.base import Kind, SamplingOptions
from mmh.worlds.base import World


class Mean(Kind):
    """Every sample is the mean of the training set."""

    name = "mean"
    folders = (("model.json", "Mean"),)

    class Options(options.Options):
        """A mean."""

        factor: float = Field(1.0, gt=0)
        """what it is multiplied by"""

    class Sampling(SamplingOptions):
        """Nothing to choose."""

        offset: float
        """what is added to every sample"""


class Dots(World):
    """Images of one bright pixel."""

    name = "dots"

    class Options(options.Options):
        """Images of one bright pixel."""

        n_train: int = Field(ge=1)
        """number of images"""


def make(*args, inputs=None, n_train=0, **settings):
    import numpy as np
    import pandas as pd

    if inputs is None:
        x = np.full((n_train, 1, 8, 8), -1.0, dtype=np.float32)
        x[:, 0, 0, 0] = 1.0
        ids = np.arange(n_train)
        row = {"train": ids, "source": ids, "population": "dot", "group": 0 * ids, "copies": 0 * ids + n_train}
        return x, pd.DataFrame(row)
    from mmh.io.image_shards import read_images

    folder, options = args
    Path(folder).mkdir()
    x, _ = read_images(inputs["images"])
    mean = (options.factor * x.mean(axis=0)).tolist()
    (Path(folder) / "model.json").write_text(json.dumps({"class": "Mean", "mean": mean}))
    return pd.DataFrame({"step": [1], "loss": [0.0]})


def load(folder, *, device):
    import numpy as np

    class Loaded:
        classes = None

        def sample(self, ids, *, seed, batch_size, offset=0.0, progress=None):
            mean = np.array(json.loads((folder / "model.json").read_text())["mean"], dtype=np.float32)
            return np.repeat(mean[None] + offset, len(ids), axis=0)

        def latents(self, ids, *, seed):
            return {}

    return Loaded()
'''


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Any:
    file = tmp_path_factory.mktemp("plugins") / "mine.py"
    file.write_text(PLUGIN)
    assert load_plugin(file, [KINDS, WORLDS]) == {"kind of model": ["mean"], "world": ["dots"]}
    yield file
    for table, name in ((KINDS, "mean"), (WORLDS, "dots")):
        del table.rows()[name]


def test_every_function_that_a_row_names_is_there() -> None:
    named = [(row, name) for row in KINDS.rows().values() for name in (row.maker, row.loader)]
    named += [(row, row.maker) for row in WORLDS.rows().values() if row.made != "none"]
    named += [(row, row.classifier) for row in WORLDS.rows().values() if row.classifier]
    for row, name in named:
        module, function = name.split(":")
        assert callable(getattr(import_module(module or row.__module__), function)), (row.name, name)


def test_every_kind_has_folders_of_its_own_or_makes_those_of_others() -> None:
    claimed = [folder for row in KINDS.rows().values() for folder in row.folders]
    assert len(set(claimed)) == len(claimed)
    assert {file for file, _ in claimed} <= set(DESCRIPTIONS)
    for row in KINDS.rows().values():
        assert bool(row.folders) != bool(row.loads), row.name
        assert all(KINDS[name].folders for name in row.loads)
        assert "load" in row.loader


FITTING = {
    "von-mises": {"edm-mlp"},
    "digits": {"unet", "gan"},
    "digits-overfit": {"unet", "gan"},
    "digits-control": {"unet", "gan"},
    "cifar10": {"iddpm", "stylegan2", "diffusers"},
    "images": {"iddpm", "stylegan2", "diffusers"},
    "digits-text": {"text-to-image"},
    "none": {"diffusers"},
}


@pytest.mark.parametrize(("world", "kinds"), FITTING.items())
def test_models_fit_worlds(world: str, kinds: set[str]) -> None:
    rows = KINDS.among(set().union(*FITTING.values()))  # others may be added
    assert {name for name, row in rows.items() if row.fits(WORLDS[world])} == kinds
    for name, row in rows.items():
        sections = {"data": {"world": world}, "model": {"kind": name}}
        entry = Entry({"experiments": {"mine": sections}}, "mine")
        found = list(Kind.check.__func__(row, None, entry, "experiments.mine.model"))  # type: ignore[attr-defined]
        assert bool(found) == (name not in kinds)
        for text in found:
            assert text.startswith("experiments.mine.model.kind: ")
            assert all(repr(one) in text for one in kinds)


def test_no_key_of_the_sampling_stands_twice() -> None:
    for row in KINDS.rows().values():
        if row.Sampling is not None:
            assert issubclass(row.Sampling, SamplingOptions)
            assert not set(SamplingPlan.model_fields) & set(row.Sampling.model_fields)


def test_a_folder_of_no_known_kind_is_refused_by_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(json.dumps({"class": "Nobody"}))
    with pytest.raises(
        InputError, match=r"names the class 'Nobody'; .*'EdmNetwork', .*'StyleGan2Generator'.* can be"
    ):
        kind_of(tmp_path)
    (tmp_path / "process.json").write_text(json.dumps({"kind": "other"}))
    with pytest.raises(InputError, match=r"process\.json names the kind 'other'; .*'iddpm'.* can be loaded"):
        load_model(tmp_path)


def test_a_kind_and_a_world_of_a_plug_in_are_made_and_loaded(plugin: Path, tmp_path: Path) -> None:
    import make_dataset
    import sample_images
    import train_model

    from mmh.io.image_shards import read_images

    images, model = tmp_path / "train.npz", tmp_path / "model"
    make_dataset.main(
        images, tmp_path / "train.parquet", world="dots", options={"n_train": 3}, plugins=[str(plugin)]
    )
    train_model.main(
        {"images": images}, model, tmp_path / "h.csv", kind="mean", options={}, seed=0, progress=None
    )
    assert kind_of(model).name == "mean"
    options = {"batch_size": 2, "offset": 0.5}
    sample_images.main(
        model,
        tmp_path / "samples.npz",
        span="000000-000004",
        options=options,
        seed=0,
        device="cpu",
        progress=lambda total, unit="": lambda done: None,
    )
    x, ids = read_images(tmp_path / "samples.npz")
    assert ids.tolist() == list(range(5))
    np.testing.assert_array_equal(x[:, 0, 0, 0], 1.5)


def test_rows_of_a_plug_in_need_no_cost_and_no_list_of_what_fits(plugin: Path) -> None:
    load_plugins([plugin], KINDS, WORLDS)  # once more: nothing happens
    mean, dots = KINDS["mean"], WORLDS["dots"]
    assert mean.fits(dots)
    assert KINDS["unet"].fits(dots)
    assert dots.dim({"n_train": 3}) == 64
    assert dots.cost_of_making({"n_train": 3}).seconds > 0
    assert mean.network({}, 3072) == IDDPM.scaled(1, 1)
    assert mean.cost_of_making({}, points=3, dim=64).seconds > 0
    assert root_of(mean) == (plugin, "Mean")
    for function, script, other in (("make", "train", "sample"), ("load", "sample", "train")):
        head, mark, rest = plugin.read_text().partition(f"\ndef {function}(")
        digest = edited_digest(
            {plugin.resolve(): head + mark + rest.replace("\n    ", "\n    added = 1\n    ", 1)}
        )
        scripts = {"train": "train_model.py", "sample": "sample_images.py"}
        assert digest(scripts[script], root_of(mean)) != code_digest(scripts[script], root_of(mean))
        assert digest(scripts[other], root_of(mean)) == code_digest(scripts[other], root_of(mean))
    assert mean.read({"kind": "mean"}).factor == 1.0
    other = plugin.with_name("other.py")
    other.write_text("from mmh.models.base import Kind\n\n\nclass Unet(Kind):\n    name = 'unet'\n")
    with pytest.raises(InputError, match=r"the kind of model 'unet' exists already, in .*unet\.py"):
        load_plugin(other, [KINDS])


def test_the_kind_in_the_docs_is_whole(tmp_path: Path) -> None:
    import make_dataset
    import sample_images
    import train_model

    from mmh.io.image_shards import read_images

    file = Path(__file__).parents[2] / "docs" / "plugins" / "blur.py"
    images, model = tmp_path / "train.npz", tmp_path / "model"
    assert load_plugin(file, [KINDS]) == {"kind of model": ["blur"]}
    try:
        digits = {"n_train": 5, "seed": 0}
        make_dataset.main(images, tmp_path / "train.parquet", world="digits-overfit", options=digits)
        options = {"width": 0.1}
        train_model.main(
            {"images": images}, model, tmp_path / "h.csv", kind="blur", options=options, seed=0, progress=None
        )
        sample_images.main(
            model,
            tmp_path / "samples.npz",
            span="000000-000009",
            options={"batch_size": 4, "steps": 100},
            seed=0,
            device="cpu",
            progress=lambda total, unit="": lambda done: None,
        )
        x, samples = read_images(images)[0], read_images(tmp_path / "samples.npz")[0]
        distance = np.linalg.norm((samples[:, None] - x).reshape(10, 5, -1), axis=2)
        assert distance.min(axis=1).max() < 0.2  # each chain ends at a training image
        assert load_model(model).score_model().shape == (1, 8, 8)
    finally:
        del KINDS.rows()["blur"]
