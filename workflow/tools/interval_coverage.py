"""Simulate how often each kind of interval covers, and write the table and docs/statistics.md.

Usage: python workflow/tools/interval_coverage.py [--cores N] [--trials N] [--only KIND] [--table]

Each setting of `mmh.coverage.settings` is simulated many times, at the sizes, cluster sizes and
correlations of the demo. What is finished lies under runs/coverage/ and is not simulated again unless the
code of the intervals has changed. With --table nothing is simulated: docs/statistics.md is written anew from
the last table under docs/studies/.
"""

import argparse
import ast
import hashlib
import json
import math
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")  # every process has one core

import pandas as pd

from mmh.coverage.settings import SETTINGS
from mmh.coverage.study import Setting, markdown, simulate
from mmh.io.files import write_json
from mmh.io.table_files import write_csv
from mmh.provenance import processor, versions
from mmh.reporting.generated import write_between

RUNS = Path("runs/coverage")
TABLES = Path("docs/studies")
PAGE = Path("docs/statistics.md")
MARKS = "<!-- coverage: written by make coverage -->\n", "<!-- end of coverage -->\n"


def code() -> str:
    """Digest of the code that makes and judges intervals, but for its layout and comments."""
    scripts = Path(__file__).parents[1] / "scripts" / "mmh"
    found = [*(scripts / "stats").glob("*.py"), *(scripts / "coverage").glob("*.py")]
    found.append(scripts / "mitigated" / "table.py")
    trees = [ast.dump(ast.parse(file.read_text(encoding="utf-8"))) for file in sorted(found)]
    return hashlib.sha256("".join(trees).encode()).hexdigest()[:16]


def finished(setting: Setting, trials: int, digest: str) -> dict[str, object] | None:
    """Read a row that has been simulated before with this code; None if there is none."""
    path = RUNS / f"{setting.slug}.json"
    if not path.is_file():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    wanted = {"code": digest, "asked": setting.count(trials)}
    if {name: found[name] for name in wanted} != wanted:
        return None
    return {name: math.nan if value is None else value for name, value in found["row"].items()}


def run_setting(name: tuple[str, str], trials: int, digest: str) -> str:
    """Simulate one setting and keep its row."""
    setting = next(s for s in SETTINGS if (s.kind, s.name) == name)
    row = simulate(setting, setting.count(trials))
    kept = {key: None if value != value else value for key, value in row.items()}  # JSON has no NaN
    RUNS.mkdir(parents=True, exist_ok=True)
    write_json(RUNS / f"{setting.slug}.json", {"code": digest, "asked": setting.count(trials), "row": kept})
    return f"{setting.kind}: {setting.name}: {row['coverage']:.3f}"


def write_page(path: Path) -> None:
    """Write the generated part of docs/statistics.md from a table."""
    write_between(PAGE, MARKS, path.name, markdown(pd.read_csv(path)))


def main() -> int:
    """Simulate what is not finished, and write the table once all of it is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0], allow_abbrev=False)
    parser.add_argument("--cores", type=int, default=os.cpu_count(), help="processes; default: all cores")
    parser.add_argument("--trials", type=int, default=2000, help="simulations of each setting; default: 2000")
    parser.add_argument("--only", default="", help="kinds that start so; no table is written")
    parser.add_argument("--table", action="store_true", help="write the page from the last table alone")
    given = parser.parse_args()
    if given.table:
        write_page(sorted(TABLES.glob("coverage-*.csv"))[-1])
        return 0
    digest, start = code(), time.monotonic()
    wanted = [setting for setting in SETTINGS if setting.kind.startswith(given.only)]
    missing = [setting for setting in wanted if finished(setting, given.trials, digest) is None]
    missing.sort(key=lambda setting: -setting.cost)  # the longest first: no core waits at the end
    with ProcessPoolExecutor(max(1, given.cores)) as pool:
        jobs = [
            pool.submit(run_setting, (setting.kind, setting.name), given.trials, digest)
            for setting in missing
        ]
        for job in jobs:
            said = job.result()
            print(f"{time.monotonic() - start:6.0f} s  {said}", flush=True)
    rows = [finished(setting, given.trials, digest) for setting in wanted]
    table = pd.DataFrame(rows)
    if given.only:
        print(markdown(table))
        return 0
    path = TABLES / f"coverage-{time.strftime('%Y-%m-%d')}.csv"
    write_csv(table, path, digits=6)
    told = dict(line.split(":", 1) for line in processor())
    names = [value.strip() for key, value in told.items() if key.strip() in ("model name", "CPU part")]
    about = "How often each kind of interval covers, at the sizes and correlations of the demo."
    machine = {"processor": names, "processors": os.cpu_count(), "versions": versions()}
    write_json(path.with_suffix(".json"), {"about": about, "trials": given.trials, "code": digest, **machine})
    write_page(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
