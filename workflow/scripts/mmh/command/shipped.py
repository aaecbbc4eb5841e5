"""The commands on the shipped experiments: each is one run of Snakemake, or of a tool."""

import subprocess
import sys
from argparse import Namespace

from mmh.command import running
from mmh.config.files import read_yaml
from mmh.errors import InputError
from mmh.options.messages import did_you_mean


def run(asked: Namespace) -> int:
    """Run a command other than `audit`.

    Parameters
    ----------
    asked : Namespace

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    InputError
        If there is no such figure or experiment.
    """
    where = {"cores": asked.cores, "profile": asked.profile}
    match asked.command:
        case "demo":
            return running.snakemake([], **where) or _report(asked)
        case "reproduce":
            tool = running.ROOT / "workflow" / "tools" / "embedded.py"
            done = subprocess.run([sys.executable, str(tool)], capture_output=True, text=True, check=True)
            return running.snakemake(["--config", f"run={done.stdout.strip()}"], **where)
        case "report":
            return _report(asked)
        case "status":
            return running.tool("status", ["--profile", asked.profile] if asked.profile else [])
        case "figure":
            return running.snakemake([figure_file(asked.name, _experiments())], **where)
    return running.snakemake([sheet_file(asked.experiment, _experiments())], **where)


def _report(asked: Namespace) -> int:
    look = str(running.ROOT / "workflow" / "report" / "report.css")
    options = ["--report", "results/report.html", "--report-stylesheet", look, "--quiet", "all"]
    return running.snakemake(options, cores=asked.cores)


def _experiments() -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = read_yaml(running.ROOT / "config.yaml").value["experiments"]
    return found


def figure_file(name: str, experiments: dict[str, dict[str, object]]) -> str:
    """Find the file of a figure.

    Parameters
    ----------
    name : str
        ``experiment/figure``, or the figure alone where one experiment has it.
    experiments : dict
        Of the configuration.

    Returns
    -------
    str

    Raises
    ------
    InputError
        If there is none, or there are several.
    """
    known = [f"{e}/{figure}" for e, entry in experiments.items() for figure in _figures(entry)]
    fitting = [place for place in known if name in (place, place.split("/")[1])]
    if len(fitting) == 1:
        experiment, figure = fitting[0].split("/")
        return f"results/{experiment}/figures/{figure}.pdf"
    if fitting:
        raise InputError(f"figure {name}: several experiments have it; name one: {', '.join(fitting)}")
    raise InputError(f"figure {name}: there is none in config.yaml{did_you_mean(name, known)}")


def _figures(entry: dict[str, object]) -> list[str]:
    figures = entry.get("figures")
    return list(figures) if isinstance(figures, dict) else []


def sheet_file(experiment: str, experiments: dict[str, dict[str, object]]) -> str:
    """Find the page on which an experiment's pairs are labelled.

    Parameters
    ----------
    experiment : str
    experiments : dict
        Of the configuration.

    Returns
    -------
    str

    Raises
    ------
    InputError
        If there is no such experiment, or it has no candidates to label.
    """
    having = [name for name, entry in experiments.items() if entry.get("candidates")]
    if experiment not in having:
        raise InputError(
            f"label {experiment}: no experiment with candidates in config.yaml; there are {', '.join(having)}"
        )
    return f"results/{experiment}/label_sheet.html"
