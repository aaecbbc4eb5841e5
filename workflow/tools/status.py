"""Show how far a run is, while it goes on or afterwards: a table here, and results/status.html.

Usage: python workflow/tools/status.py [--all] [--profile FOLDER] [options of snakemake]

Takes no lock and changes no result. Give what says what is run, such as `--config`, as it was given to
snakemake. `--profile` is only read for the rules that get a GPU; `--all` lists finished stages too.
"""

import argparse
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from mmh.config.check import check_config
from mmh.config.files import ConfigFiles, read_yaml
from mmh.errors import InputError
from mmh.io.files import atomic
from mmh.plan import status, status_page
from mmh.plan.patterns import Patterns
from mmh.plan.planned_jobs import planned_jobs, read_rules


def gpu_rules(profile: Path) -> frozenset[str]:
    """Rules that a profile gives a GPU.

    Parameters
    ----------
    profile : Path
        Its folder.

    Returns
    -------
    frozenset of str
    """
    files = [profile / name for name in ("profile.yaml", "config.yaml") if (profile / name).is_file()]
    given = read_yaml(files[0] if files else profile / "profile.yaml").value.get("set-resources", {})
    if isinstance(given, dict):
        return frozenset(rule for rule, resources in given.items() if resources.get("gpu"))
    pairs = [entry.split(":", 1) for entry in given]
    return frozenset(rule for rule, resource in pairs if resource.startswith("gpu=") and resource != "gpu=0")


def summary(options: list[str]) -> str:
    """List the files of the plan with ``snakemake --summary``, which takes no lock.

    Parameters
    ----------
    options : list of str

    Returns
    -------
    str

    Raises
    ------
    InputError
        With what Snakemake said last, if it cannot make a plan.
    """
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *options, "--summary"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InputError(f"snakemake cannot plan the run: {reason(done.stderr)}; `snakemake -n` says more")
    return done.stdout


def reason(said: str) -> str:
    """Pick what went wrong out of Snakemake's messages.

    Parameters
    ----------
    said : str
        Its standard error.

    Returns
    -------
    str
        One line: what follows the name of the exception, without places in files.
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    names = [place for place, line in enumerate(lines) if re.match(r"\w+(Error|Exception)\b.*:$", line)]
    told = [line for line in lines[names[0] + 1 :] if not line.startswith("File ")] if names else lines[-1:]
    return " ".join(told) or "no reason given"


def main() -> int:
    """Print the table and write the page; exit status 1 if the plan cannot be read."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0], allow_abbrev=False)
    parser.add_argument("--all", action="store_true", help="list finished stages too")
    parser.add_argument("--profile", type=Path, help="profile of the run: tells which rules get a GPU")
    parser.add_argument("--snakefile", type=Path, default=Path("Snakefile"), help="default: Snakefile")
    given, options = parser.parse_known_args()
    try:
        files = ConfigFiles.of_options(Path("config.yaml"), options)
        config = check_config(files.merged(), files)
        listed = summary(["--snakefile", str(given.snakefile), *options])
        rules = read_rules(given.snakefile)
        jobs = planned_jobs(listed, rules, Patterns(config).all())
        on_gpu = gpu_rules(given.profile) if given.profile else frozenset()
        status.look(jobs, Path(), config, on_gpu)
        stages = status.stages(jobs, config["experiments"])
        Path("results").mkdir(exist_ok=True)
        where = f"{Path.cwd().name} on {socket.gethostname()}"
        page = status_page.page(stages, jobs, when=time.strftime("%Y-%m-%d %H:%M:%S"), where=where)
        with atomic("results/status.html") as partial:
            partial.write_text(page, encoding="utf-8")
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(status_page.text(stages, jobs, every=given.all), end="")
    print("page: results/status.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
