"""A kind of model and a world that lie outside of the checkout: two files, two lines and a block, no more."""

import re
from pathlib import Path

import pandas as pd
import pytest

from mmh.io.files import read_arrays, read_images, read_table
from mmh.io.tables import ALL_SCORES
from workflow_runs import ROOT, jobs_of, snakemake

WORLD = '''
from mmh.config import options
from mmh.config.options import Field
from mmh.worlds.base import World


class Dots(World):
    """Images of one bright pixel, each twice."""

    name = "dots"

    class Options(options.Options):
        """Images of one bright pixel, each twice."""

        n_train: int = Field(ge=2, le=128, multiple_of=2)
        """number of images"""


def make(*, n_train):
    import numpy as np
    import pandas as pd

    ids = np.arange(n_train)
    x = np.full((n_train, 64), -1.0, dtype=np.float32)
    x[ids, ids // 2] = 1.0
    row = {"train": ids, "source": ids // 2, "population": "dot", "group": ids - ids % 2, "copies": 0 * ids + 2}
    return x.reshape(-1, 1, 8, 8), pd.DataFrame(row)
'''
CONFIG = """
run: []
seed: 0
threads: 1
plugins: [my_kinds.py, my_worlds.py]
experiments:
  dotted:
    data: {world: dots, n_train: 10}
    model: {kind: blur, width: 0.1}
    sampling: {n_samples: 6, shard_size: 3, batch_size: 3, steps: 100, calibration: 0}
    estimators:
      flipd: {method: flipd, items: [samples, train], t: 0.05, trace: exact, batch_size: 8, shard_size: 10}
"""


@pytest.fixture(scope="module")
def dotted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dotted")
    text = (ROOT / "docs" / "adding-a-model.md").read_text(encoding="utf-8")
    (kind,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    (folder / "my_kinds.py").write_text(kind)
    (folder / "my_worlds.py").write_text(WORLD)
    (folder / "config.yaml").write_text(CONFIG)
    snakemake(folder, "results/dotted/scores.parquet")
    return folder


def test_data_are_made_a_model_trained_and_samples_drawn(dotted: Path) -> None:
    train, _ = read_images(dotted / "results/dotted/data/train.npz")
    assert train.shape == (10, 1, 8, 8)
    assert pd.read_csv(dotted / "results/dotted/training.csv")["step"].tolist() == [0]
    for span in ("000000-000002", "000003-000005"):
        x, ids = read_arrays(dotted / f"results/dotted/samples/{span}.npz", "x", "id")
        assert len(ids) == 3
        assert abs(x[:, None] - train).reshape(3, 10, -1).max(axis=2).min(axis=1).max() < 0.1


def test_samples_and_training_images_are_scored(dotted: Path) -> None:
    scores = read_table(dotted / "results/dotted/scores.parquet", ALL_SCORES)
    assert scores.groupby("items").size().to_dict() == {"samples": 6, "train": 10}
    assert scores["value"].between(0, 64).all()


def test_an_edit_of_a_plug_in_reruns_what_it_makes(dotted: Path) -> None:
    target = "results/dotted/scores.parquet"
    file = dotted / "my_kinds.py"
    text = file.read_text()
    file.write_text(text.replace("near = torch.softmax", "near = 1.0 * torch.softmax"))
    assert jobs_of(dotted, target) == {"sample_images", "score_span", "gather_scores"}
    file.write_text("# a remark\n" + text)
    assert jobs_of(dotted, target) == set()
    file.write_text(text)
