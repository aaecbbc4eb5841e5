"""Adding is one place: a row is one file and its lines of the configuration, and then the real thing runs.

The examples of docs/plugins are put where rows lie, into a copy of the checkout as a clone holds it; and they are
named as plug-ins of the checkout as it is. Both make everything from the rows' data to the rows' figures.
"""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

import workflow_runs
from workflow_runs import ROOT, TINY, jobs_of, snakemake

pytestmark = pytest.mark.long

EXAMPLES = ROOT / "docs" / "plugins"
MMH = "workflow/scripts/mmh"
# Where the file of a row lies, and how many files may be added or edited for it, the configuration among them.
ROWS = {
    "contrast": (f"{MMH}/scores/contrast.py", 2),
    "noise_norm": (f"{MMH}/scores/noise_norm.py", 2),
    "empty_norm": (f"{MMH}/metrics/empty_norm.py", 2),
    "capped_guidance": (f"{MMH}/mitigations/capped_guidance.py", 2),
    "score_by_label": (f"{MMH}/figures/score_by_label.py", 4),
    "blur": (f"{MMH}/models/blur.py", 2),
    "blobs": (f"{MMH}/worlds/blobs.py", 2),
}
SAMPLES, TRAIN = 12, 24
SPAN = "000000-000011"
# A model of 20 rough steps: most chains end at the image that is repeated, closer than 0.25; no other below 0.33.
BLOBS = f"""
data: {{world: blobs, n_train: {TRAIN}, copies: 8}}
model: {{kind: blur, width: 0.3}}
sampling: {{n_samples: {SAMPLES}, shard_size: {SAMPLES}, batch_size: 6, steps: 20, calibration: 0}}
labels: {{source: planted, exact_distance: 0.28, not_distance: 0.3}}
estimators:
  contrast: {{method: contrast, items: [samples], shard_size: {SAMPLES}}}
  flipd: {{method: flipd, items: [samples], t: 0.05, trace: exact, batch_size: 6, shard_size: {SAMPLES}}}
  noise: {{method: noise-norm, items: [samples], t: 0.05, batch_size: 5, shard_size: {SAMPLES}}}
  png: {{method: png, items: [samples]}}
evaluation: {{estimators: [contrast, flipd], baselines: [png], resamples: 100}}
figures:
  lid_model: {{estimators: [contrast, flipd]}}
  score_by_label: {{estimator: contrast}}
"""
PROMPTS = ["empty_norm", "cfg_norm"]
PROMPT_FIGURE = {
    "pair": ["memorized", "control"],
    "curves": ["empty_norm.mean.n1"],
    "metrics": ["empty_norm"],
}
TARGETS = [
    "results/blobs/evaluation.csv",
    "results/blobs/figures/lid_model.pdf",
    "results/blobs/figures/score_by_label.pdf",
    "results/digits-text/evaluation.csv",
    "results/digits-text/figures/prompt_detection.pdf",
    "results/digits-text/mitigation.csv",
]
# Of the experiments that know nothing of the rows.
OTHERS = [
    "results/digits/evaluation.csv",
    "results/digits/figures/lid_model.pdf",
    "results/digits-gan/figures/lid_model.pdf",
    "results/digits-text/scores.parquet",
    "results/von-mises/figures/lid_scatter.pdf",
]


def configuration(**more: Any) -> str:
    """The tiny configuration with the rows' lines: a new experiment, and a metric more in an old one."""
    config = yaml.safe_load((TINY / "config.yaml").read_text())
    digits, text = (config["experiments"][name] for name in ("digits", "digits-text"))
    config["experiments"]["blobs"] = yaml.safe_load(BLOBS) | {"retrieval": digits["retrieval"]}
    text["prompts"]["metrics"] = PROMPTS
    text["mitigation"]["mitigations"] = {
        "none": {"method": "none"},
        "capped": {"method": "capped-guidance", "most": 0.5},
    }
    text["figures"] = {"prompt_detection": PROMPT_FIGURE}
    del text["claims"]  # of metrics that are not taken here
    return yaml.safe_dump({**config, **more, "run": ["blobs"]}, sort_keys=False)


def finished(everything: Path, folder: Path) -> Path:
    """Put the results of the tiny run into a folder: the text-to-image model and the descriptor are made."""
    for name in ("results", ".snakemake"):
        shutil.copytree(everything / name, folder / name, copy_function=shutil.copy2)
    return folder


@pytest.fixture(scope="module")
def files() -> list[str]:
    """Files of the checkout, as a clone holds them, and those that wait for a commit."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: nobody knows which files belong to it")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [name for name in names if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def clone(files: list[str], everything: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with the rows in it and finished results of other experiments; runs use it."""
    folder = tmp_path_factory.mktemp("adding") / "clone"
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    for name, (place, _) in ROWS.items():
        shutil.copy(EXAMPLES / f"{name}.py", folder / place)
    (folder / "config.yaml").write_text(configuration())
    return finished(everything, folder)


@pytest.fixture(scope="module")
def inside(clone: Path) -> Path:
    """The copy of the checkout after its run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workflow_runs, "ROOT", clone)
        snakemake(clone, *TARGETS)
    return clone


@pytest.fixture(scope="module")
def outside(everything: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the checkout as it is, with the rows as plug-ins."""
    folder = tmp_path_factory.mktemp("outside")
    for name in ROWS:
        shutil.copy(EXAMPLES / f"{name}.py", folder)
    (folder / "run").mkdir()
    (folder / "run" / "config.yaml").write_text(configuration(plugins=[f"../{name}.py" for name in ROWS]))
    snakemake(finished(everything, folder / "run"), *TARGETS)
    return folder / "run"


def test_every_example_is_added_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(ROWS)


def test_nothing_but_the_files_of_the_rows_and_the_configuration_is_new_or_edited(
    files: list[str], inside: Path
) -> None:
    made = {"results", "logs", "benchmarks", "chunks", ".snakemake", "__pycache__"}
    found = {
        path.relative_to(inside).as_posix()
        for path in inside.rglob("*")
        if path.is_file() and made.isdisjoint(path.relative_to(inside).parts)
    }
    assert not set(files) - found
    changed = {
        name
        for name in found
        if name not in files or (inside / name).read_bytes() != (ROOT / name).read_bytes()
    }
    assert changed == {"config.yaml", *(place for place, _ in ROWS.values())}
    for row, (place, _) in ROWS.items():
        assert (inside / place).read_bytes() == (EXAMPLES / f"{row}.py").read_bytes()


def test_rows_that_are_added_rerun_nothing_of_others(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflow_runs, "ROOT", clone)
    assert jobs_of(clone, *OTHERS) == set()


def test_a_kind_of_model_on_a_world_is_sampled_searched_and_scored(inside: Path) -> None:
    folder = inside / "results" / "blobs"
    train, x = (read(folder / name)["x"] for name in ("data/train.npz", f"samples/{SPAN}.npz"))
    assert train.shape == (TRAIN, 1, 8, 8)
    assert (train[:8] == train[0]).all()
    distance = np.linalg.norm((x[:, None] - train).reshape(SAMPLES, TRAIN, -1), axis=2).min(axis=1)
    assert sorted(distance < 0.28) == sorted(distance < 0.3)
    assert 2 <= (distance < 0.28).sum() <= SAMPLES - 2
    labels = pd.read_parquet(folder / "labels.parquet")
    matches = pd.read_parquet(folder / "matches.parquet")
    assert sorted(matches["sample"].unique()) == list(range(SAMPLES))
    exact = set(labels.loc[labels["label"] == "exact", "sample"])
    assert exact <= set(np.flatnonzero(distance < 0.28))
    assert len(exact) >= 2
    flipd = scores_of(inside, "flipd")
    assert sorted(flipd["item"]) == list(range(SAMPLES))
    np.testing.assert_allclose(flipd["value"], 64, atol=0.5)  # its noise has all directions of pixel space


def test_an_estimator_has_scores_rows_of_the_evaluation_and_a_panel(inside: Path) -> None:
    folder = inside / "results" / "blobs"
    drawn = read(folder / f"samples/{SPAN}.npz")
    x = drawn["x"].reshape(SAMPLES, -1)
    scores = scores_of(inside, "contrast").set_index("item")["value"]
    np.testing.assert_allclose(scores[drawn["id"]], x.var(axis=1), rtol=1e-5)
    noise = scores_of(inside, "noise")
    assert sorted(noise["item"]) == list(range(SAMPLES))
    assert (noise["value"] > 0).all()
    assert set(noise["t"]) == {0.05}
    evaluation = pd.read_csv(folder / "evaluation.csv").query("estimator == 'contrast'")
    assert set(evaluation["contrast"]) == {"exact", "memorized"}
    assert evaluation["auc"].between(0, 1).all()
    assert set(evaluation["baseline"]) == {"png"}
    plotted = pd.read_csv(folder / "figures/lid_model.csv").query("estimator == 'contrast'")
    assert len(plotted) == SAMPLES
    np.testing.assert_allclose(plotted.set_index("item")["value"].sort_index(), scores.sort_index())
    assert is_drawn(folder / "figures" / "lid_model")


def test_a_metric_of_prompts_is_taken_evaluated_and_drawn(inside: Path) -> None:
    folder = inside / "results" / "digits-text"
    files = sorted(folder.glob("prompt_scores/*/*.parquet"))
    taken = pd.concat(map(pd.read_parquet, files)).query("metric == 'empty_norm'")
    for prompts in ("memorized", "control"):
        rows = taken[taken["prompt_set"] == prompts]
        assert sorted(rows["prompt"].unique()) == list(range(12))
        assert len(rows) == 12 * 2 * 5  # two generations, five steps
    assert (taken["value"] > 0).all()
    evaluation = pd.read_csv(folder / "evaluation.csv").query("contrast == 'prompts:memorized-control'")
    wanted = {f"empty_norm.{variant}.n{n}" for variant in ("first", "mean") for n in (1, 2)}
    assert wanted <= set(evaluation["estimator"])
    plotted = pd.read_csv(folder / "figures/prompt_detection.csv")
    assert wanted <= set(plotted.query("kind == 'auc'")["estimator"])
    assert "empty_norm.mean.n1" in set(plotted.query("kind == 'roc'")["detector"])
    assert is_drawn(folder / "figures" / "prompt_detection")


def test_a_mitigation_is_sampled_measured_and_compared(inside: Path) -> None:
    folder = inside / "results" / "digits-text"
    drawn = {
        name: read(folder / f"mitigated/{name}/memorized/000000-000011.npz") for name in ("none", "capped")
    }
    assert (drawn["none"]["squared_norm"] == drawn["capped"]["squared_norm"]).all()
    assert (drawn["none"]["latent"] != drawn["capped"]["latent"]).any(axis=(1, 2, 3)).all()
    table = pd.read_csv(folder / "mitigation.csv").query("metric == 'similarity'")
    assert set(table["mitigation"]) == {"none", "capped"}
    assert (table.loc[table["mitigation"] == "capped", "difference"] != 0).all()


def test_a_figure_is_drawn_with_its_numbers(inside: Path) -> None:
    folder = inside / "results" / "blobs"
    plotted = pd.read_csv(folder / "figures/score_by_label.csv")
    assert sorted(plotted["sample"]) == list(range(SAMPLES))
    assert set(plotted["label"]) == {"exact", "not_memorized"}
    scores = scores_of(inside, "contrast").set_index("item")["value"]
    np.testing.assert_allclose(plotted["value"], scores[plotted["sample"]])
    assert is_drawn(folder / "figures" / "score_by_label")


def test_rows_outside_of_the_checkout_give_the_same_bytes(inside: Path, outside: Path) -> None:
    made = [results(folder) for folder in (inside, outside)]
    assert made[0].keys() == made[1].keys()
    assert len(made[0]) > 25
    assert {name for name in made[0] if made[0][name] != made[1][name]} == set()


def test_run_records_tell_rows_of_plug_ins_from_those_of_the_checkout(inside: Path, outside: Path) -> None:
    for rule, file in (
        ("train_model", "blobs/model.json"),
        ("score_span", f"blobs/scores/samples/contrast/{SPAN}.parquet.json"),
        ("score_prompts", "digits-text/generations/control/000000-000011.npz.json"),
    ):
        shipped, own = (json.loads((at / "results" / file).read_text()) for at in (inside, outside))
        assert shipped["rule"] == own["rule"] == rule
        assert "plugins" not in shipped
        assert {Path(one["file"]).stem for one in own["plugins"]} == set(ROWS)
        for one in own["plugins"]:
            text = (EXAMPLES / Path(one["file"]).name).read_bytes()
            assert one["sha256"] == hashlib.sha256(text).hexdigest()


def test_an_edit_of_a_plug_in_reruns_what_it_makes(outside: Path) -> None:
    file = outside.parent / "contrast.py"
    text = file.read_text()
    try:
        file.write_text(text.replace("deviations.mean(axis=1)", "deviations.max(axis=1)"))
        assert jobs_of(outside, *TARGETS) == {"score_span", "gather_scores", "evaluate", "draw_figure"}
    finally:
        file.write_text(text)


def read(file: Path) -> dict[str, np.ndarray]:
    with np.load(file) as arrays:
        return dict(arrays)


def scores_of(folder: Path, estimator: str) -> pd.DataFrame:
    scores = pd.read_parquet(folder / "results/blobs/scores.parquet")
    return scores.query("items == 'samples' and estimator == @estimator")


def is_drawn(figure: Path) -> bool:
    """Whether the two pictures of a figure are there, and are pictures."""
    pdf, png = (figure.with_suffix(suffix).read_bytes() for suffix in (".pdf", ".png"))
    return pdf.startswith(b"%PDF") and png.startswith(b"\x89PNG")


def results(folder: Path) -> dict[str, bytes]:
    """What the jobs wrote that know a row, and what follows from it; without run records."""
    top = folder / "results"
    text = ("generations/*/*", "prompt_scores/*/*", "evaluation.csv", "figures/prompt_detection.*")
    found = [*(top / "blobs").rglob("*")]
    found += [path for pattern in text for path in (top / "digits-text").glob(pattern)]
    kept = [path for path in found if path.is_file() and not is_run_record(path)]
    return {path.relative_to(top).as_posix(): path.read_bytes() for path in kept}


def is_run_record(path: Path) -> bool:
    return path.suffix == ".json" and path.with_suffix("").exists()
