"""The page of results: what it says of small tables, and that it is checked against those that are there."""

from pathlib import Path

import pandas as pd
import pytest

import results_page
from mmh.errors import InputError
from mmh.evaluation.results_page import disagreements, page, section, sections_of
from mmh.io.table_files import write_table
from mmh.io.tables import GENERATION_MATCHES

CONFIG = """
run: [rings]
experiments:
  # ---- Fig. 4: rings and a point ------
  rings:
    data: {world: digits-overfit, n_train: 10}
    evaluation: {estimators: [flipd]}
    claims: {check: ["2"]}
  later:
    claims: {check: ["2"]}
  fetched:
    data: {world: images, path: /elsewhere}
    claims: {check: ["2"]}
"""


def evaluation(folder: Path, auc: float = 0.98765) -> None:
    rows = [
        ("flipd", "exact", 20, 30, 7, "matched group", auc, 0.91, 0.999, ""),
        ("png", "exact", 20, 30, 7, "matched group", 0.5, 0.5, 0.5, ""),  # says nothing
        ("flipd", "reconstructive", 9, 30, 1, "matched group", 0.75, None, None, "all of one group"),
        ("cfg_norm.mean.n4", "prompts:bad-good", 8, 8, 8, "family", 0.9999, 0.9998, 1.0, ""),
    ]
    columns = ["estimator", "contrast", "n_positive", "n_negative", "n_clusters", "unit"]
    columns += ["auc", "auc_low", "auc_high", "auc_reason"]
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=columns).to_csv(folder / "evaluation.csv", index=False)


def claims(folder: Path) -> None:
    rows = [
        ("2", "AUC of flipd, a|b (above .5)", 0.98765, 0.91, 0.999, 50, 7, "family", "", "holds"),
        ("3", "AUC of nb (above .5)", 0.9, None, None, 9, 1, "family", "all are of one family", "undecided"),
        ("od", "difference (above 10)", None, None, None, 0, 0, "", "", "undecided"),
    ]
    columns = [
        "claim",
        "statistic",
        "estimate",
        "low",
        "high",
        "n",
        "n_clusters",
        "unit",
        "reason",
        "verdict",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=columns).to_csv(folder / "claims.csv", index=False)


def test_aucs_stand_by_contrast_and_prompts_apart(tmp_path: Path) -> None:
    evaluation(tmp_path / "rings")
    text = section(tmp_path / "rings", "Rings.")
    assert text.startswith("## rings\n\nRings.\n\n| score | exact (20 vs 30; 7 matched groups) | ")
    assert "| reconstructive (9 vs 30; 1 matched group) |\n" in text
    assert "| flipd | 0.988 [0.910, 0.999] | 0.750 [none] |" in text
    assert "- reconstructive: no interval, since all of one group\n" in text
    head = "| score | prompts:bad-good (8 vs 8; 8 families) |\n| --- | --- |\n"
    assert f"{head}| cfg_norm.mean.n4 | 1.000 [0.999, 1.000] |" in text
    assert "png" not in text


def test_claims_say_their_verdict_and_where_there_are_no_data(tmp_path: Path) -> None:
    claims(tmp_path / "rings")
    text = section(tmp_path / "rings")
    assert (
        "| 2 | AUC of flipd, a\\|b (above .5) | 0.988 [0.91, 0.999], n=50 (7 families) | **holds** |" in text
    )
    assert "| 0.9, n=9 (1 family): no interval, since all are of one family | **undecided** |" in text
    assert "| od | difference (above 10) | no data | **undecided** |" in text


def test_percentiles_end_with_the_log_volume_which_has_none(tmp_path: Path) -> None:
    rows = [
        ("jacobian", "exact", 10, 0.8, 0.7, 0.9),
        ("jacobian", "exact", 70, 0.9, 0.8, 1.0),
        ("jacobian_log_volume", "exact", None, 0.95, 0.9, 1.0),
        ("jacobian", "memorized", 10, 0.6, 0.5, 0.7),
    ]
    columns = ["estimator", "contrast", "percentile", "auc", "auc_low", "auc_high"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "percentiles.csv", index=False)
    lines = section(tmp_path).splitlines()
    assert lines[-4:-1] + lines[-1:] == [
        "| --- | --- | --- | --- |",
        "| jacobian | 10 | 0.800 [0.700, 0.900] | 0.600 [0.500, 0.700] |",
        "| jacobian | 70 | 0.900 [0.800, 1.000] | - |",
        "| jacobian | none: log-volume | 0.950 [0.900, 1.000] | - |",
    ]


def test_errors_are_shown_at_one_level_over_all_points(tmp_path: Path) -> None:
    rows = [
        ("line", "lpca", "none", None, None, 0.5),
        ("line", "flipd", "exact", 0.1, None, 0.25),
        ("line", "flipd", "exact", 0.2, None, 0.75),
        ("line", "flipd", "exact", 0.2, 1.0, 9.0),  # the points of one dimension
        ("disc", "flipd", "exact", 0.2, None, 0.125),
        ("disc", "flipd", "exact", 0.3, None, 8.0),
    ]
    columns = ["law", "estimator", "score", "t", "lid", "mae"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "accuracy.csv", index=False)
    text = section(tmp_path)
    assert "at t = 0.2 (" in text
    assert text.endswith("| lpca | none | 0.50 | - |\n| flipd | exact | 0.75 | 0.12 |\n")


def test_verdicts_are_counted_by_group(tmp_path: Path) -> None:
    rows = [("exact", "OD-Mem", 1, 8, 0.125), ("exact", "DD-Mem", 7, 8, 0.875)]
    table = pd.DataFrame(rows, columns=["group", "verdict", "n", "of", "share"])
    table.to_csv(tmp_path / "verdicts.csv", index=False)
    assert section(tmp_path).endswith(
        "| group | OD-Mem | DD-Mem |\n| --- | --- | --- |\n| exact | 1 of 8 (12.5 %) | 7 of 8 (87.5 %) |\n"
    )


def test_generations_are_compared_with_their_training_image(tmp_path: Path) -> None:
    table = pd.DataFrame({"prompt_set": "bad", "prompt": range(3), "generation": 0, "train": range(3)})
    write_table(
        table.assign(similarity=[0.25, 0.5, 0.75]),
        tmp_path / "generation_matches.parquet",
        GENERATION_MATCHES,
    )
    assert "- prompts of bad: median similarity 0.500, 1st percentile 0.255, 99th 0.745 (n = 3)\n" in section(
        tmp_path
    )


def test_a_page_comes_apart_as_it_was_put_together(tmp_path: Path) -> None:
    evaluation(tmp_path / "rings")
    claims(tmp_path / "later")
    sections = {name: section(tmp_path / name) for name in ("rings", "later")}
    assert sections_of(page(sections, "a processor")) == sections


@pytest.mark.parametrize(
    ("old", "new", "agree"),
    [
        ("| 0.215 [0.16, 0.302], n=26 | **holds** |", "| 0.217 [0.163, 0.306], n=30 | **holds** |", True),
        ("| 0.215 [0.16, 0.302], n=26 | **holds** |", "| 0.215 [0.16, 0.302], n=26 | **fails** |", False),
        (
            "| 0.0045 [0.002, 0.007], n=9 | **holds** |",
            "| -0.003 [-0.01, 0.002], n=9 | **undecided** |",
            True,
        ),
        ("| 0.215 [0.16, 0.302], n=26 |", "| 0.415 [0.36, 0.5], n=26 |", False),
        ("| 0.215 [0.16, 0.302], n=260 |", "| 0.215 [0.16, 0.302], n=520 |", False),
        ("| 40 [39, 41] |", "| 43 [39, 45] |", True),
        ("| 40 [39, 41] |", "| 60 [39, 61] |", False),
        ("| jacobian | 10 | 0.839 [0.8, 0.9] |", "| jacobian | 20 | 0.839 [0.8, 0.9] |", False),
        ("| cfg_norm.first.n1 | 0.8 [0.8, 0.9] |", "| cfg_norm.first.n4 | 0.8 [0.8, 0.9] |", False),
        ("| exact (381 vs 1341) |", "| exact (442 vs 1266) |", True),
        ("| exact (745 vs 785) |", "| exact (511 vs 785) |", False),
        ("| 6 of 60 (10.0 %) |", "| 10 of 60 (16.7 %) |", False),
        ("| 59 of 60 (98.3 %) |", "| 57 of 60 (95.0 %) |", True),
        ("| flipd | 0.05 |", "| nb | 0.05 |", False),
        ("one line", "one line\nand another", False),
    ],
)
def test_on_another_processor_numbers_may_differ_as_between_trainings(
    old: str, new: str, agree: bool
) -> None:
    here, there = "Made on one (1).\n", "Made on another (2).\n"
    assert (disagreements(here + old, there + new) == []) == agree
    assert (disagreements(there + new, here + old) == []) == agree
    assert disagreements(here + old, here + old) == []
    assert disagreements(here + old, here + new)


def test_sections_without_tables_here_stay_and_those_of_the_run_must_be_there(tmp_path: Path) -> None:
    evaluation(tmp_path / "results" / "rings")
    with pytest.raises(InputError, match=r"results/rings/claims\.csv is missing; run `make demo` first"):
        results_page.updated("", CONFIG, tmp_path)
    claims(tmp_path / "results" / "rings")
    for table in ("evaluation_raters", "verdicts"):
        (tmp_path / "results" / "rings" / f"{table}.csv").write_text("group,verdict,n,of,share\n")
    old = "# Results\n\n## rings\n\nold\n\n## later\n\nkept\n\n## fetched\n\ndropped\n"
    found = sections_of(results_page.updated(old, CONFIG, tmp_path))
    assert list(found) == ["rings", "later"]
    assert found["rings"].startswith("## rings\n\nFig. 4: rings and a point.\n\n| score")
    assert found["later"] == "## later\n\nkept\n"


def test_a_page_out_of_step_is_shown_and_not_written(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "config.yaml").write_text(CONFIG)
    folder = tmp_path / "results" / "rings"
    evaluation(folder)
    claims(folder)
    for table in ("evaluation_raters", "verdicts"):
        (folder / f"{table}.csv").write_text("group,verdict,n,of,share\n")
    assert results_page.main(check=False) == 0
    assert results_page.main(check=True) == 0
    before = (tmp_path / "docs" / "results.md").read_text()
    evaluation(folder, auc=0.985)
    capsys.readouterr()
    assert results_page.main(check=True) == 1
    said = capsys.readouterr()
    assert "docs/results.md: | flipd | 0.988 [0.910, 0.999]" in said.out
    assert "results:         | flipd | 0.985 [0.910, 0.999]" in said.out
    assert "docs/results.md is out of step" in said.err
    assert (tmp_path / "docs" / "results.md").read_text() == before
    monkeypatch.setattr(results_page, "processor", lambda: ["model name : other"])
    assert results_page.main(check=True) == 0
    assert "agrees with the tables, but for what depends on the processor" in capsys.readouterr().out
