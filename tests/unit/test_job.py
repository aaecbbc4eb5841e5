"""The frame of the scripts: outputs all or none, one-line errors, logs, threads, left-overs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"

FRAME = """
import sys
from types import SimpleNamespace
sys.path.insert(0, {scripts!r})
class Named(dict):
    pass
snakemake = SimpleNamespace(
    rule="make_things", scriptdir={scripts!r}, log=["logs/job.log"], threads=1,
    wildcards=Named(experiment="x"), params=Named(), input=Named(), resources={resources!r},
    output=Named(first="out/first.txt", second="out/second.txt"),
)
from mmh.job import job
from mmh.errors import InputError
with job(snakemake) as run:
    print("in the log")
    {body}
"""


def run_script(folder: Path, body: str, **resources: int) -> tuple[int, str, str]:
    (folder / "out").mkdir(exist_ok=True)
    text = FRAME.format(scripts=str(SCRIPTS), body=body.replace("\n", "\n    "), resources=resources)
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, (folder / "logs" / "job.log").read_text(), done.stderr


def outputs(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "out").iterdir())


WRITE = 'run.output.first.write_text("1")\nrun.output.second.write_text("2")'


def test_outputs_appear_together_with_a_run_record(tmp_path: Path) -> None:
    status, log, _ = run_script(tmp_path, WRITE)
    assert status == 0
    assert outputs(tmp_path) == ["first.txt", "first.txt.json", "second.txt"]
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
    (left,) = outputs(tmp_path)
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
    from mmh.partial import partial_name, remove_partials

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
