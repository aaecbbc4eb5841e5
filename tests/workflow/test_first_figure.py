"""A newcomer's first figure comes within two minutes: its steps go before everything else."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from workflow_runs import ROOT, snakemake

FIRST = "results/von-mises/figures/lid_scatter.pdf"


@dataclass
class Job:
    rule: str
    inputs: set[str]
    outputs: set[str]
    priority: int


def planned(folder: Path) -> list[Job]:
    """Jobs of plain `snakemake` on config.yaml, from a dry run."""
    shutil.copy(ROOT / "config.yaml", folder)
    text = snakemake(folder, "--dry-run").stdout
    jobs = []
    for block in re.split(r"^(?:local)?rule ", text, flags=re.MULTILINE)[1:]:
        parts = dict(re.findall(r"^    (\w+): (.*)$", block, re.MULTILINE))
        files = (set(filter(None, parts.get(name, "").split(", "))) for name in ("input", "output"))
        jobs.append(Job(block.partition(":")[0], *files, int(parts.get("priority", 0))))
    return jobs


def test_the_steps_to_the_first_figure_go_before_all_others(tmp_path: Path) -> None:
    jobs = planned(tmp_path)
    assert len(jobs) > 100
    steps: list[Job] = []
    wanted = {FIRST}
    while found := [job for job in jobs if job not in steps and job.outputs & wanted]:
        steps += found
        wanted = set().union(*(job.inputs for job in found))
    assert {"train_model", "draw_figure"} <= {job.rule for job in steps}
    lowest = min(job.priority for job in steps)
    assert {job.rule for job in jobs if job not in steps and job.priority >= lowest} <= {"draw_figure"}
    # Nothing else of length hides among them: those experiments are trained in seconds.
    assert len(steps) <= 8


def test_make_demo_says_where_the_first_figure_lies() -> None:
    recipe = (ROOT / "Makefile").read_text().split("\ndemo: ")[1].split("\n\n")[0]
    said, started = recipe.index(FIRST), recipe.index("$(SNAKEMAKE) --cores")
    assert said < started
