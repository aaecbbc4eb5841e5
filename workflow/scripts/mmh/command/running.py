"""Snakemake, run for a person who need not know it."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mmh.config.machine import settle

ROOT = Path(__file__).resolve().parents[4]
"""The checkout: Snakefile, config.yaml, workflow/tools."""


def snakemake(
    targets: Sequence[str],
    *,
    cores: str,
    profile: str | None = None,
    folder: Path | None = None,
    quiet: bool = False,
) -> int:
    """Run Snakemake on the project's Snakefile.

    Parameters
    ----------
    targets : sequence of str
        Files to make, and options of Snakemake after them; none: what the configuration asks for.
    cores : str
        Jobs at a time: a number, or ``all``.
    profile : str, optional
        A folder under profiles/, or any other.
    folder : path, optional
        With a config.yaml of its own, where results go; the checkout by default.
    quiet : bool
        Show what jobs say themselves, and no rules.

    Returns
    -------
    int
        Exit status.
    """
    settle(folder or ROOT)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", cores]
    if folder is not None:
        command += ["--directory", str(folder)]
    if profile is not None:
        own = ROOT / "profiles" / profile
        command += ["--profile", str(own if own.is_dir() else Path(profile).resolve())]
    command += ["--quiet", "all"] if quiet else []
    return _run([*command, *(["--"] if targets and not targets[0].startswith("-") else []), *targets], ROOT)


def unlocked(folder: Path) -> int:
    """Clear the lock of a killed run, unless a run is alive there.

    Parameters
    ----------
    folder : path

    Returns
    -------
    int
        Exit status; 0 where there is no lock.
    """
    locks = folder / ".snakemake" / "locks"
    if not locks.is_dir() or not any(locks.iterdir()):
        return 0
    script = ROOT / "workflow" / "tools" / "unlock.py"
    command = [sys.executable, str(script), "--snakefile", str(ROOT / "Snakefile")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{done.stdout}{done.stderr}".strip(), file=sys.stderr)
    return done.returncode


def tool(name: str, arguments: Sequence[str]) -> int:
    """Run one of workflow/tools."""
    return _run([sys.executable, str(ROOT / "workflow" / "tools" / f"{name}.py"), *arguments], ROOT)


def _run(command: Sequence[str], folder: Path) -> int:
    environment = {**os.environ, "HF_HUB_DISABLE_TELEMETRY": "1"}
    environment.pop("PYTHONPATH", None)  # jobs find the package beside their scripts
    return subprocess.run(command, cwd=folder, env=environment, check=False).returncode
