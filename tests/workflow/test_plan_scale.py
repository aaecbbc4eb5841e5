"""All experiments at the paper's scale, planned together: how many jobs there are, and what each one asks for."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

import workflow_runs
from workflow_runs import ROOT, snakemake

PAPER_SCALE = ["cifar10-iddpm", "cifar10-stylegan2ada", "stable-diffusion"]
# docs/resources.md: this plan takes 4 s on two cores, and 10 s is the bar; a loaded machine gets six times that.
LIMIT = 60
FIGURES = ("examples", "lid_model", "lid_data", "lid_complexity", "memorized_pairs")
TEXT_FIGURES = ("metric_histograms", "score_norms", "complexity", "manifold_walk", "prompt_detection")
TEXT_FIGURES += ("sharpness_detection",)
JOBS = {
    "all": 1,
    "fetch_source": 4 + 6,
    "import_dataset": 2,
    "convert_model": 2,
    "sample_images": 4 + 1,
    "embed_images": 2 + 2,
    "search_copies": 2,
    "list_candidates": 2,
    "export_label_sheet": 2,
    "import_labels": 2,
    "score_span": 1 + 2 * 4 + 4 + 3 * 4 + 4,  # FLIPD, then the norms and the decoded size of image sets
    "score_spectra": 10 + 1,
    "score_set": 2 + 2 + 2 + 2 * 2,  # local PCA by each of its radius rules
    "gather_scores": 2 + 1,
    "evaluate": 2,
    "evaluate_raters": 2,
    "check_claims": 2 + 1,
    "gather_claims": 1,
    "import_model": 1,
    **dict.fromkeys(("list_images", "fetch_images", "import_image_set", "encode_images"), 4),
    "import_prompts": 1,
    "audit_prompts": 1,
    "score_prompts": 2 * 10,
    "match_generations": 1,
    "evaluate_detection": 1,
    "combine_detectors": 1,
    "tabulate_field": 1,
    "draw_figure": 2 * len(FIGURES) + len(TEXT_FIGURES),
    "summarize": 1,
    "collect_run_records": 1,
    "collect_benchmarks": 1,
}


def planned(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    """Jobs of a dry run in ``folder``: `rule`, and the resources by name."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--directory", str(folder), "--dry-run", "--cores", "2", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=LIMIT)
    jobs: list[dict[str, Any]] = []
    for line in done.stdout.splitlines() + done.stderr.splitlines():
        if match := re.fullmatch(r"rule (\w+):", line):
            jobs.append({"rule": match[1]})
        elif match := re.fullmatch(r" +resources: (.*)", line):
            jobs[-1] |= dict(item.split("=", 1) for item in match[1].split(", "))
    return jobs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scale")
    shutil.copy(ROOT / "config.yaml", folder)
    return folder


@pytest.fixture(scope="module")
def paper_scale(folder: Path) -> list[dict[str, Any]]:
    """On GPUs."""
    profile = ("--profile", str(ROOT / "profiles" / "gpu"))
    return planned(folder, *profile, "--config", f"run=[{','.join(PAPER_SCALE)}]")


def test_the_number_of_jobs_of_every_rule(paper_scale: list[dict[str, Any]]) -> None:
    assert Counter(job["rule"] for job in paper_scale) == JOBS


def test_every_job_of_every_experiment_asks_within_a_week_and_64_gb(folder: Path) -> None:
    """On one CPU thread, where diffusion models of the paper's size would take days; the factor 3 is in it."""
    experiments = yaml.safe_load((ROOT / "config.yaml").read_text())["experiments"]
    jobs = planned(folder, "--config", f"run=[{','.join(experiments)}]")
    assert len({job["rule"] for job in jobs}) >= 35
    for job in jobs:
        if job["rule"] != "all":
            assert 10 <= int(job["runtime"]) <= 3 * 7 * 24 * 60, job
            assert 500 <= int(job["mem_mb"]) <= 64_000, job


def test_a_job_on_a_gpu_asks_for_an_hour_or_so(paper_scale: list[dict[str, Any]]) -> None:
    on_gpu = [job for job in paper_scale if job.get("gpu") == "1"]
    cifar10, stable_diffusion = 5 + 4 + 2 + 1 + 10 + 1, 4 + 8 + 4 + 12 + 4 + 20 + 1
    assert len(on_gpu) == cifar10 + stable_diffusion
    for job in on_gpu:
        assert 10 <= int(job["runtime"]) <= 3 * 60 + 5, job
        assert 3000 <= int(job["mem_mb"]) <= 24_000, job


def test_the_same_job_asks_for_more_time_where_there_is_no_gpu(
    folder: Path, paper_scale: list[dict[str, Any]]
) -> None:
    target = "results/cifar10-iddpm/samples/000000-012499.npz"
    job = next(job for job in planned(folder, target) if job["rule"] == "sample_images")
    assert "gpu" not in job
    assert int(job["runtime"]) > 20 * max(
        int(job["runtime"]) for job in paper_scale if job["rule"] == "sample_images"
    )


def test_downloads_and_figures_run_where_snakemake_runs() -> None:
    """Compute nodes often have no internet, and a figure takes less time than its place in the queue.

    A dry run is local altogether and does not tell, so the rules themselves are read.
    """
    text = "".join(file.read_text() for file in (ROOT / "workflow" / "rules").glob("*.smk"))
    blocks = re.split(r"^rule (\w+):", text, flags=re.MULTILINE)[1:]
    local = {
        name
        for name, block in zip(blocks[::2], blocks[1::2], strict=True)
        if "\n    localrule: True\n" in block
    }
    assert {"fetch_source", "draw_figure", "import_model", "summarize", "collect_benchmarks"} <= local
    assert not local & {"sample_images", "score_span", "search_copies", "train_model", "evaluate"}


def test_every_job_of_the_embedded_experiments_asks_for_little(folder: Path) -> None:
    jobs = planned(folder)
    assert {"train_model", "score_span", "measure_accuracy"} <= {job["rule"] for job in jobs}
    for job in jobs:
        if job["rule"] != "all":
            assert 10 <= int(job["runtime"]) <= 30, job
            assert 500 <= int(job["mem_mb"]) <= 3000, job


def test_a_later_attempt_asks_for_more(folder: Path) -> None:
    """`--attempt` is what Snakemake hands to a job that it sends again."""
    target = "results/von-mises/model"
    first, third = (
        next(job for job in planned(folder, target, *attempt) if job["rule"] == "train_model")
        for attempt in ((), ("--attempt", "3"))
    )
    assert int(third["runtime"]) == 4 * int(first["runtime"])
    assert int(third["mem_mb"]) - 400 > 2.5 * (int(first["mem_mb"]) - 400)


def test_other_resources_rerun_nothing(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, target = tmp_path / "project", "results/von-mises/data/train.npz"
    for name in ("workflow", "profiles", "envs"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, project / name, copy_function=shutil.copy2, ignore=ignored)
    shutil.copy2(ROOT / "Snakefile", project)
    monkeypatch.setattr(workflow_runs, "ROOT", project)
    folder = tmp_path_factory.mktemp("rerun")
    shutil.copy(workflow_runs.TINY / "config.yaml", folder)
    snakemake(folder, target)
    model = project / "workflow" / "scripts" / "mmh" / "plan" / "cost.py"
    text = model.read_text()
    assert "LEAST_MINUTES = 10" in text
    model.write_text(text.replace("LEAST_MINUTES = 10", "LEAST_MINUTES = 77"))
    assert "Nothing to be done" in snakemake(folder, target, "--dry-run").stdout
