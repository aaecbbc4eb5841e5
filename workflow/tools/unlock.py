"""Clear the lock that a killed run left, after checking that no run of this user is alive in this folder.

Usage: python workflow/tools/unlock.py [--slurm] [options of snakemake, such as --snakefile FILE]

With --slurm the jobs that the run sent from this folder are cancelled first, as they would go on writing.
"""

import getpass
import os
import subprocess
import sys
import time
from pathlib import Path

PREFIX = "mmh_"  # slurm-jobname-prefix of profiles/slurm
# SIGTERM, KillWait (30 s as a rule), SIGKILL; what is there still needs an administrator.
PATIENCE = 180.0


def live_runs(folder: Path, *, jobs: bool = True) -> list[int]:
    """Find Snakemake processes of this user that work in ``folder``.

    Parameters
    ----------
    folder : Path
        The project's root, or the folder given to ``--directory``.
    jobs : bool
        Count the processes that a run starts for its jobs, too.

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
        job = b"--mode" in command  # nobody types this option
        if here and runs and (jobs or not job) and int(process.name) != os.getpid():
            found.append(int(process.name))
    return found


def slurm_jobs(folder: Path, prefix: str = PREFIX) -> list[str]:
    """Find this user's SLURM jobs, waiting or running, that a run in ``folder`` has sent.

    Parameters
    ----------
    folder : Path
        Where that run was started.
    prefix : str
        What the names of its jobs begin with.

    Returns
    -------
    list of str
        Job ids.

    Raises
    ------
    OSError
        If ``squeue`` is missing or does not answer.
    """
    # The folder comes last, as only it may hold a bar.
    command = ["squeue", "--noheader", "--user", getpass.getuser(), "--format", "%i|%j|%Z"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        raise OSError(f"squeue does not answer ({reason})")
    rows = [line.split("|", 2) for line in done.stdout.splitlines() if line.count("|") >= 2]
    here = folder.resolve()
    return [number for number, name, work in rows if name.startswith(prefix) and Path(work).resolve() == here]


def cancel_jobs(folder: Path, patience: float = PATIENCE) -> None:
    """Cancel the SLURM jobs of ``folder`` and wait until none is left.

    Parameters
    ----------
    folder : Path
        Where the run was started.
    patience : float
        Seconds to wait.

    Raises
    ------
    OSError
        If ``squeue`` or ``scancel`` fails, or jobs are still there after ``patience``.
    """
    left = slurm_jobs(folder)
    if left:
        print(f"cancelling {len(left)} SLURM jobs: {' '.join(left)}", flush=True)
        done = subprocess.run(["scancel", *left], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise OSError(f"scancel failed ({' '.join(done.stderr.split())})")
    end = time.monotonic() + patience
    while left:
        if time.monotonic() > end:
            raise OSError(f"SLURM jobs {' '.join(left)} are still there after {patience:.0f} s (see squeue)")
        time.sleep(min(1.0, patience / 10))
        left = slurm_jobs(folder)


def main() -> int:
    """Unlock the current folder; exit status 1 if a run or one of its jobs is alive."""
    folder, arguments = Path.cwd(), sys.argv[1:]
    slurm = "--slurm" in arguments
    alive = live_runs(folder, jobs=not slurm)
    if alive:
        print(
            f"error: snakemake is running in {folder} (process {alive[0]}); stop it first, or wait for it",
            file=sys.stderr,
        )
        return 1
    if slurm:
        arguments.remove("--slurm")
        try:
            cancel_jobs(folder)
        except OSError as error:
            print(f"error: {error}; the folder stays locked, try again later", file=sys.stderr)
            return 1
    snakemake = Path(sys.executable).with_name("snakemake")
    command = [str(snakemake), *arguments, "--unlock", "--cores", "1", "--quiet", "all"]
    status = subprocess.run(command, check=False).returncode
    if status == 0:
        print("unlocked: run again to resume")
    return status


if __name__ == "__main__":
    sys.exit(main())
