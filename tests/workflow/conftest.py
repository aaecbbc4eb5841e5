"""Run the real Snakefile in a folder of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TINY = Path(__file__).parent / "tiny"


def snakemake(folder: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run snakemake on the project's Snakefile with ``folder`` as its working directory."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    command += ["--profile", str(ROOT / "profiles" / "default"), "--cores", "2", *arguments]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"snakemake {' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}")
    return done


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


@pytest.fixture
def jobs_of() -> Callable[..., set[str]]:
    """Names of the rules that a dry run would run, after its output."""

    def names(folder: Path, *arguments: str) -> set[str]:
        done = snakemake(folder, "--dry-run", "--quiet", "rules", *arguments)
        table = [line.split() for line in done.stdout.splitlines()]
        return {row[0] for row in table if len(row) == 2 and row[1].isdigit() and row[0] not in {"total", "all"}}

    return names
