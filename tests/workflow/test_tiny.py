"""The whole workflow on a tiny configuration: it runs, repeats to the byte, and does not depend on spans."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mmh.config.check import check_config
from mmh.plan.inputs.run import Run
from workflow_runs import TINY, snakemake

# Times differ from run to run; they live beside the results, never in them. TorchScript files hold the same weights
# but list a module's attributes in the order of a hash; the embeddings made with them are compared.
NOT_COMPARED = ("runtime.csv", "run_records.csv", "digits-sscd.pt")
# Experiments that are run twice: one of each kind of model.
REPEATED = "run: [von-mises, digits, digits-gan, digits-text]"


def results(folder: Path) -> dict[str, bytes]:
    files = [path for path in sorted((folder / "results").rglob("*")) if path.is_file()]
    kept = [path for path in files if path.name not in NOT_COMPARED and not is_run_record(path)]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in kept}


def is_run_record(path: Path) -> bool:
    """The JSON that a job writes beside its first output."""
    return path.suffix == ".json" and path.with_suffix("").exists()


def targets(folder: Path) -> list[str]:
    """What the configuration of a run asks for."""
    return Run(check_config(yaml.safe_load((folder / "config.yaml").read_text()))).targets()


def test_every_target_is_made(each_run: Path) -> None:
    for target in targets(each_run):
        assert (each_run / target).stat().st_size > 0, target
        if target.endswith(".pdf"):
            assert (each_run / target).with_suffix(".png").read_bytes().startswith(b"\x89PNG")
            assert (each_run / target).with_suffix(".csv").stat().st_size > 0


def test_nothing_half_written_is_left(each_run: Path) -> None:
    assert not [path for path in (each_run / "results").rglob("*") if ".partial" in path.name]


def test_tables_hold_every_sample_once(tiny: Path) -> None:
    scores = pd.read_parquet(tiny / "results/digits/scores.parquet")
    for name in ("flipd", "nb", "png", "flipd_residual", "nb_png"):
        items = scores.query("items == 'samples' and estimator == @name")["item"]
        assert sorted(items) == list(range(24)), name
    matches = pd.read_parquet(tiny / "results/digits/matches.parquet")
    assert matches.groupby(["metric", "rank"])["sample"].nunique().eq(24).all()


def test_calibration_samples_are_not_evaluated(tiny: Path) -> None:
    labels = pd.read_parquet(tiny / "results/digits/labels.parquet")
    evaluation = pd.read_csv(tiny / "results/digits/evaluation.csv")
    assert labels["sample"].nunique() == 24
    assert (evaluation["n_positive"] + evaluation["n_negative"]).max() <= 18


def test_every_prompt_and_every_captioned_image_is_scored_once(tiny: Path) -> None:
    folder = tiny / "results/digits-text"
    scores = pd.read_parquet(folder / "scores.parquet")
    for name in ("flipd", "flipd_uncond", "cfg_norm", "decoded_png"):
        for items in ("memorized", "control"):
            rows = scores.query("items == @items and estimator == @name")
            assert sorted(rows["item"]) == list(range(12)), (items, name)
    # The training image of a prompt is known here: each generation is compared with it.
    matches = pd.read_parquet(folder / "generation_matches.parquet")
    assert matches.groupby("prompt_set").size().to_dict() == {"control": 24, "memorized": 24}
    assert not matches.duplicated(["prompt_set", "prompt", "generation"]).any()
    evaluation = pd.read_csv(folder / "evaluation.csv")
    assert set(evaluation["contrast"]) == {"memorized-control", "prompts:memorized-control"}
    assert set(evaluation["n_positive"]) == set(evaluation["n_negative"]) == {12}


def test_a_run_record_names_code_versions_and_time(tiny: Path) -> None:
    record = json.loads((tiny / "results/digits/scores/samples/flipd/000000-000011.parquet.json").read_text())
    assert record["rule"] == "score_span"
    assert record["versions"]["torch"]
    assert record["threads"] == 1
    assert record["seconds"] > 0


def test_a_second_run_has_nothing_to_do(tiny: Path) -> None:
    assert "Nothing to be done" in snakemake(tiny, "--dry-run").stdout


@pytest.mark.long
def test_a_run_from_nothing_with_other_spans_gives_the_same_bytes(everything: Path, tmp_path: Path) -> None:
    """Another cut of the ids into jobs, another order, the same numbers."""
    shutil.copy(TINY / "config.yaml", tmp_path / "config.yaml")
    text = (tmp_path / "config.yaml").read_text()
    assert "shard_size: 12" in text
    # Fewer, longer spans: every job of a network spends seconds on importing it.
    text = re.sub("^run: .*$", REPEATED, text.replace("shard_size: 12", "shard_size: 24"), flags=re.M)
    (tmp_path / "config.yaml").write_text(text)
    # Figures are drawn from equal tables.
    snakemake(tmp_path, *[target for target in targets(tmp_path) if "/figures/" not in target])
    names = tuple(f"results/{name}/" for name in ("descriptors", *yaml.safe_load(REPEATED)["run"]))
    first, second = (
        {n: data for n, data in results(folder).items() if n.startswith(names) and "/figures/" not in n}
        for folder in (everything, tmp_path)
    )
    spans = {name for name in second if any(part[:6].isdigit() for part in Path(name).stem.split("."))}
    same = set(second) - spans
    assert len(same) > 30
    differing = {name for name in same if first.get(name) != second.get(name)}
    assert not differing, {name: difference(everything / name, tmp_path / name) for name in differing}


def difference(one: Path, other: Path) -> str:
    """Rows of two score tables that differ, by estimator, and by how much: what to look at first."""
    if one.name != "scores.parquet":
        return "not equal"
    keys = ["items", "estimator", "item", "t"]
    both = [pd.read_parquet(path).set_index(keys)[["value", "stderr"]] for path in (one, other)]
    if not both[0].index.equals(both[1].index):
        return "other rows, or another order"
    gaps = (both[0] - both[1]).abs()
    gaps = gaps[(both[0].fillna(0) != both[1].fillna(0)).any(axis=1)]
    return gaps.groupby(level="estimator").agg(["size", "max"]).to_string()


def test_the_label_sheet_is_one_page_with_every_candidate(tiny_copy: Path) -> None:
    snakemake(tiny_copy, "results/digits/label_sheet.html")
    sheet = pd.read_parquet(tiny_copy / "results/digits/label_sheet.parquet")
    candidates = pd.read_parquet(tiny_copy / "results/digits/candidates.parquet")
    assert set(sheet["sample"]) == set(candidates["sample"])
    page = (tiny_copy / "results/digits/label_sheet.html").read_text(encoding="utf-8")
    assert all(pair in page for pair in sheet["pair"])
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_the_report_is_one_file_with_every_figure(tiny_copy: Path) -> None:
    snakemake(tiny_copy, "--report", "results/report.html")
    html = (tiny_copy / "results/report.html").read_text(encoding="utf-8")
    _, _, script = html.partition('<script id="results">')
    entries, _ = json.JSONDecoder().raw_decode(script, script.index("{"))
    labels = [tuple(entry["labels"].values()) for entry in entries.values()]
    assert all(len(values) == 1 for values in labels)
    assert len(set(labels)) == len(labels)
    figures = {target for target in targets(tiny_copy) if target.endswith(".pdf")}
    assert {str(Path(figure).with_suffix(".png")) for figure in figures} <= set(entries)
    assert {target for target in targets(tiny_copy) if target.endswith("claims.csv")} <= set(entries)
