"""Run pytest again and again without importing large packages each time.

Started by mutants.py with the names of these packages. Each line on the standard input is a JSON list: a
folder, a file for what pytest prints, a limit in seconds, and arguments of pytest. Each run has a process of
its own, forked from this one, which has imported nothing of the folder. The answer is one line: the exit
status, or -1 past the limit.
"""

import importlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

POLL = 0.02
"""Seconds."""


def run(folder: str, log: str, arguments: list[str]) -> NoReturn:
    """Be the process of one run."""
    import pytest

    os.setsid()
    os.chdir(folder)
    said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for stream in (1, 2):
        os.dup2(said, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    status = int(pytest.main(arguments))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def wait(child: int, limit: float) -> int:
    """Wait for a run and end it past the limit; time that this process is stopped does not count."""
    for _ in range(int(limit / POLL)):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(POLL)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


def main() -> None:
    """Answer line by line."""
    sys.path[:] = [path for path in sys.path if Path(path) != Path(__file__).parent]
    for name in ("pytest", *sys.argv[1:]):
        importlib.import_module(name)
    for line in sys.stdin:
        folder, log, limit, *arguments = json.loads(line)
        child = os.fork()
        if not child:
            run(folder, log, arguments)
        print(wait(child, limit), flush=True)


if __name__ == "__main__":
    main()
