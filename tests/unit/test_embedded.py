"""Which experiments `make reproduce` runs: those that need nothing from elsewhere."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mmh.plan.inputs.run import Run
from mmh.plan.study import read_study

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())
FETCHING = {"cifar10-iddpm", "cifar10-stylegan2ada", "stable-diffusion"}


def test_the_shipped_experiments_that_fetch_nothing_are_printed_for_snakemake() -> None:
    command = [sys.executable, str(ROOT / "workflow" / "tools" / "embedded.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert yaml.safe_load(done.stdout) == [name for name in CONFIG["experiments"] if name not in FETCHING]
    assert done.stdout.count(" ") == 0  # a shell takes it as one word


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("data", {"world": "images", "path": "/elsewhere"}),
        ("data", {"world": "cifar10", "source": "cifar-10-python.tar.gz"}),
        ("model", {"kind": "diffusers", "path": "/elsewhere"}),
        ("model", {"kind": "diffusers", "id": "owner/name"}),
        ("retrieval", {"descriptor": "sscd-disc-mixup"}),
        ("image_sets", {"coco": {"files": ["coco_2017_url_text.parquet"]}}),
        ("prompt_lists", {"memorized": {"file": "mine.txt"}}),
    ],
)
def test_whatever_comes_from_elsewhere_counts(section: str, value: dict) -> None:
    config = copy.deepcopy(CONFIG)
    config["experiments"]["digits"][section] = value
    assert Run(CONFIG).embedded[1] == "digits"
    assert "digits" not in Run(config).embedded


@pytest.mark.parametrize("path", sorted((ROOT / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_studies_need_no_download(path: Path) -> None:
    assert set(read_study(path).run) <= set(Run(CONFIG).embedded)
