"""Count how often claims hold, and AUCs differ from 1/2, where nothing is to be found.

Usage: python workflow/tools/null_calibration.py [--cores N] [--trials N] [--experiments NAME ...] [--table]

From finished results of every experiment under `run` in config.yaml that has claims or an evaluation, and of
every other one that is finished (`make reproduce`), worlds are made in which no claim holds: labels are
shuffled over clusters, or what is measured is moved to the end of the region that is claimed and clusters are
drawn anew (`mmh.calibration`). Each is asked as the run itself is, and docs/statistics.md says how often
something was found. With --table nothing is drawn: the page is written anew from the last table. What is
finished lies under runs/calibration/ and is not drawn again unless results, options or the code that asks
have changed.
"""

import argparse
import ast
import hashlib
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")  # every process has one core

import pandas as pd
import yaml

from mmh.calibration.experiments import asked, files, worlds
from mmh.calibration.study import ask, markdown, runs, shares
from mmh.errors import InputError
from mmh.io.files import atomic, write_json
from mmh.io.table_files import write_csv
from mmh.provenance import processor, versions
from mmh.reporting.generated import write_between

CONFIG = Path("config.yaml")
CODE = ("calibration", "claims", "copying", "evaluation", "mitigated", "prompts", "stats")
RUNS = Path("runs/calibration")
TABLES = Path("docs/studies")
PAGE = Path("docs/statistics.md")
MARKS = "<!-- calibration: written by make calibration -->\n", "<!-- end of calibration -->\n"
CHUNK = 50
"""Trials asked together."""


def state(config: dict[str, Any], experiment: str) -> str:
    """Digest of the code that asks, of the tables that are asked about, and of the experiment's options."""
    scripts = Path(__file__).parents[1] / "scripts" / "mmh"
    code = [file for folder in CODE for file in sorted((scripts / folder).glob("*.py"))]
    digest = hashlib.sha256(json.dumps([config["seed"], config["experiments"][experiment]]).encode())
    for file in code:
        digest.update(ast.dump(ast.parse(file.read_text(encoding="utf-8"))).encode())
    for file in files(config, experiment):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def part(experiment: str, digest: str, first: int, count: int) -> pd.DataFrame:
    """Ask an experiment's worlds in some of the trials, or read what was said before."""
    path = RUNS / f"{experiment}-{digest}-{first}-{count}.parquet"
    if not path.is_file():
        config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
        answers = ask(worlds(config, experiment), experiment, range(first, first + count), config["seed"])
        RUNS.mkdir(parents=True, exist_ok=True)
        with atomic(path) as partial:
            answers.to_parquet(partial, index=False)
    return pd.read_parquet(path)


def read(path: Path) -> pd.DataFrame:
    """Read a table that was written here."""
    text = ["kind", "experiment", "claim", "role", "question", "under", "null"]
    return pd.read_csv(path, dtype={"claim": str}).fillna(dict.fromkeys(text, ""))


def write_page(path: Path) -> None:
    """Write the generated part of docs/statistics.md from a table."""
    write_between(PAGE, MARKS, path.name, markdown(read(path)))


def counted(digests: dict[str, str], trials: int, cores: int) -> pd.DataFrame:
    """Ask all experiments, given the state of each, and count."""
    start, answers = time.monotonic(), []
    with ProcessPoolExecutor(max(1, cores)) as pool:
        jobs = [
            (f"{name} {first}", pool.submit(part, name, digest, first, min(CHUNK, trials - first)))
            for first in range(0, trials, CHUNK)
            for name, digest in digests.items()
        ]
        for said, job in jobs:
            answers.append(job.result())
            print(f"{time.monotonic() - start:6.0f} s  {said}", flush=True)
    whole = pd.concat(answers, ignore_index=True)
    return pd.concat([shares(whole), runs(whole)], ignore_index=True)


def main() -> int:
    """Ask, and write the table and the page; exit status 1 where results are missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0], allow_abbrev=False)
    parser.add_argument("--cores", type=int, default=os.cpu_count(), help="processes; default: all cores")
    parser.add_argument("--trials", type=int, default=1000, help="worlds of each kind; default: 1000")
    parser.add_argument("--experiments", nargs="+", default=[], help="these alone; no table is written")
    parser.add_argument("--table", action="store_true", help="write the page from the last table alone")
    given = parser.parse_args()
    if given.table:
        write_page(sorted(TABLES.glob("calibration-*.csv"))[-1])
        return 0
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    try:
        names = given.experiments or asked(config)
        for name in names:
            if name not in config["experiments"]:
                raise InputError(f"--experiments: there is no '{name}' in {CONFIG}")
        digests = {name: state(config, name) for name in names}  # what is missing is said at once
        table = counted(digests, given.trials, given.cores)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if given.experiments:
        print(markdown(table))
        return 0
    path = TABLES / f"calibration-{time.strftime('%Y-%m-%d')}.csv"
    write_csv(table, path, digits=6)
    told = dict(line.split(":", 1) for line in processor())
    machine = [value.strip() for key, value in told.items() if key.strip() in ("model name", "CPU part")]
    about = (
        "How often claims hold and AUCs differ from 1/2 where nothing is to be found, on finished results."
    )
    said = {"about": about, "trials": given.trials, "experiments": names, "seed": config["seed"]}
    write_json(path.with_suffix(".json"), {**said, "processor": machine, "versions": versions()})
    write_page(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
