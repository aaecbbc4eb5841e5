"""One finished run of the tiny configuration, shared by the tests of this folder."""

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from workflow_runs import TINY, snakemake


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the tiny configuration; read only, tests that change something copy it.

    The processes of one test run share it: whoever comes first makes it, the others wait.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder = root / "tiny"
    with (root / "tiny.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "tiny.done").exists():
            folder.mkdir(exist_ok=True)
            shutil.copy(TINY / "config.yaml", folder / "config.yaml")
            snakemake(folder, trace=folder / "trace")
            (root / "tiny.done").touch()
    return folder


@pytest.fixture
def tiny_copy(tiny: Path, tmp_path: Path) -> Path:
    """A copy of the finished tiny run, modification times kept."""
    shutil.copytree(tiny, tmp_path / "run", copy_function=shutil.copy2)
    return tmp_path / "run"
