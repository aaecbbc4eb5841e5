"""The frame of the scripts: outputs all or none, one writer, one-line errors, logs, threads, left-overs."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mmh.io import partial
from mmh.io.partial import LostOwnershipError, Ownership

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"

FRAME = """
import sys
from types import SimpleNamespace
sys.path.insert(0, {scripts!r})
class Named(dict):
    pass
snakemake = SimpleNamespace(
    rule="make_things", scriptdir={scripts!r}, log=["logs/job.log"], threads=1,
    wildcards=Named(experiment="x"), params=Named(options=dict(t=0.05, limit=float("inf")), untracked=1), input=Named(), resources={resources!r},
    output=Named(first="out/first.txt", second="out/second.txt"),
)
from mmh.job.frame import job
from mmh.errors import InputError
with job(snakemake) as run:
    print("in the log")
    {body}
"""


def start_script(
    folder: Path, body: str, fds: tuple[int, ...] = (), **resources: int
) -> subprocess.Popen[str]:
    (folder / "out").mkdir(exist_ok=True)
    text = FRAME.format(scripts=str(SCRIPTS), body=body.replace("\n", "\n    "), resources=resources)
    return subprocess.Popen(
        [sys.executable, "-c", text], cwd=folder, stderr=subprocess.PIPE, text=True, pass_fds=fds
    )


def run_script(folder: Path, body: str, **resources: int) -> tuple[int, str, str]:
    process = start_script(folder, body, **resources)
    _, terminal = process.communicate()
    return process.returncode, (folder / "logs" / "job.log").read_text(), terminal


class Waiting:
    """A job that runs `before`, waits for `go`, and runs `after`."""

    def __init__(self, folder: Path, before: str, after: str) -> None:
        (here, self._there), (self._here, there) = os.pipe(), os.pipe()
        body = f"import os\n{before}\nos.write({there}, b'.')\nos.read({here}, 1)\n{after}"
        self.process = start_script(folder, body, (here, there))
        os.close(here)
        os.close(there)
        assert os.read(self._here, 1) == b".", "the job ended before it waited"

    def go(self) -> int:
        os.write(self._there, b".")
        os.close(self._there)
        os.close(self._here)
        _, self.terminal = self.process.communicate()
        return self.process.returncode


def outputs(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "out").iterdir())


WRITE = 'run.output.first.write_text("1")\nrun.output.second.write_text("2")'


def test_outputs_appear_together_with_a_run_record(tmp_path: Path) -> None:
    status, log, _ = run_script(tmp_path, WRITE)
    assert status == 0
    assert outputs(tmp_path) == ["first.txt", "first.txt.json", "second.txt"]
    record = json.loads((tmp_path / "out" / "first.txt.json").read_text())
    assert record["params"] == {"options": {"t": 0.05, "limit": "Infinity"}}
    assert "in the log" in log
    assert "versions python" in log


def test_an_expected_error_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    body = 'run.output.first.write_text("1")\nraise InputError("x.csv: row 3 is empty; fill it in")'
    status, log, _ = run_script(tmp_path, body)
    assert status == 1
    assert log.splitlines()[-1] == "error: x.csv: row 3 is empty; fill it in"
    assert "Traceback" not in log
    assert outputs(tmp_path) == []


def test_an_unexpected_error_keeps_its_traceback_and_ends_in_one_line(tmp_path: Path) -> None:
    status, log, _ = run_script(tmp_path, "1 / 0")
    assert status == 1
    assert "Traceback" in log
    assert log.splitlines()[-1].startswith("error: unexpected ZeroDivisionError in rule make_things")
    assert outputs(tmp_path) == []


def test_a_full_gpu_is_explained(tmp_path: Path) -> None:
    body = 'raise type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried to allocate")'
    status, log, _ = run_script(tmp_path, body)
    assert status == 1
    assert log.splitlines()[-1].startswith(
        "error: rule make_things ran out of the GPU's memory; lower its batch_size"
    )


def test_a_missing_output_is_an_error(tmp_path: Path) -> None:
    status, log, _ = run_script(tmp_path, 'run.output.first.write_text("1")')
    assert status == 1
    assert "did not write out/second.txt" in log.splitlines()[-1]
    assert outputs(tmp_path) == []


def test_a_full_disk_is_explained(tmp_path: Path) -> None:
    body = 'with open("/dev/full", "w") as full:\n    full.write("x" * 100000)'
    status, log, _ = run_script(tmp_path, body)
    assert status == 1
    assert (
        log.splitlines()[-1]
        == "error: out: No space left on device while writing; free some space and run again"
    )


def test_a_kill_leaves_only_a_hidden_file_and_the_next_run_removes_it(tmp_path: Path) -> None:
    body = 'run.output.first.write_text("half")\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)'
    status, _, _ = run_script(tmp_path, body)
    assert status != 0
    owner, left = outputs(tmp_path)
    assert owner == ".first.txt.owner"
    assert left.startswith(".first.")
    assert run_script(tmp_path, WRITE)[0] == 0
    assert outputs(tmp_path) == ["first.txt", "first.txt.json", "second.txt"]


def test_a_termination_signal_cleans_up(tmp_path: Path) -> None:
    body = 'run.output.first.write_text("half")\nimport os, signal, time\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(5)'
    status, log, _ = run_script(tmp_path, body)
    assert status == 1
    assert log.splitlines()[-1] == "error: stopped by signal SIGTERM; run again to resume"
    assert outputs(tmp_path) == []


def test_the_file_of_a_live_process_is_left_alone(tmp_path: Path) -> None:
    from mmh.io.partial import partial_name, remove_partials

    other = subprocess.Popen(["sleep", "30"])
    try:
        theirs = partial_name(tmp_path / "a.npz").name.replace(str(os.getpid()), str(other.pid))
        (tmp_path / theirs).write_text("")
        remove_partials(tmp_path / "a.npz")
        assert (tmp_path / theirs).exists()
    finally:
        other.kill()
        other.wait()
    remove_partials(tmp_path / "a.npz")
    assert not (tmp_path / theirs).exists()


def test_a_gpu_job_without_a_gpu_stops_by_name(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    status, log, _ = run_script(tmp_path, WRITE, gpu=1)
    assert status == 1
    assert "rule make_things asks for a GPU" in log.splitlines()[-1]
    assert "--set-resources make_things:gpu=0" in log.splitlines()[-1]
    assert outputs(tmp_path) == []


def test_torch_and_blas_get_the_threads_of_the_rule(tmp_path: Path) -> None:
    body = (
        "import torch, numpy, threadpoolctl, faiss\n"
        "print('threads', torch.get_num_threads(), faiss.omp_get_max_threads(),"
        " {p['num_threads'] for p in threadpoolctl.threadpool_info()})\n" + WRITE
    )
    status, log, _ = run_script(tmp_path, body)
    assert status == 0, log
    assert "threads 1 1 {1}" in log


def test_progress_reaches_the_terminal_and_not_only_the_log(tmp_path: Path) -> None:
    status, _, terminal = run_script(tmp_path, "run.progress(2)(2, loss=0.5)\n" + WRITE)
    assert status == 0
    assert "make_things x: step 2/2  loss 0.5" in terminal


def write(text: str) -> str:
    return f'run.output.first.write_text("{text}")\nrun.output.second.write_text("{text}")'


def contents(folder: Path) -> dict[str, str]:
    return {name: (folder / "out" / name).read_text() for name in ("first.txt", "second.txt")}


def test_a_job_that_was_overtaken_leaves_the_finished_outputs_alone(tmp_path: Path) -> None:
    orphan = Waiting(tmp_path, write("old"), 'print("late")')
    assert run_script(tmp_path, write("new"))[0] == 0
    assert orphan.go() == 1
    assert contents(tmp_path) == {"first.txt": "new", "second.txt": "new"}
    assert outputs(tmp_path) == ["first.txt", "first.txt.json", "second.txt"]
    log = (tmp_path / "logs" / "job.log").read_text().splitlines()
    assert "\0" not in "".join(log)
    assert "late" in log
    assert any(line.startswith("done in") for line in log)
    message = "out/first.txt: the ownership of this job, .first.txt.owner, is gone"
    assert log[-1].startswith(f"error: {message}")
    assert f"make_things: {message}" in orphan.terminal


@pytest.mark.parametrize("after", ["pass", "1 / 0"], ids=["whole", "failing"])
def test_the_newest_job_owns_the_output_while_it_runs(tmp_path: Path, after: str) -> None:
    orphan = Waiting(tmp_path, write("old"), after)
    newer = Waiting(tmp_path, write("new"), "pass")
    assert orphan.go() == 1
    last = (tmp_path / "logs" / "job.log").read_text().splitlines()[-1]
    assert (
        f"a newer job has taken over this output (pid {newer.process.pid} on {socket.gethostname()}" in last
    )
    assert json.loads((tmp_path / "out" / ".first.txt.owner").read_text())["pid"] == newer.process.pid
    assert newer.go() == 0
    assert contents(tmp_path) == {"first.txt": "new", "second.txt": "new"}
    assert outputs(tmp_path) == ["first.txt", "first.txt.json", "second.txt"]


# Runs `event` between the renames of the two outputs.
BETWEEN = """
import os, signal
import mmh.job.frame as frame
rename = frame.put_in_place
def renaming(temporary, final):
    rename(temporary, final)
    if final.name == "first.txt":
        {event}
frame.put_in_place = renaming
"""


def test_a_kill_between_two_renames_is_healed_by_the_next_run(tmp_path: Path) -> None:
    event = "os.kill(os.getpid(), signal.SIGKILL)"
    assert run_script(tmp_path, BETWEEN.format(event=event) + write("old"))[0] != 0
    kept = outputs(tmp_path)
    assert {"first.txt", "first.txt.json", ".first.txt.owner"} < set(kept)
    assert "second.txt" not in kept
    assert run_script(tmp_path, write("new"))[0] == 0
    assert contents(tmp_path) == {"first.txt": "new", "second.txt": "new"}
    assert outputs(tmp_path) == ["first.txt", "first.txt.json", "second.txt"]


def test_a_termination_signal_between_two_renames_comes_too_late(tmp_path: Path) -> None:
    event = "os.kill(os.getpid(), signal.SIGTERM)"
    status, log, _ = run_script(tmp_path, BETWEEN.format(event=event) + write("whole"))
    assert status == 0
    assert log.splitlines()[-1].startswith("done in")
    assert contents(tmp_path) == {"first.txt": "whole", "second.txt": "whole"}


def test_a_job_overtaken_between_two_renames_stops_there(tmp_path: Path) -> None:
    """As where the file system has no locks: the newer job replaces every output later."""
    owner = {"token": "x", "pid": 7, "host": "node2", "started": "now", "slurm_job": "12"}
    (tmp_path / "newer").write_text(json.dumps(owner))
    event = 'os.replace("newer", "out/.first.txt.owner")'
    status, log, _ = run_script(tmp_path, BETWEEN.format(event=event) + write("old"))
    assert status == 1
    assert "(pid 7 on node2, started now, SLURM job 12)" in log.splitlines()[-1]
    assert outputs(tmp_path) == [".first.txt.owner", "first.txt", "first.txt.json"]
    assert run_script(tmp_path, write("new"))[0] == 0
    assert contents(tmp_path) == {"first.txt": "new", "second.txt": "new"}


def test_a_second_termination_signal_does_not_stop_the_clean_up(tmp_path: Path) -> None:
    body = """
import os, signal
import mmh.job.frame as frame
clean = frame.Run.remove_left_overs
def cleaning(self, **how):
    os.kill(os.getpid(), signal.SIGTERM)
    clean(self, **how)
frame.Run.remove_left_overs = cleaning
run.output.first.write_text("half")
os.kill(os.getpid(), signal.SIGTERM)
signal.pause()
"""
    status, log, _ = run_script(tmp_path, body)
    assert status == 1
    assert log.splitlines()[-1] == "error: stopped by signal SIGTERM; run again to resume"
    assert outputs(tmp_path) == []


def test_a_folder_replaces_a_folder_as_a_whole(tmp_path: Path) -> None:
    """Two orphans may have written one; what is there is never mixed with what comes."""
    new, old = partial.partial_name(tmp_path / "model"), tmp_path / "model"
    for folder, name in ((new, "new.txt"), (old, "old.txt")):
        folder.mkdir()
        (folder / name).write_text("")
    partial.put_in_place(new, old)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == [
        "model",
        "model/new.txt",
    ]


def test_left_overs_of_other_hosts_and_of_records_are_removed_by_the_owner(tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    (tmp_path / "out").mkdir()
    stale = [".first.node-2-5.partial.txt", f".first.txt.{socket.gethostname()}-{dead.pid}.partial.json"]
    for name in (*stale, ".first.node-2-5.partial.csv"):
        (tmp_path / "out" / name).write_text("")
    assert run_script(tmp_path, WRITE)[0] == 0
    # A file with another suffix may be an output of another job.
    assert outputs(tmp_path) == [".first.node-2-5.partial.csv", "first.txt", "first.txt.json", "second.txt"]


def test_nobody_takes_an_output_while_its_owner_renames(tmp_path: Path) -> None:
    older, newer = Ownership(tmp_path / "a.npz"), Ownership(tmp_path / "a.npz")
    older.take()
    with older.held():
        thread = threading.Thread(target=newer.take)
        thread.start()
        older.check()
    thread.join()
    newer.check()
    older.release()  # it has none any more
    newer.check()
    newer.release()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_a_dead_node_holds_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(partial, "LOCK_SECONDS", 0.0)
    older, newer = Ownership(tmp_path / "a.npz"), Ownership(tmp_path / "a.npz")
    older.take()
    with older.held():
        newer.take()
        assert "still locked after 0 s" in capsys.readouterr().out
        with pytest.raises(LostOwnershipError, match="a newer job has taken over"):
            older.check()  # as before each rename
        newer.check()
        newer.release()
        older.take()


def test_outputs_whose_names_differ_after_a_dot_have_owners_of_their_own(tmp_path: Path) -> None:
    first, second = Ownership(tmp_path / "law.1"), Ownership(tmp_path / "law.2")
    first.take()
    second.take()
    first.check()


def test_garbage_is_searched_seldom_until_the_work_begins(tmp_path: Path) -> None:
    body = """
import gc
report = run.progress(2)
report(0)
seldom = gc.get_threshold()
report(1)
usual = gc.get_threshold()
run.output.first.write_text(f"{seldom[0]} {usual[0]}")
run.output.second.write_text("")
"""
    code, log, _ = run_script(tmp_path, body)
    assert code == 0, log
    usual = subprocess.run(
        [sys.executable, "-c", "import gc; print(gc.get_threshold()[0])"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert (tmp_path / "out/first.txt").read_text() == f"20000 {int(usual)}"
