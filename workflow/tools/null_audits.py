"""Count how often `mmh audit` finds something where nothing is, and write the table and docs/audit.md.

Usage: python workflow/tools/null_audits.py [--cores N] [--audits N] [--table]

Eight small models are trained, and asked about images that they have not seen, seeds 0 to N - 1
(`mmh.calibration.null_audits`). What is finished lies under runs/null-audits/ and is not computed again
unless the code that computes it has changed. With --table nothing is computed: the page is written anew from
the last table.
"""

import argparse
import ast
import hashlib
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")  # every process has one core

import numpy as np
import pandas as pd

from mmh.calibration.null_audits import DESIGNS, DRAWS, TRAINED, Pool, ask, markdown, pool_of, shares
from mmh.io.files import atomic, write_json
from mmh.io.table_files import write_csv
from mmh.provenance import processor, versions
from mmh.reporting.generated import write_between

SCRIPTS = Path(__file__).parents[1] / "scripts" / "mmh"
MODELS = ("compute", "diffusion", "lid", "models/ddpm", "worlds/sets/digits.py")
ASKED = ("audit/conformal.py", "audit/image_answer.py", "audit/images.py", "compute/duplicates.py")
OWN = "calibration/null_audits.py"
RUNS = Path("runs/null-audits")
TABLES = Path("docs/studies")
PAGE = Path("docs/audit.md")
MARKS = "<!-- null audits: written by make null-audits -->\n", "<!-- end of null audits -->\n"
CHUNK = 250
"""Audits asked together."""


@cache
def state(*parts: str) -> str:
    """Digest of code, but for its layout, comments and docstrings."""
    found = [SCRIPTS / part for part in parts]
    digest = hashlib.sha256()
    for file in (file for part in found for file in (sorted(part.glob("*.py")) if part.is_dir() else [part])):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                node.body = [line for line in node.body if not _text(line)]
        digest.update(ast.dump(tree).encode())
    return digest.hexdigest()[:12]


def _text(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)


def pool(number: int) -> Pool:
    """Train a model, or read what was computed with it before."""
    n_train, seed = TRAINED[number]
    path = RUNS / f"{n_train}-{seed}-{state(*MODELS, OWN)}.npz"
    if not path.is_file():
        import torch

        torch.set_num_threads(1)
        made = pool_of(n_train, seed)
        RUNS.mkdir(parents=True, exist_ok=True)
        with atomic(path) as partial, partial.open("wb") as file:
            np.savez(file, images=made.images, lid=made.lid, samples=made.samples)
    with np.load(path) as arrays:
        return Pool(**arrays)


def part(number: int, first: int, audits: int) -> pd.DataFrame:
    """Ask one model with those seeds from `first` on that are its own, or read what was said before."""
    digest = state(*MODELS, *ASKED, OWN)
    path = RUNS / f"{number}-{first}-{audits}-{digest}.parquet"
    if not path.is_file():
        seeds = [seed for seed in range(first, first + audits) if seed % len(TRAINED) == number]
        answers = ask(pool(number), seeds)
        with atomic(path) as partial:
            answers.to_parquet(partial, index=False)
    return pd.read_parquet(path)


def write_page(path: Path) -> None:
    """Write the generated part of docs/audit.md from a table."""
    write_between(PAGE, MARKS, path.name, markdown(pd.read_csv(path)))


def main() -> int:
    """Train, ask, and write the table and the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0], allow_abbrev=False)
    parser.add_argument("--cores", type=int, default=os.cpu_count(), help="processes; default: all cores")
    parser.add_argument("--audits", type=int, default=4000, help="seeds; default: 4000; fewer: no table")
    parser.add_argument("--table", action="store_true", help="write the page from the last table alone")
    given = parser.parse_args()
    if given.table:
        write_page(sorted(TABLES.glob("null-audits-*.csv"))[-1])
        return 0
    start, answers = time.monotonic(), []
    with ProcessPoolExecutor(max(1, given.cores)) as workers:
        for number, made in enumerate([workers.submit(pool, number) for number in range(len(TRAINED))]):
            made.result()
            print(f"{time.monotonic() - start:6.0f} s  model {number} of {len(TRAINED)}", flush=True)
        jobs = [
            (first, workers.submit(part, number, first, min(CHUNK, given.audits - first)))
            for first in range(0, given.audits, CHUNK)
            for number in range(len(TRAINED))
        ]
        for first, job in jobs:
            answers.append(job.result())
            print(f"{time.monotonic() - start:6.0f} s  audits from {first} on", flush=True)
    table = shares(pd.concat(answers, ignore_index=True))
    print(markdown(table))
    if given.audits < 4000:
        return 0
    path = TABLES / f"null-audits-{time.strftime('%Y-%m-%d')}.csv"
    write_csv(table, path, digits=6)
    told = dict(line.split(":", 1) for line in processor())
    machine = [value.strip() for key, value in told.items() if key.strip() in ("model name", "CPU part")]
    about = "How often mmh audit finds something among images that the model has not seen."
    said = {"about": about, "audits": given.audits, "models": TRAINED, "permutations": DRAWS}
    said["designs"] = [design.name for design in DESIGNS]
    write_json(path.with_suffix(".json"), {**said, "processor": machine, "versions": versions()})
    write_page(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
