"""Finished runs of the tiny configuration, shared by the tests of this folder."""

import fcntl
import os
import re
import shutil
from pathlib import Path

import pytest

from workflow_runs import TINY, snakemake

# A model of points, one of images and one of captions; the other experiments are run by long tests.
FEW = "run: [von-mises, digits, digits-text]"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of some experiments; read only, tests that change something copy it."""
    return shared_run(tmp_path_factory, "tiny", FEW)


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of all experiments, for long tests; read only."""
    return shared_run(tmp_path_factory, "everything", None)


@pytest.fixture(params=["tiny", pytest.param("everything", marks=pytest.mark.long)])
def each_run(request: pytest.FixtureRequest) -> Path:
    """Both, one after the other."""
    folder: Path = request.getfixturevalue(request.param)
    return folder


def shared_run(factory: pytest.TempPathFactory, name: str, run: str | None) -> Path:
    """Run the tiny configuration once for all processes of one test run: who comes first makes it."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder = root / name
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / f"{name}.done").exists():
            folder.mkdir(exist_ok=True)
            text = (TINY / "config.yaml").read_text()
            (folder / "config.yaml").write_text(re.sub("^run: .*$", run, text, flags=re.M) if run else text)
            snakemake(folder, trace=folder / "trace")
            (root / f"{name}.done").touch()
    return folder


@pytest.fixture
def tiny_copy(tiny: Path, tmp_path: Path) -> Path:
    """A copy of the finished tiny run, modification times kept."""
    shutil.copytree(tiny, tmp_path / "run", copy_function=shutil.copy2)
    return tmp_path / "run"
