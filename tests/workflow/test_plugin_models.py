"""A kind of model and a world that lie outside of the checkout: two files, two lines and a block, no more."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from mmh.io.files import read_arrays, read_images, read_table
from mmh.io.tables import ALL_SCORES
from workflow_runs import ROOT, jobs_of, snakemake

CONFIG = """
run: []
seed: 0
threads: 1
plugins: [blur.py, blobs.py]
experiments:
  blobs:
    data: {world: blobs, n_train: 20}
    model: {kind: blur, width: 0.1}
    sampling: {n_samples: 6, shard_size: 3, batch_size: 3, steps: 100, calibration: 0}
    estimators:
      flipd: {method: flipd, items: [samples, train], t: 0.05, trace: exact, batch_size: 8, shard_size: 10}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("blobs")
    for name in ("blur.py", "blobs.py"):
        shutil.copy(ROOT / "docs" / "plugins" / name, place)
    (place / "config.yaml").write_text(CONFIG)
    snakemake(place, "results/blobs/scores.parquet")
    return place


def test_data_are_made_a_model_trained_and_samples_drawn(folder: Path) -> None:
    train, _ = read_images(folder / "results/blobs/data/train.npz")
    assert train.shape == (20, 1, 8, 8)
    assert pd.read_csv(folder / "results/blobs/training.csv")["step"].tolist() == [0]
    for span in ("000000-000002", "000003-000005"):
        x, ids = read_arrays(folder / f"results/blobs/samples/{span}.npz", "x", "id")
        assert len(ids) == 3
        assert abs(x[:, None] - train).reshape(3, 20, -1).max(axis=2).min(axis=1).max() < 0.1


def test_samples_and_training_images_are_scored(folder: Path) -> None:
    scores = read_table(folder / "results/blobs/scores.parquet", ALL_SCORES)
    assert scores.groupby("items").size().to_dict() == {"samples": 6, "train": 20}
    assert scores["value"].between(0, 64).all()


def test_an_edit_of_a_plug_in_reruns_what_it_makes(folder: Path) -> None:
    target = "results/blobs/scores.parquet"
    file = folder / "blur.py"
    text = file.read_text()
    file.write_text(text.replace("near = torch.softmax", "near = 1.0 * torch.softmax"))
    assert jobs_of(folder, target) == {"sample_images", "score_span", "gather_scores"}
    file.write_text("# a remark\n" + text)
    assert jobs_of(folder, target) == set()
    file.write_text(text)
