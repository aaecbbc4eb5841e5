"""`make status`: the same jobs as Snakemake plans, and the state of each from the files that jobs leave."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from mmh.io.partial import Ownership
from mmh.plan import status, status_page
from mmh.plan.patterns import Patterns
from mmh.plan.planned_jobs import Job, planned_jobs, read_rules
from workflow_runs import ROOT, TINY, snakemake

CONFIG: dict[str, Any] = yaml.safe_load((TINY / "config.yaml").read_text())
RULES = read_rules(ROOT / "Snakefile")
SPANS = ("000000-000029", "000030-000059")


def tool(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "workflow" / "tools" / "status.py")]
    command += ["--snakefile", str(ROOT / "Snakefile"), *arguments]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    shutil.copy(TINY / "config.yaml", tmp_path)
    return tmp_path


def test_before_a_run_the_jobs_are_those_that_snakemake_would_run(fresh: Path) -> None:
    done = tool(fresh)
    assert done.returncode == 0, done.stderr
    listed: Counter[str] = Counter()
    for line in done.stdout.splitlines():
        if match := re.fullmatch(r"  (\w+) +- +- +- +(\d+) .*", line):
            listed[match[1]] += int(match[2])
    rows = snakemake(fresh, "--dry-run", "--quiet", "rules").stdout.splitlines()
    wanted = {row.split()[0]: int(row.split()[1]) for row in rows if re.fullmatch(r"\w+ +\d+", row)}
    total = wanted.pop("total")
    assert wanted.pop("all") == 1
    assert listed == wanted
    assert re.search(rf"^all jobs +- +- +- +{total - 1} ", done.stdout, re.MULTILINE)


def test_while_a_run_holds_the_lock_and_when_its_work_is_done(fresh: Path) -> None:
    target = "results/von-mises/data/train.npz"
    snakemake(fresh, target)
    for name in ("0.input.lock", "0.output.lock"):  # as a live run has them
        write(fresh / ".snakemake" / "locks" / name, f"{target}\n")
    assert "LockException" in snakemake(fresh, target, "--forceall", check=False).stderr
    done = tool(fresh, "--all", target)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^  make_dataset +1 +- +- +- ", done.stdout, re.MULTILINE)
    assert re.search(r"^all jobs +1 +- +- +- ", done.stdout, re.MULTILINE)
    assert "<h1>1 of 1 jobs done</h1>" in (fresh / "results" / "status.html").read_text()


def test_a_plan_that_cannot_be_made_is_one_line(fresh: Path) -> None:
    done = tool(fresh, "results/nothing/of/this/name.csv")
    assert done.returncode == 1
    assert done.stderr.startswith("error: snakemake cannot plan the run: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (fresh / "results").exists()


def test_mistakes_of_the_configuration_are_listed_as_by_a_run(fresh: Path) -> None:
    text = (fresh / "config.yaml").read_text()
    (fresh / "config.yaml").write_text(text.replace("width: 32", "width: -32"))
    (fresh / "mine.yaml").write_text("threads: 0\n")
    done = tool(fresh, "--configfile", "config.yaml", "mine.yaml")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0] == "error: 2 mistakes in the configuration:"
    assert lines[1].startswith("  config.yaml: experiments.von-mises.model.width: -32 is out of range")
    assert lines[2].startswith("  mine.yaml: threads: 0 is out of range")
    assert not (fresh / "results").exists()


# ---- states, from files made by hand -----------------------------------------------------------------------------------


def listed(*pending: str) -> str:
    """What Snakemake lists of a model and its samples; `pending` outputs are to be made anew."""
    rows = ["output_file\tdate\trule\tlog-file(s)\tstatus\tplan"]
    files = [("results/von-mises/model", "train_model"), ("results/von-mises/training.csv", "train_model")]
    files += [(f"results/von-mises/samples/{span}.npz", "sample_images") for span in SPANS]
    files += [("results/von-mises/scores/samples/flipd/000000-000059.parquet", "score_span")]
    for path, rule in files:
        plan_ = "update pending" if path in pending else "no update"
        rows.append(f"{path}\t-\t{rule}\t-\t-\t{plan_}")
    return "\n".join(rows) + "\n"


ALL = tuple(line.split("\t")[0] for line in listed().splitlines()[1:])


def looked(folder: Path, text: str, **options: Any) -> dict[str, Job]:
    jobs = planned_jobs(text, RULES, Patterns(CONFIG).all())
    status.look(jobs, folder, CONFIG, **options)
    return {job.name: job for job in jobs}


def write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def owner(folder: Path, output: str, **changes: Any) -> None:
    started = (datetime.now(UTC) - timedelta(seconds=90)).isoformat()
    content = {"host": socket.gethostname(), "pid": os.getpid(), "started": started, "slurm_job": None}
    write(folder / Ownership(output).file, json.dumps({**content, **changes}))


FIRST, SECOND = (f"sample_images/von-mises/{span}" for span in SPANS)


def test_jobs_are_found_by_their_outputs() -> None:
    jobs = planned_jobs(listed(), RULES, Patterns(CONFIG).all())
    assert [job.name for job in jobs] == [
        "train_model/von-mises",
        FIRST,
        SECOND,
        "score_span/von-mises/samples/flipd/000000-000059",
    ]
    assert jobs[0].outputs == ["results/von-mises/model", "results/von-mises/training.csv"]
    assert jobs[3].benchmark == "benchmarks/score_span/von-mises/samples/flipd/000000-000059.jsonl"
    assert jobs[3].wildcards == {
        "experiment": "von-mises",
        "item_set": "samples",
        "estimator": "flipd",
        "span": "000000-000059",
    }


def test_a_job_is_done_when_all_its_outputs_are_there_and_none_is_to_be_made_anew(tmp_path: Path) -> None:
    write(tmp_path / "results/von-mises/training.csv")
    for span in SPANS:
        write(tmp_path / f"results/von-mises/samples/{span}.npz")
        record = {"s": 12.5, "resources": {"gpu": 1} if span == SPANS[0] else {"mem_mb": 7}}
        write(tmp_path / f"benchmarks/sample_images/von-mises/{span}.jsonl", json.dumps(record) + "\n")
    jobs = looked(tmp_path, listed("results/von-mises/samples/000030-000059.npz"))
    assert jobs["train_model/von-mises"].state == "waiting"  # its folder is missing
    assert (jobs[FIRST].state, jobs[FIRST].spent, jobs[FIRST].gpu) == ("done", 12.5, True)
    assert (jobs[SECOND].state, jobs[SECOND].spent) == ("stale", 0.0)  # its inputs have changed
    stages = status.stages(jobs.values(), CONFIG["experiments"])
    assert status_page.counts(stages) == {"done": 1, "running": 0, "failed": 0, "waiting": 3}
    assert "1 of the waiting jobs have results that are out of date" in status_page.text(stages, [])
    assert jobs[SECOND].gpu, "where one span ran, the others will"
    assert not jobs["train_model/von-mises"].gpu


def test_an_owner_is_a_running_job_if_its_process_lives(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    owner(tmp_path, ALL[0])
    owner(tmp_path, ALL[2], pid=ended.pid)
    owner(tmp_path, ALL[3], host="elsewhere", pid=ended.pid)
    write(tmp_path / Ownership(ALL[4]).file, '{"host": "els')  # being written
    jobs = looked(tmp_path, listed(*ALL))
    running = jobs["train_model/von-mises"]
    assert running.state == "running"
    assert 89 < running.spent < 150
    assert jobs[FIRST].state == "lost"
    assert str(ended.pid) in jobs[FIRST].message
    assert jobs[SECOND].state == "running", "whether a process of another host lives cannot be seen from here"
    assert jobs["score_span/von-mises/samples/flipd/000000-000059"].state == "waiting"


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cluster whose queue holds the jobs of a file."""
    program = tmp_path / "bin" / "squeue"
    write(program, f"#!/bin/sh\nexec cat {tmp_path}/queue\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return tmp_path / "queue"


def test_a_cluster_job_that_is_no_longer_queued_is_lost(tmp_path: Path, queue: Path) -> None:
    queue.write_text("41\n43\n")
    owner(tmp_path, ALL[2], host="node1", slurm_job="41")
    owner(tmp_path, ALL[3], host="node1", slurm_job="4")
    jobs = looked(tmp_path, listed(*ALL))
    assert (jobs[FIRST].state, jobs[SECOND].state) == ("running", "lost")
    assert "SLURM job 4;" in jobs[SECOND].message
    queue.unlink()  # a cluster that does not answer: squeue fails
    assert looked(tmp_path, listed(*ALL))[SECOND].state == "running"


def test_a_log_that_ends_in_an_error_is_a_failed_job_until_it_runs_again(tmp_path: Path) -> None:
    write(tmp_path / f"logs/{FIRST}.log", "rule\n" + "x" * 20_000 + "\nerror: <disk> is full & more\n")
    write(tmp_path / f"logs/{SECOND}.log", "error: of an older attempt\ndone in 3.0 s\n")
    jobs = looked(tmp_path, listed(*ALL))
    assert (jobs[FIRST].state, jobs[FIRST].message) == ("failed", "<disk> is full & more")
    assert (jobs[SECOND].state, jobs[SECOND].message) == ("waiting", "")
    owner(tmp_path, ALL[2])
    assert looked(tmp_path, listed(*ALL))[FIRST].state == "running"


def test_expected_times_are_those_of_the_cost_model_on_the_profile_s_device(tmp_path: Path) -> None:
    from mmh.plan import cost

    wildcards = {"experiment": "von-mises", "span": SPANS[0]}
    for rules, gpu in ((frozenset(), False), (frozenset({"sample_images"}), True)):
        job = looked(tmp_path, listed(*ALL), gpu_rules=rules)[FIRST]
        assert job.gpu is gpu
        assert job.expected == cost.need(CONFIG, "sample_images", wildcards, gpu=gpu).seconds


# ---- the table and the page --------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Cells of all rows, and what the page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self.loaded += [tag] if tag in ("script", "link", "img", "iframe") else []

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1] and data.strip():
            self.rows[-1][-1] += data.strip()


@pytest.fixture
def mixed(tmp_path: Path) -> list[Job]:
    """One job done, one running, one failed, one waiting."""
    (tmp_path / ALL[0]).mkdir(parents=True)
    write(tmp_path / ALL[1])
    write(tmp_path / "benchmarks/train_model/von-mises.jsonl", json.dumps({"s": 7200.0}))
    owner(tmp_path, ALL[2])
    write(tmp_path / f"logs/{SECOND}.log", "error: <b>no</b> space\n")
    return list(looked(tmp_path, listed(*ALL[2:])).values())


def test_the_page_counts_every_stage_and_loads_nothing(mixed: list[Job]) -> None:
    stages = status.stages(mixed, CONFIG["experiments"])
    html = status_page.page(stages, mixed, when="now", where="<here>")
    page = Page()
    page.feed(html)
    assert page.loaded == []
    assert not re.search(r"https?:|src=|@import|url\(", html)
    rows = {row[0]: row[2:6] for row in page.rows}
    assert rows["train_model"] == ["1", "0", "0", "0"]
    assert rows["sample_images"] == ["0", "1", "1", "0"]
    assert rows["score_span"] == ["0", "0", "0", "1"]
    assert rows["all"] == ["1", "1", "1", "1"]
    assert "&lt;b&gt;no&lt;/b&gt; space" in html
    assert "<b>" not in html


def test_the_table_collapses_what_is_finished_and_names_what_failed(mixed: list[Job]) -> None:
    stages = status.stages(mixed, CONFIG["experiments"])
    short = status_page.text(stages, mixed)
    assert "train_model" not in short
    assert re.search(r"^  1 finished stage +1 +- +- +- +2\.0 h", short, re.MULTILINE)
    assert f"failed: {SECOND}: <b>no</b> space" in short
    assert re.search(r"^CPU: 2\.0[23] h spent;", short, re.MULTILINE)
    assert re.search(r"^  train_model +1 ", status_page.text(stages, mixed, every=True), re.MULTILINE)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.4, "0 s"), (99, "99 s"), (99.6, "2 min"), (5940, "99 min"), (5971, "1.7 h"), (400_000, "111 h")],
)
def test_durations_are_short(seconds: float, shown: str) -> None:
    assert status_page.duration(seconds) == shown
