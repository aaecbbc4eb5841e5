"""What goes wrong on a cluster, done to a real one; after each fault the results equal those of a quiet local run.

Every test starts from finished results without the spans of one estimator: `steady` (three spans of ten
seconds) or `long` (one span of two minutes, which outlives a time limit or a node's time-out, also where
nothing else runs). The cluster makes the spans again; what follows from them is made locally.
"""

import getpass
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from cluster import Cluster, wait_for
from slurm_runs import HERE, ROOT, Driver, differing, left_behind, profile

from workflow_runs import jobs_of, snakemake

PATIENCE = 1500.0  # seconds until a run counts as hung; a busy machine needs a good part of it
START = 400.0  # seconds until a span must have started
LEVELS = [round(0.02 + 0.01 * step, 2) for step in range(20)]
SLOW = {
    "steady": {"t": LEVELS[:10], "trace": 250, "shard_size": 8},
    "long": {"t": LEVELS, "trace": 1000, "shard_size": 24},
}
SPANS = {"steady": 3, "long": 1}


@pytest.fixture(scope="module")
def finished(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a local run with the slow estimators; read only."""
    folder = tmp_path_factory.mktemp("local")
    config = yaml.safe_load((HERE / "config.yaml").read_text())
    config["descriptors"]["digits-sscd"]["steps"] = 4  # nobody waits for it here
    estimators = config["experiments"]["digits"]["estimators"]
    for name, options in SLOW.items():
        estimators[name] = {**estimators["flipd"], **options}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    snakemake(folder)
    return folder


class Run:
    """A folder, its profile, and the jobs that were sent from it."""

    def __init__(
        self, cluster: Cluster, folder: Path, estimator: str, targets: list[str], **changes: object
    ) -> None:
        self.cluster, self.folder, self.estimator, self.targets = cluster, folder, estimator, targets
        self.profile = profile(folder / "profile", **changes)
        self.drivers: list[Driver] = []

    def start(self, *arguments: str, path: Path | None = None) -> Driver:
        arguments = (*arguments, "--", *self.targets)
        self.drivers.append(Driver(self.cluster, self.folder, self.profile, *arguments, path=path))
        return self.drivers[-1]

    def spans(self, *states: str) -> list[dict[str, str]]:
        """SLURM jobs of the spans in one of ``states`` (any by default), oldest first."""
        mark = f"_samples_{self.estimator}_"
        jobs = [job for job in self.cluster.jobs() if mark in job["comment"]]
        ours = [job for job in jobs if job["folder"] == str(self.folder)]
        return sorted(
            (job for job in ours if not states or job["state"] in states), key=lambda j: int(j["id"])
        )

    def owners(self) -> list[Path]:
        """Owners of spans whose script has begun."""
        return list((self.folder / "results/digits/scores/samples" / self.estimator).glob(".*.owner"))

    def wait_for_spans(self, count: int) -> None:
        ended = self.drivers[-1].process.poll
        wait_for(lambda: len(self.owners()) >= count or ended() is not None, START)
        assert len(self.owners()) >= count, f"{self.spans()}\n{self.drivers[-1].text()[-3000:]}"

    def log(self) -> str:
        """The rule's own logs, all spans together."""
        logs = (self.folder / "logs/score_span/digits/samples" / self.estimator).glob("*.log")
        return "".join(log.read_text() for log in sorted(logs))

    def unlock(self) -> subprocess.CompletedProcess[str]:
        """What `make unlock-slurm` runs."""
        script = str(ROOT / "workflow/tools/unlock.py")
        return subprocess.run(
            [sys.executable, script, "--slurm", "--snakefile", str(ROOT / "Snakefile")],
            cwd=self.folder,
            env=os.environ | self.cluster.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def must_equal(self, finished: Path) -> None:
        assert "score_span" not in jobs_of(self.folder), "the spans are there, and nobody doubts them"
        snakemake(self.folder)
        assert differing(self.folder, finished) == set()
        assert left_behind(self.folder) == []
        assert not list((self.folder / "chunks").rglob("*.npz"))
        assert not self.spans("RUNNING", "PENDING")


@pytest.fixture
def run_without(cluster: Cluster, finished: Path, tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Make a copy of the finished run that lacks the spans of an estimator; everything ends with the test."""
    runs: list[Run] = []

    def make(estimator: str, **changes: object) -> Run:
        folder = tmp_path / "run"
        shutil.copytree(finished, folder, copy_function=shutil.copy2)
        spans = folder / "results/digits/scores/samples" / estimator
        targets = sorted(path.relative_to(folder).as_posix() for path in spans.glob("*.parquet"))
        assert len(targets) == SPANS[estimator]
        shutil.rmtree(spans)
        # A span is not missed while what follows is there.
        for name in ("scores.parquet", "evaluation.csv"):
            (folder / "results/digits" / name).unlink()
        runs.append(Run(cluster, folder, estimator, targets, **changes))
        return runs[-1]

    yield make
    for driver in (driver for run in runs for driver in run.drivers):
        driver.process.kill()
        driver.process.wait()
    cluster.run("scancel", "--user", getpass.getuser(), check=False)
    wait_for(lambda: not cluster.run("squeue", "--noheader", check=False).strip(), 60)


def test_a_cancelled_span_is_sent_again(
    cluster: Cluster, run_without: Callable[..., Run], finished: Path
) -> None:
    run = run_without("steady")
    driver = run.start()
    run.wait_for_spans(1)
    victim = run.spans("RUNNING")[0]
    cluster.run("scancel", victim["id"])
    driver.wait(PATIENCE)
    assert len(run.spans("CANCELLED")) == 1
    assert len(run.spans("COMPLETED")) == SPANS["steady"]
    run.must_equal(finished)


def test_a_span_over_its_memory_is_sent_again_with_more(
    cluster: Cluster, run_without: Callable[..., Run], finished: Path
) -> None:
    need = {"score_span": {"mem_mb": "550 if attempt == 1 else 2000"}}
    run = run_without("steady", **{"set-resources": need})
    run.start().wait(PATIENCE)
    assert {job["memory"] for job in run.spans("FAILED")} == {"550M"}
    assert [job["memory"] for job in run.spans("COMPLETED")] == ["2000M"] * SPANS["steady"]
    run.must_equal(finished)


def test_a_span_over_its_time_goes_on_where_it_was(
    cluster: Cluster, run_without: Callable[..., Run], finished: Path
) -> None:
    time = {"score_span": {"runtime": "1 if attempt == 1 else 20"}}
    run = run_without("long", **{"set-resources": time})
    run.start().wait(PATIENCE)
    assert [job["state"] for job in run.spans()] == ["TIMEOUT", "COMPLETED"]
    resumed = re.search(r"resumed: (\d+) of 480 images", run.log())
    assert resumed
    assert int(resumed[1]) > 0
    run.must_equal(finished)


def test_a_node_daemon_that_dies_and_returns_goes_unnoticed(
    cluster: Cluster, run_without: Callable[..., Run], finished: Path
) -> None:
    run = run_without("steady")
    driver = run.start()
    run.wait_for_spans(2)
    cluster.kill("slurmd")
    cluster.start("slurmd")
    driver.wait(PATIENCE)
    assert [job["state"] for job in run.spans()] == ["COMPLETED"] * SPANS["steady"]
    run.must_equal(finished)


def test_a_dead_node_and_its_orphan(
    cluster: Cluster, run_without: Callable[..., Run], finished: Path
) -> None:
    """The controller gives the node up, the job is sent again; the old one runs on until the node is back."""
    run = run_without("long")
    driver = run.start()
    run.wait_for_spans(1)
    cluster.kill("slurmd")
    assert wait_for(lambda: len(run.spans("NODE_FAIL")) == 1, 120), run.spans()
    assert len(run.owners()) == 1, "the orphan writes on"
    cluster.start("slurmd")
    driver.wait(PATIENCE)
    assert [job["state"] for job in run.spans()] == ["NODE_FAIL", "COMPLETED"]
    run.must_equal(finished)


def test_a_controller_that_is_away_is_waited_for(
    cluster: Cluster, run_without: Callable[..., Run], finished: Path
) -> None:
    """Without accounting this takes the substitute for sacct; with the real one the driver would wait for ever."""
    run = run_without("steady")
    driver = run.start(path=ROOT / "profiles/slurm/no-accounting")
    run.wait_for_spans(2)
    cluster.kill("slurmctld", signal.SIGTERM)
    assert wait_for(lambda: "Falling back to 'sacct'" in driver.text(), START), driver.text()[-2000:]
    cluster.start("slurmctld")
    driver.wait(PATIENCE)
    assert [job["state"] for job in run.spans()] == ["COMPLETED"] * SPANS["steady"]
    run.must_equal(finished)


def test_ctrl_c_cancels_all_and_a_new_run_finishes(
    cluster: Cluster, run_without: Callable[..., Run], finished: Path
) -> None:
    run = run_without("steady")
    driver = run.start()
    run.wait_for_spans(2)
    driver.process.send_signal(signal.SIGINT)
    driver.wait(240, status=1)
    assert wait_for(lambda: not run.spans("RUNNING", "PENDING", "COMPLETING"), 30)
    assert left_behind(run.folder) == []
    run.start().wait(PATIENCE)
    run.must_equal(finished)


def test_a_killed_driver_is_cleaned_up_and_a_new_run_finishes(
    cluster: Cluster, run_without: Callable[..., Run], finished: Path
) -> None:
    run = run_without("steady")
    driver = run.start()
    run.wait_for_spans(2)
    assert "snakemake is running" in run.unlock().stderr
    assert len(run.spans("RUNNING")) == 2, "a refusal cancels nothing"
    assert "LockException" in run.start().wait(PATIENCE, status=1), "one driver at a time"
    driver.process.kill()
    driver.process.wait()
    assert len(run.spans("RUNNING")) == 2, "the jobs know nothing of it"
    done = run.unlock()
    assert done.returncode == 0, done.stderr
    assert not run.spans("RUNNING", "PENDING", "COMPLETING")
    assert left_behind(run.folder) == []
    run.start().wait(PATIENCE)
    run.must_equal(finished)


def test_an_orphan_and_a_new_run_never_mix(
    cluster: Cluster, run_without: Callable[..., Run], finished: Path
) -> None:
    """Unlocked by hand while the old job still writes: the new job owns the output, the old one gives up."""
    run = run_without("long")
    driver = run.start()
    run.wait_for_spans(1)
    driver.process.kill()
    driver.process.wait()
    run.start("--unlock").wait(PATIENCE)
    run.start().wait(PATIENCE)
    old, new = run.spans()
    assert wait_for(lambda: run.spans()[0]["state"] == "FAILED", 240), run.spans()
    assert int(old["id"]) < int(new["id"])
    assert new["state"] == "COMPLETED"
    run.must_equal(finished)
