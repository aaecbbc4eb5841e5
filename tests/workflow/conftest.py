"""One finished run of the tiny configuration, shared by the tests of this folder."""

import shutil
from pathlib import Path

import pytest

from workflow_runs import TINY, snakemake


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the tiny configuration; read only, tests that change something copy it."""
    folder = tmp_path_factory.mktemp("tiny")
    shutil.copy(TINY / "config.yaml", folder / "config.yaml")
    snakemake(folder)
    return folder


@pytest.fixture
def tiny_copy(tiny: Path, tmp_path: Path) -> Path:
    """A copy of the finished tiny run, modification times kept."""
    shutil.copytree(tiny, tmp_path / "run", copy_function=shutil.copy2)
    return tmp_path / "run"
