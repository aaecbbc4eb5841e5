"""Put deliberate faults into a copy of the code, one at a time, and see whether a test notices each.

Usage: python workflow/tools/mutants.py [-n PROCESSES] [NAME ...]

tests/mutants/*.yaml list the faults by file: the text that is replaced, what takes its place, what that
breaks, and the test that must fail. First each of these tests has to pass without any fault. A fault is
killed if its test then fails by an assertion or by an error that it raises, while it runs; a test that cannot
be collected, set up or imported says nothing. The exit status is 1 if a fault survives, if a text no longer
occurs exactly once, or if a test cannot be run. When all faults were tried and killed, a table of them is
written under docs/studies/.
"""

import argparse
import ast
import csv
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as Tree
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import yaml

from mmh.io.files import atomic, write_json
from mmh.provenance import processor, versions

ROOT = Path(__file__).parents[2]
LISTS = "tests/mutants"
TABLES = "docs/studies"
TREE = ("workflow", "tests", "resources", "profiles", "envs", "studies", "docs")
"""What tests read, besides files at the top."""
KEYS = ("name", "was", "becomes", "breaks", "test")
COLUMNS = ("name", "file", "breaks", "test", "killed_by")
PACKAGES = (
    "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion",
    "faiss",
    "matplotlib.figure",
    "pandas",
    "PIL.Image",
    "pyarrow.parquet",
    "pydantic",
    "scipy.spatial.distance",
    "scipy.stats",
    "sklearn.linear_model",
    "torch.func",
)
"""Imported once, as that takes longer than most tests."""
LIMIT = 300
"""Seconds that one test may take."""
BROKEN = ("SyntaxError", "IndentationError", "ImportError", "ModuleNotFoundError", "NameError")
"""A fault that fails so is no fault of mathematics but a slip of the list."""


@dataclass(frozen=True)
class Fault:
    """One deliberate fault.

    Attributes
    ----------
    file : str
        Of the code, from the top of the checkout.
    name : str
        Unique among all faults.
    was, becomes : str
        Text that occurs once in the file, and what is put in its place.
    breaks : str
        What goes wrong, in one phrase.
    test : str
        Node id of the test that must fail.
    """

    file: str
    name: str
    was: str
    becomes: str
    breaks: str
    test: str


@dataclass(frozen=True)
class Outcome:
    """What became of a fault: `killed_by` says how its test failed, `wrong` why it did not."""

    fault: Fault
    killed_by: str = ""
    wrong: str = ""


def read_faults(root: Path) -> list[Fault]:
    """Read the lists of faults.

    Parameters
    ----------
    root : Path
        Top of the checkout.

    Returns
    -------
    list of Fault
        By list, file and place in it.

    Raises
    ------
    ValueError
        If an entry lacks a key or has another one, or a name stands twice.
    """
    found: dict[str, Fault] = {}
    for path in sorted((root / LISTS).glob("*.yaml")):
        for file, entries in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            for entry in entries:
                if sorted(entry) != sorted(KEYS):
                    raise ValueError(
                        f"{path.name}: {file}: an entry needs the keys {', '.join(KEYS)}: {entry}"
                    )
                fault = Fault(file, **entry)
                if fault.name in found:
                    raise ValueError(f"{path.name}: the name {fault.name!r} stands twice")
                found[fault.name] = fault
    return list(found.values())


def misfit(root: Path, fault: Fault) -> str:
    """Say why a fault no longer fits the code, without running anything.

    Parameters
    ----------
    root : Path
        Top of a checkout.
    fault : Fault

    Returns
    -------
    str
        Empty if its text occurs exactly once, what it becomes is Python, and its test is there.
    """
    path = root / fault.file
    if not path.is_file():
        return f"{fault.file}: there is no such file; move the entry to where the code lies now"
    text = path.read_text(encoding="utf-8")
    if text.count(fault.was) != 1:
        return (
            f"{fault.file}: the text {fault.was!r} occurs {text.count(fault.was)} times, not once; mend 'was'"
        )
    if fault.was.split() == fault.becomes.split():
        return f"{fault.file}: {fault.becomes!r} changes nothing"
    try:
        ast.parse(text.replace(fault.was, fault.becomes))
    except SyntaxError as error:
        return f"{fault.file}: with {fault.becomes!r} it is no Python ({error.msg})"
    file, _, name = fault.test.partition("::")
    if not (root / file).is_file():
        return f"{fault.test}: there is no such file"
    if name.partition("[")[0] not in _tests(root / file):
        return f"{fault.test}: there is no such test"
    return ""


@functools.cache
def _tests(path: Path) -> frozenset[str]:
    """Names of the tests of a file, those of a class behind its name."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        before = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        found |= {before + each.name for each in inside if isinstance(each, ast.FunctionDef)}
    return frozenset(found)


def copy_tree(root: Path, target: Path) -> None:
    """Copy what tests need."""
    target.mkdir()
    for path in root.iterdir():
        if path.name in TREE and path.is_dir():
            shutil.copytree(path, target / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.is_file() and not path.is_symlink():
            shutil.copy2(path, target / path.name)


class Copy:
    """A copy of the checkout, with a process that runs its tests.

    Parameters
    ----------
    root : Path
        Top of the checkout.
    folder : Path
        Where the copy is made.
    packages : sequence of str
        What the process imports once for all tests; nothing of the checkout.
    """

    def __init__(self, root: Path, folder: Path, packages: Sequence[str] = ()) -> None:
        self.folder, self.log, self.report = folder, folder.with_suffix(".log"), folder.with_suffix(".xml")
        copy_tree(root, folder)
        self._stamp = 1  # times of changed files: none that Python compiled a file at before
        left_out = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTEST_ADDOPTS")
        environment = {key: value for key, value in os.environ.items() if key not in left_out}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("warm_pytest.py")), *packages],
            env=environment | {"OMP_NUM_THREADS": "1", "TRANSFORMERS_VERBOSITY": "error"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def run(self, tests: Sequence[str]) -> tuple[int, str, list[tuple[str, str, str]]]:
        """Run some tests until one fails.

        Parameters
        ----------
        tests : sequence of str
            Node ids.

        Returns
        -------
        status : int
            Of pytest; -1 if it took longer than `LIMIT` for each test.
        last : str
            The last line that it said.
        failures : list of (str, str, str)
            `failure` (while the test ran), `error` (before or after) or `skipped`; the test; why.
        """
        for path in (self.report, self.log):
            path.unlink(missing_ok=True)
        options = ["-q", "-x", "-p", "no:cacheprovider", f"--junitxml={self.report}"]
        asked = [str(self.folder), str(self.log), LIMIT * len(tests), *options, *tests]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the process that runs the tests has ended")
        said = self.log.read_text(encoding="utf-8", errors="replace") if self.log.is_file() else ""
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        return int(answer), lines[-1] if lines else "", _failures(self.report)

    @contextmanager
    def changed(self, fault: Fault) -> Iterator[None]:
        """Have a fault in the copy for a while."""
        path = self.folder / fault.file
        text, status = path.read_text(encoding="utf-8"), path.stat()
        path.write_text(text.replace(fault.was, fault.becomes), encoding="utf-8")
        self._stamp += 1
        os.utime(path, (self._stamp, self._stamp))
        try:
            yield
        finally:
            path.write_text(text, encoding="utf-8")
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _failures(report: Path) -> list[tuple[str, str, str]]:
    """What a report of pytest says of tests that did not pass."""
    found = []
    for case in Tree.parse(report).iter("testcase") if report.is_file() else ():
        for kind in ("failure", "error", "skipped"):
            if (part := case.find(kind)) is not None:
                said = re.sub(r" at 0x[0-9a-f]+", "", part.get("message") or "")  # differs from run to run
                words = [" ".join(line.split()) for line in said.splitlines() if line.strip()]
                found.append((kind, case.get("name", ""), " ".join(words[:2])))
    return found


def judge(status: int, last: str, failures: Sequence[tuple[str, str, str]]) -> tuple[str, str]:
    """Say how a test noticed a fault, or why that is not shown: one of the two is empty."""
    failed = [(test, said) for kind, test, said in failures if kind == "failure"]
    if status == 0:
        skipped = [test for kind, test, _ in failures if kind == "skipped"]
        return "", f"{skipped[0]} is skipped here" if skipped else "survives: its test passes"
    if status != 1 or not failed or len(failed) < len(failures):
        return "", f"its test could not be run (pytest {status}: {last})"
    test, said = failed[0]
    if said.partition(":")[0] in BROKEN:
        return "", f"is no fault of the kind that is meant: {said}"
    return f"{test}: {said}"[:150], ""


def try_faults(
    root: Path, faults: Sequence[Fault], processes: int = 2, packages: Sequence[str] = ()
) -> Iterator[Outcome]:
    """Try faults one by one, each in a copy of the checkout.

    Parameters
    ----------
    root : Path
        Top of the checkout.
    faults : sequence of Fault
    processes : int
        Copies, in each of which one test runs at a time.
    packages : sequence of str
        As for `Copy`.

    Yields
    ------
    Outcome
        In the order given; of those that do not fit the code at once.

    Raises
    ------
    RuntimeError
        If a test fails without any fault.
    """
    reasons = {fault: misfit(root, fault) for fault in faults}
    fitting = [fault for fault in faults if not reasons[fault]]
    tests = sorted({fault.test for fault in fitting})
    with TemporaryDirectory(prefix="mutants-") as scratch, ExitStack() as open_copies:
        copies: Queue[Copy] = Queue()
        for number in range(min(processes, len(fitting))):
            copy = Copy(root, Path(scratch) / f"copy{number}", packages)
            open_copies.callback(copy.close)
            copies.put(copy)
        if fitting:
            status, last, failures = copies.queue[0].run(tests)
            if status or failures:
                said = "; ".join(f"{test}: {kind}, {text}" for kind, test, text in failures) or last
                raise RuntimeError(f"without any fault the tests do not pass: {said}")

        def one(fault: Fault) -> Outcome:
            copy = copies.get()
            try:
                with copy.changed(fault):
                    return Outcome(fault, *judge(*copy.run([fault.test])))
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(max(1, processes)) as pool:
            running = {fault: pool.submit(one, fault) for fault in fitting}
            for fault in faults:
                yield running[fault].result() if fault in running else Outcome(fault, wrong=reasons[fault])


def write_results(root: Path, outcomes: Iterable[Outcome], seconds: float, processes: int) -> Path:
    """Write the table of a run in which every fault was killed."""
    path = root / TABLES / f"mutants-{time.strftime('%Y-%m-%d')}.csv"
    with atomic(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for found in outcomes:
            fault = found.fault
            writer.writerow((fault.name, fault.file, fault.breaks, fault.test, found.killed_by))
    told = dict(line.split(":", 1) for line in processor())
    names = [value.strip() for key, value in told.items() if key.strip() in ("model name", "CPU part")]
    about = "Deliberate faults in the code, each with the test that notices it."
    machine = {"processor": names, "processors": os.cpu_count(), "versions": versions()}
    took = {"seconds": round(seconds), "processes": processes}
    write_json(path.with_suffix(".json"), {"about": about, **took, **machine})
    return path


def main(
    arguments: Sequence[str] | None = None, root: Path = ROOT, packages: Sequence[str] = PACKAGES
) -> int:
    """Try the faults, print what became of each, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0], allow_abbrev=False)
    parser.add_argument("-n", "--processes", type=int, default=2, help="tests at a time; default: 2")
    parser.add_argument("names", nargs="*", help="faults to try; default: all, and the table is written")
    given = parser.parse_args(arguments)
    start = time.monotonic()
    try:
        faults = read_faults(root)
        known = {fault.name: fault for fault in faults}
        if unknown := [name for name in given.names if name not in known]:
            raise ValueError(f"there is no fault {unknown[0]!r}")
        chosen = [known[name] for name in given.names] or faults
        outcomes = []
        for found in try_faults(root, chosen, given.processes, packages):
            outcomes.append(found)
            said = f"killed    {found.killed_by}" if found.killed_by else f"WRONG     {found.wrong}"
            print(f"{time.monotonic() - start:6.0f} s  {found.fault.name}: {said}", flush=True)
    except (ValueError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    wrong = [found for found in outcomes if found.wrong]
    seconds = time.monotonic() - start
    print(f"{len(outcomes) - len(wrong)} of {len(outcomes)} faults killed in {seconds:.0f} s")
    for found in wrong:
        print(f"  {found.fault.name} ({found.fault.breaks}; {found.fault.test}): {found.wrong}")
    if not wrong and not given.names:
        print(f"table: {write_results(root, outcomes, seconds, given.processes).relative_to(root)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
