"""Run the real Snakefile in a folder of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TINY = Path(__file__).parent / "tiny"


def snakemake(
    folder: Path, *arguments: str, check: bool = True, trace: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run snakemake on the project's Snakefile with ``folder`` as its working directory.

    `trace`: a folder that takes notes of the functions of the project that each job executes.
    """
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(ROOT / "Snakefile"),
        "--directory",
        str(folder),
    ]
    command += [*arguments, "--cores", "2"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)
    if trace is not None:
        trace.mkdir(exist_ok=True)
        environment["PYTHONPATH"] = str(Path(__file__).with_name("trace"))
        environment |= {"MMH_TRACE": str(trace), "MMH_TRACED": str(ROOT / "workflow" / "scripts" / "mmh")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"snakemake {' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}")
    return done


def jobs_of(folder: Path, *arguments: str) -> set[str]:
    """Names of the rules that would run, from a dry run."""
    done = snakemake(folder, *arguments, "--dry-run", "--quiet", "rules")
    rows = [line.split() for line in done.stdout.splitlines()]
    return {row[0] for row in rows if len(row) == 2 and row[1].isdigit()} - {"total", "all"}
