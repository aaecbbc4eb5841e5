"""Which edit reruns which jobs: nothing for a comment, its own jobs for an estimator, figures for a plot style.

Edits are made in a copy of the project, on finished results of the tiny configuration; dry runs tell the jobs.
"""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import workflow_runs
from workflow_runs import ROOT, jobs_of

DOWNSTREAM_OF_SCORES = {
    "gather_scores",
    "evaluate",
    "evaluate_raters",
    "check_claims",
    "pair_lid",
    "summarize",
    "collect_benchmarks",
    "collect_run_records",
    "judge_memorization",
}
ACCURACY = {"measure_accuracy", "gather_accuracy", "draw_figure"}  # asks every estimator
SCORE_FIGURES = {"draw_figure"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the workflow that a test may edit."""
    copy = tmp_path_factory.mktemp("project")
    for name in ("workflow", "profiles", "envs"):
        shutil.copytree(
            ROOT / name, copy / name, copy_function=shutil.copy2, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy2(ROOT / "Snakefile", copy / "Snakefile")
    return copy


@pytest.fixture
def planned(project: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., set[str]]:
    """Jobs that would run on the finished tiny results after an edit of ``file``, which is undone afterwards."""
    monkeypatch.setattr(workflow_runs, "ROOT", project)
    edited: list[tuple[Path, bytes, float]] = []

    def plan(file: str | None = None, edit: Callable[[str], str] | None = None) -> set[str]:
        if file is not None and edit is not None:
            path = project / file
            edited.append((path, path.read_bytes(), path.stat().st_mtime))
            changed = edit(path.read_text())
            assert changed != path.read_text(), "the edit must change the file"
            path.write_text(changed)
        return jobs_of(tiny)

    yield plan  # type: ignore[misc]
    for path, content, mtime in edited:
        path.write_bytes(content)
        os.utime(path, (mtime, mtime))


MMH = "workflow/scripts/mmh"


def test_nothing_reruns_in_a_fresh_copy(planned: Callable[..., set[str]]) -> None:
    assert planned() == set()


def test_a_touched_module_reruns_nothing(planned: Callable[..., set[str]], project: Path) -> None:
    os.utime(project / MMH / "lid" / "flipd.py", (time.time(), time.time()))
    assert planned() == set()


def test_a_comment_reruns_nothing(planned: Callable[..., set[str]]) -> None:
    assert planned(f"{MMH}/lid/flipd.py", lambda text: text + "\n# a remark\n") == set()


def test_a_docstring_reruns_nothing(planned: Callable[..., set[str]]) -> None:
    assert planned(f"{MMH}/lid/normal_bundle.py", lambda text: text.replace('"""', '"""Indeed: ', 1)) == set()


def test_an_estimator_reruns_its_own_jobs_and_what_follows(planned: Callable[..., set[str]]) -> None:
    jobs = planned(f"{MMH}/lid/normal_bundle.py", lambda text: text + "\nADDED = 1\n")
    assert "score_spectra" in jobs
    assert jobs <= {"score_spectra", "score_set"} | DOWNSTREAM_OF_SCORES | SCORE_FIGURES | ACCURACY
    assert "score_span" not in jobs


def test_a_threshold_reruns_no_network(planned: Callable[..., set[str]]) -> None:
    jobs = planned(f"{MMH}/lid/spectra.py", lambda text: text + "\nADDED = 1\n")
    assert "score_set" in jobs
    assert not jobs & {"score_span", "score_spectra", "sample_images", "train_model"}


def test_a_plot_style_reruns_figures_only(planned: Callable[..., set[str]]) -> None:
    jobs = planned(f"{MMH}/plotting/style.py", lambda text: text + "\nADDED = 1\n")
    assert jobs
    assert {job for job in jobs if job != "draw_figure"} <= {"collect_benchmarks"}


@pytest.mark.parametrize("module", ["progress", "job", "plan", "config"])
def test_the_frame_and_the_plan_rerun_nothing(planned: Callable[..., set[str]], module: str) -> None:
    """A reworded progress line or a new target must not retrain a model."""
    assert planned(f"{MMH}/{module}.py", lambda text: text + "\nADDED = 1\n") == set()


def test_a_score_model_reruns_no_training(planned: Callable[..., set[str]]) -> None:
    jobs = planned(f"{MMH}/diffusion.py", lambda text: text + "\nADDED = 1\n")
    assert "score_span" in jobs
    assert not jobs & {"train_model", "train_descriptor"}


def test_training_code_reruns_everything_below_it_but_no_other_model(
    planned: Callable[..., set[str]],
) -> None:
    jobs = planned(f"{MMH}/models/edm/training.py", lambda text: text + "\nADDED = 1\n")
    assert "train_model" in jobs
    assert not jobs & {"score_spectra", "embed_images"}


def config_edit(old: str, new: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        text = (folder / "config.yaml").read_text()
        assert old in text
        (folder / "config.yaml").write_text(text.replace(old, new, 1))

    return edit


@pytest.mark.parametrize(
    ("edit", "reruns", "leaves"),
    [
        (
            config_edit("percentile: 10, batch_size: 16", "percentile: 20, batch_size: 16"),
            "score_set",
            "score_spectra",
        ),
        (config_edit("per_class: 4", "per_class: 5"), "draw_figure", "gather_scores"),
        (config_edit("exact_distance: 14.0", "exact_distance: 13.9"), "plant_labels", "search_copies"),
        (config_edit("neighbours: 5", "neighbours: 6"), "search_copies", "embed_images"),
        (config_edit("calibration: 6", "calibration: 5"), "evaluate", "sample_images"),
        (config_edit("threads: 1", "threads: 2"), "train_model", "make_dataset"),
    ],
    ids=["percentile", "figure option", "label threshold", "retrieval option", "calibration", "threads"],
)
def test_a_config_key_reruns_its_users(
    tiny_copy: Path, edit: Callable[[Path], None], reruns: str, leaves: str
) -> None:
    edit(tiny_copy)
    jobs = jobs_of(tiny_copy)
    assert reruns in jobs
    assert leaves not in jobs


def test_more_samples_compute_new_spans_only(tiny_copy: Path) -> None:
    config_edit("n_samples: 24", "n_samples: 36")(tiny_copy)
    done = workflow_runs.snakemake(tiny_copy, "--dry-run", "--quiet", "rules", "--until", "sample_images")
    rows = dict(line.split() for line in done.stdout.splitlines() if len(line.split()) == 2)
    assert rows["sample_images"] == "1"


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
