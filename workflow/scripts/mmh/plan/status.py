"""How far a run is: the state of every job, from the files that jobs leave. Takes no lock."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mmh.io.partial import Ownership
from mmh.plan import cost
from mmh.plan.planned_jobs import SHARED, Job

TAIL = 8192  # bytes of a log that are looked at


@dataclass
class Stage:
    """The jobs of one rule for one experiment, counted; seconds on GPUs and on CPUs apart."""

    experiment: str
    rule: str
    counts: dict[str, int]
    spent: dict[bool, float]
    expected: dict[bool, float]
    left: dict[bool, float]

    @property
    def total(self) -> int:
        """Number of jobs."""
        return sum(self.counts.values())


def look(
    jobs: Iterable[Job], folder: Path, config: Mapping[str, Any], gpu_rules: frozenset[str] = frozenset()
) -> None:
    """Fill in state, times and messages from the files under ``folder``.

    Parameters
    ----------
    jobs : iterable of Job
        Changed in place.
    folder : Path
        Where Snakemake runs.
    config : mapping
        The checked configuration, for the cost model.
    gpu_rules : frozenset of str
        Rules that a profile gives a GPU; what has run is known from its benchmark.
    """
    jobs = list(jobs)
    owners = {job.log: _read_json(folder / Ownership(job.outputs[0]).file) for job in jobs}
    queued = _queued_jobs() if any(owner and owner.get("slurm_job") for owner in owners.values()) else None
    on_gpu = set(gpu_rules)
    for job in jobs:
        record = _read_json(folder / job.benchmark, last_line=True)
        whole = all((folder / path).exists() for path in job.outputs)
        owner, error = owners[job.log], last_error(folder / job.log)
        if owner:
            gone = _is_gone(owner, queued)
            job.state = "lost" if gone else "running"
            job.spent = 0.0 if gone else _since(owner.get("started"))
            job.message = f"its process ended without a word: {_where(owner)}; run again" if gone else ""
        elif whole:
            job.state = "stale" if job.pending else "done"
        elif error:
            job.state, job.message = "failed", error
        if record and job.state == "done":
            job.spent = float(record.get("s") or 0)
            job.gpu = int((record.get("resources") or {}).get("gpu") or 0) > 0
            if job.gpu:
                on_gpu.add(job.rule)
    for job in jobs:
        if job.state != "done":
            job.gpu = job.rule in on_gpu
        job.expected = cost.need(config, job.rule, job.wildcards, gpu=job.gpu).seconds


def stages(jobs: Iterable[Job], experiments: Iterable[str]) -> list[Stage]:
    """Count jobs by experiment and rule.

    Parameters
    ----------
    jobs : iterable of Job
    experiments : iterable of str
        Their order; what belongs to none comes last.

    Returns
    -------
    list of Stage
    """
    found: dict[tuple[str, str], Stage] = {}
    for job in jobs:
        key = (job.experiment, job.rule)
        stage = found.setdefault(key, Stage(*key, {}, _zero(), _zero(), _zero()))
        stage.counts[job.state] = stage.counts.get(job.state, 0) + 1
        stage.spent[job.gpu] += job.spent
        stage.expected[job.gpu] += job.expected
        if job.state != "done":
            stage.left[job.gpu] += max(job.expected - job.spent, 0.0)
    order = [*experiments, SHARED]
    return sorted(found.values(), key=lambda stage: order.index(stage.experiment))


def _zero() -> dict[bool, float]:
    return {False: 0.0, True: 0.0}


def _read_json(path: Path, *, last_line: bool = False) -> dict[str, Any] | None:
    """Read one JSON object; None if there is none, or none yet: a run may be writing."""
    try:
        text = path.read_text(encoding="utf-8").strip()
        value = json.loads(text.splitlines()[-1] if last_line else text)
    except (OSError, ValueError, IndexError):
        return None
    return value if isinstance(value, dict) else None


def last_error(log: Path) -> str:
    """Give the error that a log ends in, one line; empty if it ends otherwise."""
    try:
        with log.open("rb") as file:
            file.seek(max(log.stat().st_size - TAIL, 0))
            lines = file.read().decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    errors = [line for line in lines if line.startswith("error:")]
    # A job that ended well says so in its last line; of a message of several lines the first one tells.
    if not errors or lines[-1].startswith("done in"):
        return ""
    return errors[-1].removeprefix("error:").strip()


def _queued_jobs() -> frozenset[str] | None:
    """Jobs that SLURM has in its queue; None where it cannot be asked."""
    if shutil.which("squeue") is None:
        return None
    command = ["squeue", "--noheader", "--format=%A"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return frozenset(done.stdout.split())


def _is_gone(owner: Mapping[str, Any], queued: frozenset[str] | None) -> bool:
    """Whether an owner's process is known to have ended; of other hosts only the queue can tell."""
    if owner.get("host") == socket.gethostname():
        return not _alive(owner.get("pid"))
    return bool(owner.get("slurm_job")) and queued is not None and str(owner["slurm_job"]) not in queued


def _alive(pid: Any) -> bool:
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (OSError, TypeError, ValueError):
        return False
    try:  # a process that nobody has waited for yet has ended all the same
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True


def _where(owner: Mapping[str, Any]) -> str:
    text = f"process {owner.get('pid')} on {owner.get('host')}"
    return text + (f", SLURM job {owner['slurm_job']}" if owner.get("slurm_job") else "")


def _since(started: Any) -> float:
    """Seconds since an ISO time; 0 if it is none."""
    try:
        begun = datetime.fromisoformat(str(started))
    except ValueError:
        return 0.0
    now = datetime.now(UTC)
    return max((now - (begun if begun.tzinfo else begun.astimezone())).total_seconds(), 0.0)
