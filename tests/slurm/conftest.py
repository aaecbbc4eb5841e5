"""One cluster and one local run for all tests of a session."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from cluster import Cluster, missing_programs
from slurm_runs import HERE

from workflow_runs import snakemake


def _need_slurm() -> None:
    if missing := missing_programs():
        reason = (
            f"SLURM was NOT tested: {', '.join(missing)} not found (Debian: apt-get install "
            "--no-install-recommends slurmctld slurmd munge slurm-client)"
        )
        warnings.warn(pytest.PytestWarning(reason), stacklevel=1)  # shown even where skips are not
        pytest.skip(reason)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster that is up; after the tests it is brought down and must leave no process."""
    _need_slurm()
    folder = Path(tempfile.mkdtemp(prefix="mmh-slurm-", dir="/tmp"))  # short: it holds a socket
    folder.chmod(0o755)
    cluster = Cluster(folder / "c")
    cluster.up()
    yield cluster
    cluster.down()
    left = cluster.processes()
    shutil.rmtree(folder, ignore_errors=True)
    assert left == []


@pytest.fixture(scope="session")
def local_run(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Future[Path]"]:
    """The same configuration without SLURM, begun at once and running beside what the tests do first."""
    folder = tmp_path_factory.mktemp("local")
    shutil.copy(HERE / "config.yaml", folder / "config.yaml")

    def run() -> Path:
        snakemake(folder)
        return folder

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(run)


@pytest.fixture(scope="session")
def local(local_run: "Future[Path]") -> Path:
    """Finished results of the local run; read only. A test that asks for it waits before it does anything else."""
    return local_run.result()
