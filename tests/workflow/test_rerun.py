"""Snakemake reruns what digests, parameters and inputs say; `tests/unit/test_reruns.py` has which edits those are.

Edits are made in a copy of the project, on finished results of the tiny configuration; dry runs tell the jobs.
"""

import os
import shutil
import time
from pathlib import Path

import pytest

import workflow_runs
from workflow_runs import ROOT, jobs_of

MMH = "workflow/scripts/mmh"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the workflow that a test may edit, and that Snakemake is then started with."""
    copy = tmp_path / "project"
    for name in ("workflow", "profiles", "envs"):
        shutil.copytree(
            ROOT / name, copy / name, copy_function=shutil.copy2, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy2(ROOT / "Snakefile", copy / "Snakefile")
    monkeypatch.setattr(workflow_runs, "ROOT", copy)
    return copy


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_nothing_reruns_in_a_copy_with_other_dates_comments_and_messages(project: Path, tiny: Path) -> None:
    os.utime(project / MMH / "lid" / "flipd.py", (time.time(), time.time()))
    edit(project / MMH / "lid" / "normal_bundle.py", '"""', '"""Indeed: ')
    edit(project / MMH / "io" / "files.py", "it is probably truncated", "it is perhaps truncated")
    edit(project / "workflow" / "scripts" / "score_span.py", "def main(", "# a remark\ndef main(")
    assert jobs_of(tiny) == set()


def test_an_estimator_reruns_its_own_jobs_and_what_follows(project: Path, tiny: Path) -> None:
    edit(
        project / MMH / "lid" / "normal_bundle.py", "    return gram\n", "    gram = gram\n    return gram\n"
    )
    jobs = jobs_of(tiny)
    assert {"score_spectra", "score_set", "gather_scores", "evaluate", "draw_figure"} <= jobs
    assert not {
        job for job in jobs if job.startswith(("train_", "sample_", "score_span", "embed_", "search_"))
    }


def test_one_figure_needs_only_the_gathered_tables(tiny_copy: Path) -> None:
    """Released tables redraw a figure where samples' shards, spectra and models were never downloaded."""
    for name in ("model", "spectra", "embeddings", "samples"):
        shutil.rmtree(tiny_copy / "results" / "digits" / name)
    shutil.rmtree(tiny_copy / "results" / "digits" / "scores")
    (tiny_copy / "results" / "digits" / "figures" / "lid_model.pdf").unlink()
    target = "results/digits/figures/lid_model.pdf"
    assert jobs_of(tiny_copy, target) == {"draw_figure"}
    workflow_runs.snakemake(tiny_copy, target)
    assert (tiny_copy / target).exists()
