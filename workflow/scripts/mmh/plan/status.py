"""How far a run is: the state of every job, from the files that jobs leave. Takes no lock, changes nothing.

Which jobs there are is what ``snakemake --summary`` lists; where a job's log and benchmark lie stands in the
rule files.
"""

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mmh.errors import InputError
from mmh.io.partial import Ownership
from mmh.plan import cost

SHARED = "shared"  # jobs of no experiment: downloads, descriptors, the tables that end a run
TAIL = 8192  # bytes of a log that are looked at


@dataclass(frozen=True)
class Pattern:
    """Where a rule's files lie, with wildcards in braces."""

    outputs: tuple[str, ...]
    log: str
    benchmark: str


@dataclass
class Job:
    """One job of the plan.

    Attributes
    ----------
    rule : str
    wildcards : dict of str to str
    log, benchmark : str
        Their files.
    outputs : list of str
        In the order of the rule.
    pending : bool
        Whether Snakemake would run it now.
    state : str
        ``done``, ``running``, ``failed``, ``lost`` (its process is gone without a word), ``waiting``, or
        ``stale`` (waiting, with older results that Snakemake would make anew).
    spent : float
        Seconds it took, or has taken so far.
    expected : float
        Seconds by the cost model.
    gpu : bool
        Whether it ran, or is expected to run, on a GPU.
    message : str
        Of a failed or lost job: one line.
    """

    rule: str
    wildcards: dict[str, str]
    log: str
    benchmark: str
    outputs: list[str] = field(default_factory=list)
    pending: bool = False
    state: str = "waiting"
    spent: float = 0.0
    expected: float = 0.0
    gpu: bool = False
    message: str = ""

    @property
    def experiment(self) -> str:
        """Name of its experiment, or `SHARED`."""
        return self.wildcards.get("experiment", SHARED)

    @property
    def name(self) -> str:
        """Rule and wildcards, as in the name of its log."""
        return Path(self.log).with_suffix("").relative_to("logs").as_posix()


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


def read_rules(snakefile: Path) -> dict[str, Pattern]:
    """Files of every rule, in the order in which the Snakefile includes them.

    Parameters
    ----------
    snakefile : Path

    Returns
    -------
    dict of str to Pattern
    """
    found = {}
    for file in re.findall(r'^include: "([^"]+)"', snakefile.read_text(encoding="utf-8"), re.MULTILINE):
        text = (snakefile.parent / file).read_text(encoding="utf-8")
        for name, block in re.findall(r"^rule (\w+):\n((?:(?: .*)?\n|$)+)", text, re.MULTILINE):
            parts = dict(re.findall(r"^    (\w+):(?: .*)?\n((?:     .*\n?)+)", block, re.MULTILINE))
            paths = {
                key: re.findall(r'"((?:results|resources|logs|benchmarks)/[^"]+)"', parts.get(key, ""))
                for key in ("output", "log", "benchmark")
            }
            if all(paths.values()):
                found[name] = Pattern(tuple(paths["output"]), paths["log"][0], paths["benchmark"][0])
    return found


def planned_jobs(
    summary: str, rules: Mapping[str, Pattern], wildcard_patterns: Mapping[str, str]
) -> list[Job]:
    """Jobs behind the files that ``snakemake --summary`` lists.

    Parameters
    ----------
    summary : str
        What it printed: `output_file`, `date`, `rule`, `log-file(s)`, `status`, `plan`, tabs between.
    rules : mapping of str to Pattern
    wildcard_patterns : mapping of str to str
        From `mmh.plan.patterns.Patterns.all`.

    Returns
    -------
    list of Job
        In the order of the rules.

    Raises
    ------
    InputError
        If a listed file is none of its rule's.
    """
    jobs: dict[str, Job] = {}
    for line in summary.splitlines():
        cells = line.split("\t")
        if len(cells) != 6 or cells[0] == "output_file":
            continue
        path, rule, plan = cells[0], cells[2], cells[5]
        if rule not in rules:
            raise InputError(f"rule {rule} is in no file that the Snakefile includes; update the checkout")
        wildcards = _wildcards(path, rules[rule].outputs, wildcard_patterns)
        if wildcards is None:
            raise InputError(f"{path}: no output of rule {rule} by {list(rules[rule].outputs)}")
        log = rules[rule].log.format(**wildcards)
        job = jobs.setdefault(log, Job(rule, wildcards, log, rules[rule].benchmark.format(**wildcards)))
        job.outputs.append(path)
        job.pending |= plan != "no update"
    order = {name: place for place, name in enumerate(rules)}
    return sorted(jobs.values(), key=lambda job: order[job.rule])


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
        owner, error = owners[job.log], _last_error(folder / job.log)
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


def _wildcards(path: str, outputs: Iterable[str], patterns: Mapping[str, str]) -> dict[str, str] | None:
    """Wildcards of an output; None if it fits none of the rule's."""
    for output in outputs:
        expression, seen = "", set()
        for text, name in re.findall(r"([^{]*)(?:\{(\w+)\})?", output):
            expression += re.escape(text)
            if name:
                expression += f"(?P={name})" if name in seen else f"(?P<{name}>{patterns.get(name, '.+')})"
                seen.add(name)
        if match := re.fullmatch(expression, path):
            return match.groupdict()
    return None


def _read_json(path: Path, *, last_line: bool = False) -> dict[str, Any] | None:
    """Read one JSON object; None if there is none, or none yet: a run may be writing."""
    try:
        text = path.read_text(encoding="utf-8").strip()
        value = json.loads(text.splitlines()[-1] if last_line else text)
    except (OSError, ValueError, IndexError):
        return None
    return value if isinstance(value, dict) else None


def _last_error(log: Path) -> str:
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
