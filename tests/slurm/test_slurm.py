"""The workflow over a real SLURM with the shipped profile: jobs, groups, GPUs and retries as meant, bytes as locally."""

import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster import Cluster, wait_for
from slurm_runs import HERE, ROOT, Driver, differing, left_behind, profile, results

PATIENCE = 1200.0  # seconds until a run counts as hung; a busy machine needs half of it


@pytest.fixture(scope="module")
def run(cluster: Cluster, local_run: "Future[Path]", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of one run over SLURM; read only."""
    folder = tmp_path_factory.mktemp("slurm")
    shutil.copy(HERE / "config.yaml", folder / "config.yaml")
    Driver(cluster, folder, profile(folder / "profile")).wait(PATIENCE)
    return folder


@pytest.fixture(scope="module")
def jobs_of(cluster: Cluster, run: Path) -> Callable[[str], list[dict[str, str]]]:
    """The SLURM jobs of a rule or group in that run, oldest first."""
    jobs = sorted(cluster.jobs(), key=lambda job: int(job["id"]))
    ours = [job for job in jobs if job["folder"] == str(run)]
    return lambda rule: [job for job in ours if job["comment"].startswith(f"rule_{rule}")]


def test_every_result_equals_that_of_a_local_run(run: Path, local_run: "Future[Path]") -> None:
    assert differing(run, local_run.result()) == set()
    assert {"results/digits/evaluation.csv", "results/digits/scores.parquet"} <= set(results(run))


def test_nothing_half_written_is_left(run: Path) -> None:
    assert left_behind(run) == []


def test_every_span_is_a_job_on_the_gpu_partition(jobs_of: Callable[[str], list[Any]]) -> None:
    for rule in ("sample_images", "score_span"):
        jobs = jobs_of(rule)
        assert len(jobs) == 3
        assert {(job["state"], job["partition"]) for job in jobs} == {("COMPLETED", "gpu")}


def test_a_gpu_job_is_given_one_card(cluster: Cluster, jobs_of: Callable[[str], list[Any]]) -> None:
    shown = cluster.run("scontrol", "show", "job", jobs_of("score_spectra")[0]["id"])
    assert "TresPerNode=gres:gpu:fake:1" in shown


def test_the_small_steps_share_one_job(jobs_of: Callable[[str], list[Any]], run: Path) -> None:
    members = yaml.safe_load((ROOT / "profiles/slurm/profile.yaml").read_text())["groups"]
    assert [job["state"] for job in jobs_of("tables")] == ["COMPLETED"]
    assert [rule for rule in members if jobs_of(rule)] == []
    assert (run / "results/digits/claims.csv").is_file()


def test_a_job_short_of_memory_is_sent_again_with_more(
    jobs_of: Callable[[str], list[Any]], run: Path
) -> None:
    first, second = jobs_of("train_descriptor")
    assert (first["state"], first["memory"]) == ("FAILED", "600M")
    assert (second["state"], second["memory"]) == ("COMPLETED", "1200M")
    logs = (run / "logs/slurm/rule_train_descriptor").rglob(f"{first['id']}.log")
    assert "exceeded memory limit" in "".join(path.read_text() for path in logs)


def test_a_second_run_has_nothing_to_do(cluster: Cluster, run: Path, tmp_path: Path) -> None:
    dry = Driver(cluster, run, profile(tmp_path / "profile"), "--dry-run")
    assert "Nothing to be done" in dry.wait(PATIENCE)


def test_a_job_with_gpu_1_stops_by_name_where_there_is_no_cuda(
    cluster: Cluster, run: Path, tmp_path: Path
) -> None:
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine has a GPU")
    folder = tmp_path / "run"
    shutil.copytree(run, folder, copy_function=shutil.copy2)
    span = "results/digits/samples/000000-000007.npz"
    (folder / span).unlink()
    as_shipped = {"sample_images": {"gpu": 1, "gres": ""}}
    settings = profile(tmp_path / "profile", retries=0, **{"set-resources": as_shipped})
    text = Driver(cluster, folder, settings, span).wait(PATIENCE, status=1)
    assert "rule sample_images asks for a GPU (resource gpu > 0) but PyTorch finds no CUDA device" in text
    assert left_behind(folder) == []
    assert not (folder / span).exists()


def test_down_ends_jobs_that_do_not_want_to_end(cluster: Cluster, tmp_path: Path) -> None:
    """On a second cluster beside the first, whose processes are left alone."""
    other = Cluster(cluster.folder.with_name("d"))
    other.up()
    stubborn = "trap '' TERM; while :; do sleep 1; done"
    other.run("sbatch", f"--output={tmp_path}/log", "--mem=100", f"--wrap={stubborn}")
    assert wait_for(lambda: [job["state"] for job in other.jobs()] == ["RUNNING"], 30)
    other.down()
    assert other.processes() == []
    assert cluster.node_state() == "idle"
    with pytest.raises((RuntimeError, subprocess.TimeoutExpired)):
        other.run("squeue")
