"""The frame around every script: log, threads, temporary outputs, their owner, one-line errors, progress.

The only module that knows Snakemake's ``script:`` object. It imports the standard library alone, so that the
log is open and the thread counts are set before anything heavy is loaded.
"""

import errno
import os
import random
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mmh import provenance
from mmh.errors import InputError
from mmh.io.partial import LostOwnershipError, Ownership, partial_name, put_in_place, remove_partials
from mmh.job.garbage import search_as_usual, search_seldom
from mmh.job.progress import Progress

_LIBRARIES = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA")
_THREAD_VARIABLES = (*(f"{name}_NUM_THREADS" for name in _LIBRARIES), "VECLIB_MAXIMUM_THREADS")


class Stopped(KeyboardInterrupt):
    """A termination signal; no OSError, so that no reader takes it for a broken file."""


class Run:
    """What a script needs of its job.

    Attributes
    ----------
    rule : str
    wildcards : SimpleNamespace
    input : SimpleNamespace
        Named inputs: a ``Path``, or a list of them.
    output : SimpleNamespace
        Named outputs under temporary names; renamed into place when the script ends well.
    params : SimpleNamespace
    device : str
        ``"cuda"`` if the rule's ``gpu`` resource is positive, else ``"cpu"``.
    record : dict
        Put JSON values here; they are written to ``<first output>.json``.
    """

    def __init__(self, snakemake: Any, console: int) -> None:
        self.rule: str = snakemake.rule
        self.wildcards = SimpleNamespace(**dict(snakemake.wildcards.items()))
        self.params = SimpleNamespace(**dict(snakemake.params.items()))
        self.input = SimpleNamespace(**{k: _paths(v) for k, v in snakemake.input.items()})
        self.final: dict[str, Path] = {k: Path(v) for k, v in snakemake.output.items()}
        self.output = SimpleNamespace(**{k: partial_name(v) for k, v in self.final.items()})
        self.threads: int = snakemake.threads
        self.device = "cuda" if int(snakemake.resources.get("gpu", 0) or 0) > 0 else "cpu"
        self.record: dict[str, Any] = {}
        first = next(iter(self.final.values()))
        self.ownership = Ownership(first)
        self.record_file = first.with_name(first.name + ".json")
        self._chunks: Any = None
        self._console = os.fdopen(os.dup(console), "w", buffering=1, encoding="utf-8", errors="replace")

    def progress(self, total: int, unit: str = "step") -> Progress:
        """Progress lines on the terminal, labelled with the rule and its wildcards.

        Parameters
        ----------
        total : int
            Number of units.
        unit : str
            What is counted.

        Returns
        -------
        Progress
        """
        label = " ".join([self.rule, *vars(self.wildcards).values()])
        return Progress(total, label, stream=self._console, unit=unit)

    @property
    def chunks(self) -> Any:
        """`mmh.job.chunks.Chunks`: where this job keeps finished blocks until its outputs are in place."""
        if self._chunks is None:
            from mmh.job.chunks import Chunks, chunk_folder

            folder = chunk_folder(
                self.rule,
                vars(self.input),
                device=self.device,
                threads=self.threads,
                wildcards=vars(self.wildcards),
                params=vars(self.params),
            )
            # An orphan thus stops within a minute or so, not at its end.
            self._chunks = Chunks(folder, after_save=self.ownership.check)
        return self._chunks

    def remove_left_overs(self, *, other_hosts: bool) -> None:
        """Remove temporary files of these outputs, as `mmh.io.partial.remove_partials` does."""
        for path in (*self.final.values(), self.record_file, self.ownership.file):
            remove_partials(path, other_hosts=other_hosts)


@contextmanager
def job(snakemake: Any) -> Iterator[Run]:
    """Run a script's body inside its log, with temporary outputs that appear only when all of them are whole.

    Parameters
    ----------
    snakemake
        The object that ``script:`` puts into the script.

    Yields
    ------
    Run

    Raises
    ------
    SystemExit
        With status 1 after any error; the log then ends in one line that says what went wrong.
    """
    log, console = _open_log(snakemake)
    search_seldom()
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = str(snakemake.threads)
    signal.signal(signal.SIGTERM, _terminate)
    random.seed(0)
    run = Run(snakemake, console)
    started = time.time()
    try:
        _check_package(snakemake)
        _check_threads(run)
        _check_device(run)
        run.ownership.take()
        run.remove_left_overs(other_hosts=True)
        _write_header(snakemake, run)
        yield run
        _put_in_place(run, started)
        if run._chunks is not None:
            run._chunks.remove()
        print(f"done in {time.time() - started:.1f} s")
    except BaseException as error:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # schedulers send it more than once
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        lost = _lost_ownership(run)
        if lost is not None and run._chunks is not None and all(f.exists() for f in run.final.values()):
            run._chunks.remove()  # the new owner has finished, so nobody will ask for them
        run.remove_left_overs(other_hosts=False)
        run.ownership.release()
        if isinstance(error, SystemExit) and error.code in (0, None):
            raise
        message = _explain(error, run)
        if lost is not None and not isinstance(error, InputError):
            message = str(lost)  # the cause of the rest, such as files that the new owner removed
        if lost is not None:  # Snakemake removed this job's log when it started the newer one
            with suppress(OSError):
                print(f"{run.rule}: {message}", file=run._console)
        print(f"error: {message}", file=sys.stderr, flush=True)
        sys.exit(1)
    finally:
        search_as_usual()
        sys.stdout.flush()
        sys.stderr.flush()
        log.flush()


def _open_log(snakemake: Any) -> tuple[Any, int]:
    """Send file descriptors 1 and 2 to the log, so that C++ libraries and child processes write there too."""
    path = Path(snakemake.log[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    # Appending: an older job that still runs adds whole lines to this log instead of overwriting some.
    log = path.open("a", encoding="utf-8")
    console = os.dup(2)
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    return log, console


def _paths(value: Any) -> Any:
    return Path(value) if isinstance(value, str) else [Path(item) for item in value]


def _check_package(snakemake: Any) -> None:
    beside = Path(snakemake.scriptdir).resolve() / "mmh"
    if beside != provenance.PACKAGE:
        raise InputError(
            f"the package mmh was imported from {provenance.PACKAGE}, not from {beside} beside the script: "
            "another copy is installed in this environment; remove it with `pip uninstall mmh`"
        )
    if "torch" in sys.modules or "numpy" in sys.modules:
        raise InputError(
            "numpy or torch was imported before the thread counts were set; import them inside main()"
        )


def _check_threads(run: Run) -> None:
    wanted = getattr(run.params, "compute", {}).get("threads", run.threads)
    if wanted != run.threads:
        raise InputError(
            f"config.yaml fixes {wanted} threads per job but this one got {run.threads}, which would change "
            f"last digits; run snakemake with --cores {wanted} or more, or lower threads in config.yaml"
        )


def _check_device(run: Run) -> None:
    if run.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise InputError(
                f"rule {run.rule} asks for a GPU (resource gpu > 0) but PyTorch finds no CUDA device on "
                f"{socket.gethostname()}; run on a GPU node, or on the CPU with "
                f"`--set-resources {run.rule}:gpu=0` (profiles/cpu)"
            )


def _write_header(snakemake: Any, run: Run) -> None:
    print(f"rule {run.rule}  {vars(run.wildcards) or ''}")
    print(f"code {getattr(run.params, 'code', '-')}  seed {getattr(run.params, 'seed', '-')}")
    print(f"host {socket.gethostname()}  device {run.device}  threads {run.threads}  pid {os.getpid()}")
    print("versions " + ", ".join(f"{k} {v}" for k, v in provenance.versions().items()), flush=True)


def _put_in_place(run: Run, started: float) -> None:
    """Rename all outputs at once; refuse if one was not written or is another job's by now."""
    run.ownership.check()
    missing = [str(run.final[k]) for k, partial in vars(run.output).items() if not partial.exists()]
    if missing:
        raise InputError(f"the script of rule {run.rule} did not write {', '.join(missing)}")
    record = _write_record(run, started)
    with run.ownership.held():
        # All outputs are whole: a signal now would only leave some of them behind.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        record.replace(run.record_file)
        for name, partial in vars(run.output).items():
            run.ownership.check()  # again, for file systems without locks
            put_in_place(partial, run.final[name])


def _write_record(run: Run, started: float) -> Path:
    from mmh.io.files import write_json

    partial = partial_name(run.record_file)
    record = provenance.run_record(
        rule=run.rule,
        wildcards=vars(run.wildcards),
        code=getattr(run.params, "code", None),
        params=provenance.stated(vars(run.params)),
        device=run.device,
        threads=run.threads,
        started=time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(started)),
        seconds=round(time.time() - started, 3),
        **run.record,
    )
    write_json(partial, record)
    return partial


def _lost_ownership(run: Run) -> LostOwnershipError | None:
    try:
        run.ownership.check()
    except LostOwnershipError as error:
        return error
    except OSError:  # the file system fails, which the job's own error says
        pass
    return None


def _terminate(signum: int, frame: Any) -> None:
    raise Stopped("stopped by signal SIGTERM; run again to resume")


def _explain(error: BaseException, run: Run) -> str:
    """One line for the user; the traceback goes to the log first unless the error is an expected one."""
    if isinstance(error, InputError):
        return " ".join(str(error).split()) if "\n" not in str(error) else str(error)
    traceback.print_exception(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        folder = next(iter(run.final.values())).parent
        return f"{folder}: {os.strerror(error.errno)} while writing; free some space and run again"
    if isinstance(error, KeyboardInterrupt):
        return str(error) or "interrupted; run again to resume"
    if isinstance(error, MemoryError):
        return f"rule {run.rule} ran out of memory; lower its batch_size or shard_size in config.yaml"
    if type(error).__name__ == "OutOfMemoryError":  # PyTorch's, of a GPU
        return f"rule {run.rule} ran out of the GPU's memory; lower its batch_size in config.yaml"
    text = " ".join(str(error).split())
    return f"unexpected {type(error).__name__} in rule {run.rule}: {text} (traceback above)"
