"""Interleaved timing, peak memory, the machine, and how a table of measures is written."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

Seconds = dict[str, float]


@dataclass
class Measure:
    """One line of the table.

    Attributes
    ----------
    what : str
        What is compared.
    value : float
        The number.
    unit : str
        Its unit.
    bar : str
        The bar with its comparison, such as ``<= 3.0``; empty if there is none.
    """

    what: str
    value: float
    unit: str
    bar: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the bar is met, None without one."""
        if not self.bar:
            return None
        comparison, number = self.bar.split()
        return self.value <= float(number) if comparison == "<=" else self.value >= float(number)


def interleaved(works: Mapping[str, Callable[[], object]], repeats: int) -> Seconds:
    """Least processor time of each piece of work, one after another within each repeat.

    Processor time, not wall time, and turns taken within a repeat: a machine that is busy with something else
    slows both sides of a ratio, and the least of several turns is the one that was disturbed least.

    Parameters
    ----------
    works : mapping of str to callable
        Name to work; each is run once unmeasured where there is more than one repeat.
    repeats : int
        Turns.

    Returns
    -------
    dict of str to float
        Name to seconds.
    """
    if repeats > 1:
        for work in works.values():
            work()
    best = dict.fromkeys(works, float("inf"))
    for _ in range(repeats):
        for name, work in works.items():
            start = time.process_time()
            work()
            best[name] = min(best[name], time.process_time() - start)
    return best


def peak_rise(work: Callable[[], object]) -> int | None:
    """Bytes by which the resident memory rises at most while `work` runs; None where Linux cannot tell."""
    try:
        Path("/proc/self/clear_refs").write_text("5")  # starts the high-water mark anew
    except OSError:
        return None
    before = _status("VmRSS")
    work()
    return _status("VmHWM") - before


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return 1024 * int(line.split()[1])
    raise OSError(f"/proc/self/status has no {field}")


def machine() -> dict[str, Any]:
    """Processor, cores, threads and versions, without the host's name."""
    from mmh.provenance import versions

    model = platform.processor() or platform.machine()
    info, virtual = Path("/proc/cpuinfo"), False
    if info.is_file():
        virtual = "hypervisor" in info.read_text()
        names = [
            line.split(":", 1)[1] for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0].strip() if names else model
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "virtual": virtual,
        "threads": 1,
        "versions": versions(),
    }


def description() -> str:
    """The machine in one line."""
    found = machine()
    kind = " virtual machine" if found["virtual"] else ""
    torch = found["versions"]["torch"].replace("+cpu", " CPU")
    return f"{found['cores']}-core {found['processor']}{kind}, PyTorch {torch}, one thread"


def report(name: str, measures: list[Measure], details: Mapping[str, Any], out: Path) -> None:
    """Write `<out>/<name>.json`: machine, versions, numbers, bars and what they were computed from."""
    from mmh.io.files import write_json

    out.mkdir(parents=True, exist_ok=True)
    lines = [{**asdict(measure), "met": measure.met} for measure in measures]
    write_json(out / f"{name}.json", {"machine": machine(), "measures": lines, "details": dict(details)})


def table(measures: list[Measure]) -> str:
    """Markdown table of measures; a bar that is missed is said to be."""
    rows = ["| what | measured | bar |", "| --- | --- | --- |"]
    for measure in measures:
        verdict = "" if measure.met is not False else " (missed)"
        unit = "" if measure.unit.startswith("%") or not measure.unit else " "
        bar = measure.bar.replace("<=", "≤").replace(">=", "≥")
        rows.append(f"| {measure.what} | {measure.value:.3g}{unit}{measure.unit} | {bar}{verdict} |")
    return "\n".join(rows)


def into_document(file: Path, text: str) -> None:
    """Replace what stands between the markers ``<!-- bench: begin -->`` and ``<!-- bench: end -->``."""
    begin, end = "<!-- bench: begin -->", "<!-- bench: end -->"
    before, found, rest = file.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"{file} lacks the markers {begin} and {end}")
    file.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
