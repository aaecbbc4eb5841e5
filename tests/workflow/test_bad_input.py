"""Bad input stops its step with one clear line; nothing half-written stays; a killed run resumes."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workflow_runs import ROOT, jobs_of, snakemake

LABELS = "results/digits/labels.parquet"
HEADER = "sample,train,label,rater,time\n"


def last_line(folder: Path, log: str) -> str:
    return (folder / "logs" / log).read_text().strip().splitlines()[-1]


def partials(folder: Path) -> list[Path]:
    return [path for path in (folder / "results").rglob("*") if ".partial" in path.name]


def fails(folder: Path, *arguments: str) -> str:
    done = snakemake(folder, *arguments, check=False)
    assert done.returncode != 0
    return done.stdout + done.stderr


def test_an_unknown_key_stops_before_any_job(tiny_copy: Path) -> None:
    config = tiny_copy / "config.yaml"
    config.write_text(config.read_text().replace("n_samples: 24,", "n_samples: 24, n_sampels: 3,"))
    output = fails(tiny_copy)
    assert "experiments.digits.sampling.n_sampels: unknown key (did you mean 'n_samples'?)" in output
    assert "Execute" not in output


def use_label_file(folder: Path, rows: str) -> None:
    config = folder / "config.yaml"
    planted = "labels: &labels {source: planted, exact_distance: 14.0, not_distance: 14.3}"
    assert planted in config.read_text()
    text = config.read_text().replace(planted, "labels: &labels {source: files}")
    config.write_text(re.sub(r"^ +auc_by_cut: .*\n", "", text, flags=re.MULTILINE))  # of planted labels alone
    file = folder / "resources" / "labels" / "digits" / "ann.csv"
    file.parent.mkdir(parents=True)
    file.write_text(HEADER + rows)


def a_pair(folder: Path) -> str:
    line = (folder / "results/digits/labels/planted.csv").read_text().splitlines()[1]
    return ",".join(line.split(",")[:2])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("{pair},exact,ann,\n{pair},exact,ann,\n", "is on line 2 already"),
        ("{pair},exactly,ann,\n", "exactly"),
        ("999999,0,exact,ann,\n", "999999"),
        ("x,0,exact,ann,\n", "'x'"),
    ],
    ids=["duplicate row", "unknown class", "unknown sample", "not a number"],
)
def test_a_malformed_label_file_is_refused_with_file_and_line(
    tiny_copy: Path, rows: str, message: str
) -> None:
    use_label_file(tiny_copy, rows.format(pair=a_pair(tiny_copy)))
    output = fails(tiny_copy, LABELS)
    line = last_line(tiny_copy, "import_labels/digits.log")
    assert line.startswith("error: ")
    assert "ann.csv" in line
    assert "line" in line
    assert message in line
    assert line in output, "the failed job's log is shown"
    assert not partials(tiny_copy)


def test_a_label_file_of_people_is_imported(tiny_copy: Path) -> None:
    use_label_file(tiny_copy, f"{a_pair(tiny_copy)},reconstructive,ann,2026-01-31T12:00:00\n")
    snakemake(tiny_copy, LABELS)
    import pandas as pd

    labels = pd.read_parquet(tiny_copy / LABELS)
    assert labels[["label", "source", "raters"]].to_numpy().tolist() == [["reconstructive", "people", 1]]


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def test_a_truncated_table_is_named(tiny_copy: Path) -> None:
    truncate(tiny_copy / "results/digits/matches.parquet")
    fails(tiny_copy, "results/digits/evaluation.csv")
    line = last_line(tiny_copy, "plant_labels/digits.log")
    assert line.startswith("error: results/digits/matches.parquet: cannot be read as a Parquet table")
    assert line.endswith("delete it and run again, Snakemake makes it anew")


def test_a_truncated_shard_is_named(tiny_copy: Path) -> None:
    truncate(tiny_copy / "results/digits/samples/000012-000023.npz")
    fails(tiny_copy, "results/digits/scores/samples/png.parquet")
    line = last_line(tiny_copy, "score_set/digits/samples/png.log")
    assert line.startswith("error: results/digits/samples/000012-000023.npz: cannot be read")
    assert not partials(tiny_copy)


def test_a_gpu_job_without_a_gpu_stops_by_name(tiny_copy: Path) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    target = "results/digits/scores/samples/flipd/000000-000011.parquet"
    (tiny_copy / target).unlink()
    fails(tiny_copy, target, "--set-resources", "score_span:gpu=1")
    log = "score_span/digits/samples/flipd/000000-000011.log"
    assert "rule score_span asks for a GPU" in last_line(tiny_copy, log)


def test_a_killed_run_is_unlocked_and_resumes(tiny_copy: Path) -> None:
    """Killed outright in a job: the lock stays, half-written outputs are hidden, and a new run finishes them."""
    target = "results/digits/model"
    config = tiny_copy / "config.yaml"
    steps = "num_train_timesteps: 50, steps: 3,"
    assert steps in config.read_text()
    config.write_text(config.read_text().replace(steps, "num_train_timesteps: 50, steps: 3000,"))
    command = [
        sys.executable,
        "-m",
        "snakemake",
        target,
        "--snakefile",
        str(ROOT / "Snakefile"),
        "--cores",
        "1",
    ]
    with subprocess.Popen(
        command, cwd=tiny_copy, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as run:
        log = tiny_copy / "logs" / "train_model" / "digits.log"
        deadline = time.time() + 60
        before = log.stat().st_mtime
        while (not log.exists() or log.stat().st_mtime == before) and time.time() < deadline:
            time.sleep(0.1)
        unlock = [
            sys.executable,
            str(ROOT / "workflow" / "tools" / "unlock.py"),
            "--snakefile",
            str(ROOT / "Snakefile"),
        ]
        alive = subprocess.run(unlock, cwd=tiny_copy, capture_output=True, text=True, check=False)
        assert alive.returncode == 1
        assert "snakemake is running" in alive.stderr
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    time.sleep(0.5)
    config.write_text(config.read_text().replace("steps: 3000,", "steps: 3,"))
    assert "LockException" in fails(tiny_copy, target) or "locked" in fails(tiny_copy, target)
    assert subprocess.run(unlock, cwd=tiny_copy, check=False, capture_output=True).returncode == 0
    snakemake(tiny_copy, target)
    assert jobs_of(tiny_copy, target) == set()
    assert not partials(tiny_copy)
