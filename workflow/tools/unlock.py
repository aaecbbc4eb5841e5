"""Clear the lock that a killed run left, after checking that no run of this user is alive in this folder.

Usage: python workflow/tools/unlock.py [options of snakemake, such as --snakefile FILE]
"""

import os
import subprocess
import sys
from pathlib import Path


def live_runs(folder: Path) -> list[int]:
    """Find Snakemake processes of this user that work in ``folder``.

    Parameters
    ----------
    folder : Path
        The project's root, or the folder given to ``--directory``.

    Returns
    -------
    list of int
        Process ids; this process is left out.
    """
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            here = (process / "cwd").resolve() == folder.resolve()
        except OSError:  # the process ended, or belongs to somebody else
            continue
        runs = any(Path(os.fsdecode(word)).name == "snakemake" for word in command[:3])
        if here and runs and int(process.name) != os.getpid():
            found.append(int(process.name))
    return found


def main() -> int:
    """Unlock the current folder; exit status 1 if a run is alive."""
    folder = Path.cwd()
    alive = live_runs(folder)
    if alive:
        print(
            f"error: snakemake is running in {folder} (process {alive[0]}); stop it first, or wait for it",
            file=sys.stderr,
        )
        return 1
    snakemake = Path(sys.executable).with_name("snakemake")
    command = [snakemake, *sys.argv[1:], "--unlock", "--cores", "1", "--quiet", "all"]
    status = subprocess.run(command, check=False).returncode
    if status == 0:
        print("unlocked: run again to resume")
    return status


if __name__ == "__main__":
    sys.exit(main())
