"""Write docs/results.md from the tables of a finished run, or compare it with them.

Usage: python workflow/tools/results_page.py [--check]

The page has a section for each experiment that needs no download. Sections of experiments that have not been
run here stay as they are; those under `run` in config.yaml must be finished. With --check nothing is written:
what disagrees is shown, and the exit status is then 1. On another processor than the page's, or after a run
of other experiments than the page's, numbers may differ as they do from one training to the next.
"""

import hashlib
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import yaml

from mmh.errors import InputError
from mmh.evaluation.runs.trainings import read_trainings
from mmh.io.files import atomic
from mmh.plan.experiment import Experiment
from mmh.plan.inputs.run import CLAIMS, Run
from mmh.provenance import processor
from mmh.reporting.page_comparison import disagreements
from mmh.reporting.results_page import adjusted_over, page, section, sections_of

PAGE = Path("docs/results.md")
TRAININGS = "docs/studies/replicates-[0-9]*.csv"
"""Tables of `make replicates`; the newest counts."""


def headline(text: str, name: str) -> str:
    """Take what an experiment is from the comment that stands above it in the configuration.

    Parameters
    ----------
    text : str
        Of config.yaml.
    name : str
        Of the experiment.

    Returns
    -------
    str
        Empty if there is none.
    """
    found = re.search(rf"^  # -+ (.+?) -+\n  {re.escape(name)}:$", text, flags=re.MULTILINE)
    return f"{found[1]}." if found else ""


def machine() -> str:
    """Name the processor that rounding depends on, with a digest of what it can do."""
    lines = processor()
    told = dict(line.split(":", 1) for line in lines)
    names = [value.strip() for key, value in told.items() if key.strip() in ("model name", "CPU part")]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8]
    return f"{' '.join(names) or 'an unknown processor'} ({digest})"


def updated(old: str, text: str, root: Path) -> str:
    """Write the page anew as far as there are tables.

    Parameters
    ----------
    old : str
        The page as it is.
    text : str
        Of config.yaml.
    root : Path
        Folder that the paths of results are relative to.

    Returns
    -------
    str

    Raises
    ------
    InputError
        If a table of an experiment under ``run`` is missing.
    """
    config: dict[str, Any] = yaml.safe_load(text)
    sections, before = {}, sections_of(old)
    tables = sorted(root.glob(TRAININGS))
    trainings = read_trainings(tables[-1]) if tables else {}
    for name in Run(config).embedded:
        experiment = Experiment(config, name)
        missing = [file for file in experiment.result_tables if not (root / file).is_file()]
        if missing and name in config["run"]:
            raise InputError(f"{missing[0]} is missing; run `make demo` first")
        if experiment.result_tables and not missing:
            about = headline(text, name)
            sections[name] = section(root / experiment.folder, about, trainings.get(name))
        elif name in before:
            sections[name] = before[name]
    return page(sections, machine(), adjusted_over(root / CLAIMS))


def main(check: bool) -> int:
    """Write or compare; exit status 1 if the page is out of step, or cannot be written."""
    old = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    try:
        new = updated(old, Path("config.yaml").read_text(encoding="utf-8"), Path())
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not check:
        with atomic(PAGE) as partial:
            partial.write_text(new, encoding="utf-8")
        print(f"page: {PAGE}")
        return 0
    wrong = disagreements(old, new)
    for before, now in wrong:
        print(f"{PAGE}: {before}\nresults:         {now}")
    if wrong:
        print(f"error: {PAGE} is out of step with the tables; `make results` writes it", file=sys.stderr)
    elif old != new:
        print(f"{PAGE} agrees with the tables, but for what depends on the processor")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
