"""The page of results: what it says of small tables, and that it is checked against those that are there."""

import statistics
from pathlib import Path

import pandas as pd
import pytest

import results_page
from mmh.errors import InputError
from mmh.evaluation.runs.trainings import trainings_table
from mmh.io.table_files import write_table
from mmh.io.tables import GENERATION_MATCHES
from mmh.reporting.page_comparison import disagreements
from mmh.reporting.results_page import adjusted_over, page, section, sections_of

NO_VERDICTS = "group,verdict,n,of,share,low,reason\n"
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
        ("flipd", "exact", "item", 20, 30, 7, "matched group", auc, 0.91, 0.999, ""),
        ("lpca", "exact", "match", 20, 30, 7, "matched group", 0.9, 0.85, 0.95, ""),
        ("png", "exact", "item", 20, 30, 7, "matched group", 0.5, 0.5, 0.5, ""),  # says nothing
        ("distance", "exact", "pair", 20, 30, 7, "matched group", 1.0, 0.6, 1.0, ""),
        ("flipd", "reconstructive", "item", 9, 30, 1, "matched group", 0.75, None, None, "all of one group"),
        ("cfg_norm.mean.n4", "prompts:bad-good", "item", 8, 8, 8, "family", 0.9999, 0.9998, 1.0, ""),
    ]
    columns = ["estimator", "contrast", "score_of", "n_positive", "n_negative", "n_clusters", "unit"]
    columns += ["auc", "auc_low", "auc_high", "auc_reason"]
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=columns).to_csv(folder / "evaluation.csv", index=False)


def raters(folder: Path, unsure: int = 6) -> None:
    """As `evaluate_raters` gives them: a person's rows, and `unsure` on either side."""
    rows = [
        ("ann", "flipd", "exact", 20, 30, 0.7),
        ("(unsure as memorized)", "flipd", "exact", 20 + unsure, 30, 0.9123),
        ("(unsure as memorized)", "lpca", "exact", 20 + unsure, 30, 0.8),
        ("(unsure as memorized)", "flipd", "reconstructive", 9 + unsure, 30, 0.7),
        ("(unsure as not memorized)", "flipd", "exact", 20, 30 + unsure, 0.9787),
        ("(unsure as not memorized)", "lpca", "exact", 20, 30 + unsure, 0.85),
        ("(unsure as not memorized)", "flipd", "reconstructive", 9, 30 + unsure, 0.8),
    ]
    columns = ["rater", "estimator", "contrast", "n_positive", "n_negative", "auc"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "evaluation_raters.csv", index=False)


def planted(folder: Path) -> None:
    """Tables of planted labels: of 30 that are not memorized six match a repeated image."""
    cuts = [
        ("flipd", "exact", "item", 0.4, 0.4, False, 15, 40, 0.9991),
        ("flipd", "exact", "item", 0.5, 2.0, False, 16, 20, 1.0),
        ("flipd", "exact", "item", 0.8, 1.2, True, 20, 30, 0.988),
        ("flipd", "exact", "item", 1.2, 1.2, False, 25, 30, 0.975),
        ("lpca", "exact", "match", 0.4, 0.4, False, 15, 40, None),
        ("lpca", "exact", "match", 0.5, 2.0, False, 16, 20, 0.95),
        ("lpca", "exact", "match", 0.8, 1.2, True, 20, 30, 0.9),
        ("lpca", "exact", "match", 1.2, 1.2, False, 25, 30, 0.8),
        ("distance", "exact", "pair", 0.8, 1.2, True, 20, 30, 1.0),
        ("flipd", "reconstructive", "item", 0.8, 1.2, True, 9, 30, 0.1),
    ]
    columns = ["estimator", "contrast", "score_of", "exact_distance", "not_distance", "configured"]
    columns += ["n_positive", "n_negative", "auc"]
    pd.DataFrame(cuts, columns=columns).to_csv(folder / "cuts.csv", index=False)
    order = [
        ("flipd", "item", "exact", 20, 0.912, 0.85, 0.95),
        ("lpca", "match", "exact", 20, None, None, None),
        ("flipd", "item", "reconstructive", 9, 0.5, None, None),
    ]
    columns = ["estimator", "score_of", "label", "n", "spearman", "low", "high"]
    pd.DataFrame(order, columns=columns).to_csv(folder / "distance.csv", index=False)
    matched = [
        ("exact", "repeated image", 20, 20, 20, 0.1, 0.3, 0.79),
        ("not_memorized", "repeated image", 6, 30, 5, 1.204, 1.631, 3.2),
        ("not_memorized", "image seen once", 24, 30, 9, 1.3, 2.5, 5.0),
    ]
    columns = ["label", "match", "n", "of", "nearer", "nearest", "median", "farthest"]
    pd.DataFrame(matched, columns=columns).to_csv(folder / "matched.csv", index=False)


def claims(folder: Path) -> None:
    """Write the claims of a run, all of one experiment."""
    shared = {
        "experiment": folder.name,
        "role": "claim",
        "under": "",
        "null": "0.5",
        "beside": "",
        "mde": 0.0125,
    }
    rows = [
        {
            "claim": "2",
            "statistic": "AUC of flipd, a|b (above .5)",
            **{"estimate": 0.98765, "low": 0.91, "high": 0.999, "n": 50, "n_clusters": 7, "unit": "family"},
            **{"p": 1e-11, "p_holm": 1e-9, "alone": "holds", "verdict": "holds", "beside": "words: 0.9"},
        },
        {
            "claim": "3",
            "statistic": "AUC of nb (above .5)",
            **{"estimate": 0.9, "n": 9, "n_clusters": 1, "unit": "family", "reason": "all are of one family"},
            **{"alone": "undecided", "verdict": "undecided", "mde": None},
        },
        {
            "claim": "od",
            "statistic": "difference",
            "n": 0,
            "n_clusters": 0,
            "alone": "undecided",
            "verdict": "undecided",
        },
        {
            "claim": "4",
            "statistic": "median",
            "under": "knn",
            **{"estimate": 5.0, "low": 4.0, "high": 6.0, "n": 50, "n_clusters": 7, "unit": "family"},
            **{"p": 0.002, "p_holm": 0.04, "alone": "holds", "verdict": "depends"},
        },
        {
            "claim": "9",
            "role": "control",
            "statistic": "AUC of flipd, c|d",
            **{"estimate": 0.5, "low": 0.4, "high": 0.6, "n": 50, "n_clusters": 7, "unit": "family"},
            **{"p": 0.02, "p_holm": 0.25, "alone": "undecided", "verdict": "undecided"},
        },
    ]
    folder.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame([{**shared, **row} for row in rows])
    table.to_csv(folder.parent / "claims.csv", index=False)
    table.drop(columns=["experiment", "p_holm"]).to_csv(folder / "claims.csv", index=False)


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
    assert "| lpca (of the match) | 0.900 [0.850, 0.950] | - |" in text
    assert "| distance (labels follow from it) | 1.000 [0.600, 1.000] | - |" in text
    assert "unsure" not in text
    assert "planted" not in text


def test_unsure_stands_on_either_side(tmp_path: Path) -> None:
    evaluation(tmp_path)
    raters(tmp_path)
    text = section(tmp_path)
    assert "`unsure` counted as memorized / as not memorized" in text
    assert "| score | exact (n = 6 unsure) | reconstructive (n = 6 unsure) |" in text
    assert "| flipd | 0.912 / 0.979 | 0.700 / 0.800 |\n| lpca (of the match) | 0.800 / 0.850 | - |" in text
    raters(tmp_path, unsure=0)
    assert "/ as not memorized" not in section(tmp_path)


def test_cuts_of_planted_labels_and_what_follows_from_them(tmp_path: Path) -> None:
    evaluation(tmp_path)
    planted(tmp_path)
    text = section(tmp_path)
    heads = "| score | below 0.5, above 2 (16 vs 20) | below 0.8, above 1.2 (20 vs 30, configured) | one cut, 0.4 to 1.2"
    assert heads in text
    assert (
        "| flipd | 1.000 | 0.988 | 0.975 / 0.999 |\n| lpca (of the match) | 0.950 | 0.900 | 0.800 / 0.800 |"
        in text
    )
    assert "| score | exact (n = 20) | reconstructive (n = 9) |" in text
    assert "| flipd | 0.91 [0.85, 0.95] | 0.50 [none] |\n| lpca (of the match) | - | - |" in text
    far = "from 1.20 to 3.20 from it, median 1.63; 5 of 6 are nearer to it than any other training image is"
    assert f"- 6 of 30 samples called not memorized match a repeated image: {far}\n" in text
    counted = "0.900, and 1 - 1/2 * 6 of 30 is 0.900"
    assert f"- lpca is of the match, so its AUC of exact copies is a count: {counted}\n" in text


def test_the_lid_of_the_match_is_no_count_where_copies_match_other_images_too(tmp_path: Path) -> None:
    evaluation(tmp_path)
    planted(tmp_path)
    matched = pd.read_csv(tmp_path / "matched.csv")
    more = matched.head(1).assign(match="image seen once", n=1)
    pd.concat([matched, more]).to_csv(tmp_path / "matched.csv", index=False)
    text = section(tmp_path)
    assert "6 of 30 samples called not memorized" in text
    assert "is a count" not in text
    matched[matched["match"] != "repeated image"].to_csv(tmp_path / "matched.csv", index=False)
    assert "called not memorized" not in section(tmp_path)


def test_claims_say_their_verdict_and_where_there_are_no_data(tmp_path: Path) -> None:
    claims(tmp_path / "rings")
    text = section(tmp_path / "rings")
    found = "0.988 [0.91, 0.999], n=50 (7 families); words: 0.9"
    assert f"| 2 | AUC of flipd, a\\|b (above .5) | 0.5 | {found} | 0.001; 0.001 | **holds** |" in text
    assert "0.9, n=9 (1 family): no interval, since all are of one family | -; - | **undecided** |" in text
    assert "| od | difference | 0.5 | no data; detectable: 0.013 | -; - | **undecided** |" in text
    assert (
        "| 4 | median; under knn | 0.5 | 5 [4, 6], n=50 (7 families) | 0.002; 0.040 | **depends (holds)** |"
        in text
    )
    control = text[text.index("Controls, where") :]
    assert "0.5 [0.4, 0.6], n=50 (7 families); detectable: 0.013 | 0.020; 0.250 | **undecided** |" in control
    assert "| 2 |" not in control
    (tmp_path / "claims.csv").unlink()  # those of another run
    assert f"{found} | 0.001; - | **holds** |" in section(tmp_path / "rings")


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


def test_the_noise_level_in_use_stands_beside_that_of_the_rule(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    rows = [
        ("flipd", "exact", 0.05, 85, -0.8),
        ("flat from", "exact", 0.1, 85, 1.0),
        ("chosen", None, 0.05, None, None),
    ]
    table = pd.DataFrame(rows, columns=["quantity", "label", "t", "n", "estimate"])
    table.to_csv(tmp_path / "figures" / "flipd_curve.csv", index=False)
    assert "FLIPD is taken at t0 = 0.05; the rule" in section(tmp_path)
    assert "median of exact, n = 85 calibration samples, moves by at most 1 dimension up to" in section(
        tmp_path
    )
    assert section(tmp_path).endswith("takes 0.1.\n")
    table.assign(t=[0.05, None, 0.05]).to_csv(tmp_path / "figures" / "flipd_curve.csv", index=False)
    assert section(tmp_path).endswith("takes none of those tried.\n")
    table[:1].to_csv(tmp_path / "figures" / "flipd_curve.csv", index=False)
    assert "FLIPD" not in section(tmp_path)


def test_verdicts_are_counted_by_group(tmp_path: Path) -> None:
    columns = [
        "group",
        "verdict",
        "n",
        "of",
        "share",
        "low",
        "high",
        "n_clusters",
        "unit",
        "reason",
        "errors",
    ]
    rows = [
        ("exact", "OD-Mem", 1, 8, 0.125, 0.01, 0.5, 4, "matched group", None, "of both"),
        ("exact", "DD-Mem", 7, 8, 0.875, 0.5, 0.99, 4, "matched group", None, "of both"),
        (
            "one",
            "OD-Mem",
            0,
            3,
            0.0,
            None,
            None,
            1,
            "matched group",
            "all observations are of one x",
            "of both",
        ),
        (
            "one",
            "DD-Mem",
            3,
            3,
            1.0,
            None,
            None,
            1,
            "matched group",
            "all observations are of one x",
            "of both",
        ),
    ]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "verdicts.csv", index=False)
    assert section(tmp_path).endswith(
        "| group | standard errors | OD-Mem | DD-Mem |\n"
        "| --- | --- | --- | --- |\n"
        "| exact (4 matched groups) | of both | 1 of 8, 0.125 [0.010, 0.500] | 7 of 8, 0.875 [0.500, 0.990] |\n"
        "| one (1 matched group) | of both | 0 of 3, 0.000 [none] | 3 of 3, 1.000 [none] |\n\n"
        "- one: no interval, since all observations are of one x\n"
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
        ("| 59 of 60, 0.983 [0.911, 1.000] |", "| 57 of 60, 0.950 [0.861, 0.990] |", True),
        ("| 59 of 60, 0.983 [0.911, 1.000] |", "| 40 of 60, 0.667 [0.533, 0.783] |", False),
        ("| -0.48 [-0.87, 0.27] |", "| -0.33 [-0.81, 0.41] |", True),
        ("| -0.48 [-0.87, 0.27] |", "| 0.03 [-0.61, 0.61] |", False),
        ("| -6.88e-05, n=99 |", "| -0.000334, n=99 |", True),
        ("| -6.88e-05, n=99 |", "| 0.2, n=99 |", False),
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
    raters(tmp_path / "results" / "rings")
    (tmp_path / "results" / "rings" / "verdicts.csv").write_text(NO_VERDICTS)
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
    raters(folder)
    (folder / "verdicts.csv").write_text(NO_VERDICTS)
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


def write_trainings(root: Path) -> None:
    """The table of three trainings of `rings`, as `make replicates` writes it, and an older one."""
    folders = {}
    for seed, shift in ((0, 0.0), (1, -0.03), (4, -0.01)):
        folders[seed] = root / "seeds" / str(seed)
        evaluation(folders[seed], 0.98765 + shift)
        claims(folders[seed])
        table = pd.read_csv(folders[seed] / "claims.csv", dtype={"claim": str})
        table.loc[0, "estimate"] += shift
        table.loc[0, "verdict"] = "fails" if seed == 4 else "holds"
        table.to_csv(folders[seed] / "claims.csv", index=False)
        percentiles(folders[seed], shift)
    table = trainings_table(folders).assign(experiment="rings")
    (root / "docs" / "studies").mkdir(parents=True)
    table.to_csv(root / "docs" / "studies" / "replicates-2026-02-01.csv", index=False)
    table.assign(mean=0.5).to_csv(root / "docs" / "studies" / "replicates-2026-01-31.csv", index=False)
    table.assign(mean=0.4).to_csv(root / "docs" / "studies" / "replicates-rings-2026-03-01.csv", index=False)


def percentiles(folder: Path, shift: float = 0.0) -> None:
    rows = [("jacobian", "exact", 10, 9, 9, 5, 0.8 + shift, 0.7, 0.9, "")]
    rows += [("jacobian_log_volume", "exact", None, 9, 9, 5, 0.9, 0.8, 0.95, "")]
    columns = ["estimator", "contrast", "percentile", "n_positive", "n_negative", "n_clusters"]
    table = pd.DataFrame(rows, columns=[*columns, "auc", "auc_low", "auc_high", "auc_reason"])
    table.to_csv(folder / "percentiles.csv", index=False)


def test_what_holds_over_trainings_stands_beside_what_is_given_one_model(tmp_path: Path) -> None:
    write_trainings(tmp_path)
    folder = tmp_path / "results" / "rings"
    evaluation(folder)
    claims(folder)
    percentiles(folder)
    raters(folder)
    (folder / "verdicts.csv").write_text(NO_VERDICTS)
    text = sections_of(results_page.updated("", CONFIG, tmp_path))["rings"]
    assert "*Over trainings*: of 3 trainings (seeds 0, 1, 4) on the same data the mean" in text
    rows = trainings_table({s: tmp_path / "seeds" / str(s) for s in (0, 1, 4)}).set_index("row")
    flipd = rows.loc["flipd; exact"]
    assert 0 < flipd["low"] < 0.91 < 0.95 < flipd["high"] < 1
    mean = statistics.fmean([0.98765, 0.95765, 0.97765])
    cell = f"{mean:.3f} [{flipd['low']:.3f}, {flipd['high']:.3f}], sd 0.015"
    assert "| flipd | 0.988 [0.910, 0.999] | 0.750 [none] |" in text
    assert (
        f"Over trainings:\n\n| score | exact | reconstructive |\n| --- | --- | --- |\n| flipd | {cell} | "
        in text
    )
    assert "| 0.750 [none], sd 0 |" in text
    assert "| score | percentile | exact | exact, over trainings |" in text
    assert "| jacobian | 10 | 0.800 [0.700, 0.900] | 0.787 [" in text
    assert "| jacobian | none: log-volume | 0.900 [0.800, 0.950] | 0.900 [" in text
    heads = "| p; Holm | verdict | over trainings [95 %, one further training] |"
    assert heads in text
    claim = next(line for line in text.splitlines() if line.startswith("| 2 |"))
    assert "| **holds** | 0.974 [" in claim
    assert claim.endswith("], sd 0.015: holds 2, fails 1 |")
    assert next(line for line in text.splitlines() if line.startswith("| od |")).endswith(
        "| no data: undecided 3 |"
    )
    assert disagreements(text, text) == []
    for file in (tmp_path / "docs" / "studies").iterdir():
        file.unlink()
    alone = sections_of(results_page.updated("", CONFIG, tmp_path))["rings"]
    assert "over trainings" not in alone.lower()


def test_another_processor_may_leave_a_claim_undecided() -> None:
    made = "Made on {}.\n\n| 2 | AUC | {}, n=9 ({} matched groups){} | {} | **{}** |\n"
    here = made.format("a", "0.84 [0.71, 0.92]", 13, "", "0.003; 0.040", "holds")
    there = made.format("b", "0.80 [0.60, 0.91]", 14, "; detectable: 0.14", "0.013; 0.120", "undecided")
    assert disagreements(here, there) == []
    fails = made.format("b", "0.80 [0.60, 0.91]", 14, "", "0.003; 0.040", "fails")
    assert len(disagreements(here, fails)) == 1
    again = made.format("a", "0.84 [0.71, 0.92]", 13, "; detectable: 0.14", "0.003; 0.040", "holds")
    assert len(disagreements(here, again)) == 1  # on one processor pages are equal


def test_other_experiments_in_the_run_change_what_is_adjusted_and_nothing_else() -> None:
    made = "Made on a.\n\nClaims adjusted over those of: {}.\n\n| 2 | AUC | {}, n=9 (13 matched groups) | {} | **{}** |\n"
    here = made.format("rings, gan", "0.84 [0.71, 0.92]", "0.003; 0.040", "holds")
    there = made.format("rings", "0.84 [0.71, 0.92]", "0.003; 0.036", "holds")
    assert disagreements(here, there) == []
    assert len(disagreements(here, there.replace("over those of: rings.", "over those of: rings, gan."))) == 1
    assert disagreements(here, there.replace("holds", "undecided")) == []
    assert disagreements(here.replace("Claims adjusted over those of: rings, gan.\n\n", ""), there) == []
    assert len(disagreements(here, there.replace("holds", "fails"))) == 1
    assert len(disagreements(here, there.replace("0.84 [", "0.85 ["))) == 1


def test_the_page_says_which_claims_were_adjusted_together(tmp_path: Path) -> None:
    (tmp_path / "claims.csv").write_text("experiment,claim\nrings,2\nrings,4\ngan,2\n")
    assert adjusted_over(tmp_path / "claims.csv") == ["rings", "gan"]
    assert adjusted_over(tmp_path / "none.csv") == []
    assert "Claims adjusted over those of: rings, gan.\n" in page({}, "a", ["rings", "gan"])
