"""Unlocking after a kill: whose SLURM jobs are cancelled, and when the lock stays. Stubs stand in for SLURM."""

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def load() -> ModuleType:
    """The script is no module of the package."""
    spec = importlib.util.spec_from_file_location("unlock", ROOT / "workflow" / "tools" / "unlock.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


unlock = load()


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of waiting jobs that the stubs of squeue and scancel show and empty; returns it."""
    stubs = tmp_path / "bin"
    stubs.mkdir()
    jobs = tmp_path / "jobs"
    # scancel takes effect one look later, as SLURM's does.
    scripts = {
        "squeue": f"cat {jobs}; if [ -f {jobs}.next ]; then mv {jobs}.next {jobs}; fi",
        "scancel": f'echo "$@" >>{tmp_path}/cancelled\n'
        f'cp {jobs} {jobs}.next; for job in "$@"; do sed -i "/^$job|/d" {jobs}.next; done',
    }
    for name, body in scripts.items():
        (stubs / name).write_text(f"#!/bin/sh\n{body}\n")
        (stubs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{stubs}:{os.environ['PATH']}")
    work = tmp_path / "work"
    work.mkdir()
    rows = [f"11|mmh_1f-2b|{work}", f"12|other_1f|{work}", "13|mmh_3c|/elsewhere", f"14|mmh_9|{work}|old"]
    jobs.write_text("\n".join([*rows, f"15|mmh_1f-2b|{work}"]) + "\n")
    return jobs


def test_the_prefix_is_that_of_the_profile() -> None:
    profile = yaml.safe_load((ROOT / "profiles" / "slurm" / "profile.yaml").read_text())
    assert profile["slurm-jobname-prefix"] + "_" == unlock.PREFIX


def test_only_jobs_of_this_folder_and_prefix_are_cancelled(queue: Path, tmp_path: Path) -> None:
    unlock.cancel_jobs(tmp_path / "work", patience=10)
    assert (tmp_path / "cancelled").read_text().split() == ["11", "15"]
    assert [line.split("|")[0] for line in queue.read_text().splitlines()] == ["12", "13", "14"]


def test_without_jobs_nothing_is_cancelled(queue: Path, tmp_path: Path) -> None:
    unlock.cancel_jobs(tmp_path, patience=1)
    assert not (tmp_path / "cancelled").exists()


def test_jobs_that_stay_are_named(queue: Path, tmp_path: Path) -> None:
    (tmp_path / "bin" / "scancel").write_text("#!/bin/sh\n")
    with pytest.raises(OSError, match=r"SLURM jobs 11 15 are still there"):
        unlock.cancel_jobs(tmp_path / "work", patience=0.1)


def test_the_lock_stays_while_slurm_does_not_answer(
    queue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bin" / "squeue").write_text("#!/bin/sh\necho 'Unable to contact controller' >&2\nexit 1\n")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr("sys.argv", ["unlock.py", "--slurm"])
    assert unlock.main() == 1
    said = capsys.readouterr()
    assert said.err.startswith(
        "error: squeue does not answer (Unable to contact controller); the folder stays"
    )
    assert "unlocked" not in said.out
