"""The evaluation repeated with each rater's labels, against scikit-learn and a plain bootstrap."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata
from scipy.stats import t as student
from sklearn.metrics import roc_auc_score

from mmh.evaluation import label_noise
from mmh.evaluation.samples import CONTRASTS, evaluate
from mmh.io.table_files import write_table
from mmh.io.tables import ALL_SCORES, LABELS, MATCHES, TRAIN, VOTES
from mmh.labels.merging import merge_labels

SCRIPT = Path(__file__).parents[2] / "workflow" / "scripts" / "evaluate_raters.py"
OPTIONS = {"estimators": ["flipd", "lpca"], "baselines": ["png"], "resamples": 200}


def world(n=240, seed=0, noise=(), unsure=0.1):
    """Make n samples with scores, of which each rater has mislabelled a share `noise`, and skipped the unsure."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(["exact", "reconstructive", "not_memorized"], n, p=[0.3, 0.2, 0.5])
    memorized = truth != "not_memorized"
    train_id = rng.integers(0, n // 3, n)
    values = {
        "flipd": 10 - 4 * memorized + rng.normal(scale=3, size=n),
        "png": rng.normal(size=n) - memorized,
    }
    scores = pd.concat(
        [
            *(
                pd.DataFrame({"items": "samples", "item": np.arange(n), "estimator": k, "value": v})
                for k, v in values.items()
            ),
            pd.DataFrame(
                {"items": "train", "item": np.arange(n), "estimator": "lpca", "value": rng.normal(size=n)}
            ),
        ],
        ignore_index=True,
    )
    rows = []
    for k, share in enumerate(noise):
        wrong = rng.choice(["exact", "reconstructive", "not_memorized"], n)
        said = np.where(rng.random(n) < share, wrong, truth)
        said = np.where(rng.random(n) < unsure, "unsure", said)
        rows.append(
            pd.DataFrame({"sample": np.arange(n), "train": train_id, "rater": f"r{k}", "label": said})
        )
    votes = pd.concat(rows, ignore_index=True).assign(round=1, pair="")
    matches = pd.DataFrame(
        {"sample": np.arange(n), "metric": "sscd", "rank": 1, "train": train_id, "score": rng.normal(size=n)}
    )
    return {
        "scores": scores,
        "votes": votes,
        "labels": merge_labels(votes, source="people"),
        "matches": matches,
        "train": pd.DataFrame({"train": np.arange(n), "group": np.arange(n)}),
    }


def run(tables, **options):
    return label_noise.evaluate_raters(**tables, **{**OPTIONS, **options})


def value_of(tables, name, sample):
    rows = tables["scores"][tables["scores"]["estimator"] == name].set_index("item")["value"]
    return rows.loc[sample].to_numpy()


def area(tables, labels, contrast, name="flipd", counted=None):
    """AUC by scikit-learn; `labels` is a series by sample."""
    labels = labels.replace("unsure", counted) if counted else labels
    chosen = labels[labels.isin([*CONTRASTS[contrast], "not_memorized"])]
    return roc_auc_score(chosen != "not_memorized", -value_of(tables, name, chosen.index))


def test_rows_of_the_merged_labels_are_those_of_the_evaluation():
    tables = world(noise=(0, 0.2, 0.4))
    table = run(tables)
    assert list(table) == list(label_noise.COLUMNS)
    readings = [label_noise.MERGED, *label_noise.UNSURE]
    assert list(dict.fromkeys(table["rater"])) == ["r0", "r1", "r2", *readings]
    rest = {key: value for key, value in tables.items() if key != "votes"}
    expected = evaluate(**rest, **{key: value for key, value in OPTIONS.items() if key != "resamples"})
    own = table[table["rater"] == label_noise.MERGED].reset_index(drop=True)
    shared = [name for name in label_noise.COLUMNS if name in expected]
    pd.testing.assert_frame_equal(own[shared], expected[shared])
    assert (own[["delta_auc", "delta_low", "delta_high"]] == 0).all(axis=None)
    assert table.groupby("rater").size().unique().tolist() == [len(expected)]


def test_areas_and_their_changes_by_hand():
    tables = world(noise=(0, 0.3), unsure=0.2)
    table = run(tables).set_index(["rater", "estimator", "contrast"])
    merged = tables["labels"].set_index("sample")["label"]
    assert (merged == "unsure").sum() > 20
    for contrast in CONTRASTS:
        reference = area(tables, merged, contrast)
        cases = {
            rater: area(tables, own.set_index("sample")["label"], contrast)
            for rater, own in tables["votes"].groupby("rater")
        }
        cases["(unsure as memorized)"] = area(tables, merged, contrast, counted=CONTRASTS[contrast][0])
        cases["(unsure as not memorized)"] = area(tables, merged, contrast, counted="not_memorized")
        for name, expected in cases.items():
            row = table.loc[name, "flipd", contrast]
            assert row["auc"] == pytest.approx(expected)
            assert row["delta_auc"] == pytest.approx(expected - reference)
            assert row["delta_low"] < row["delta_auc"] < row["delta_high"]


def test_a_rater_of_some_samples_is_compared_on_those():
    tables = world(noise=(0, 0.3))
    few = (tables["votes"]["rater"] == "r0") | (tables["votes"]["sample"] < 100)
    tables["votes"] = tables["votes"][few]
    tables["labels"] = merge_labels(tables["votes"], source="people")
    row = run(tables).set_index(["rater", "estimator", "contrast"]).loc["r1", "flipd", "memorized"]
    merged = tables["labels"].set_index("sample")["label"]
    own = tables["votes"][tables["votes"]["rater"] == "r1"].set_index("sample")["label"]
    assert row["auc"] == pytest.approx(area(tables, own, "memorized"))
    assert row["delta_auc"] == pytest.approx(row["auc"] - area(tables, merged.loc[own.index], "memorized"))
    assert row["n_positive"] + row["n_negative"] == (own != "unsure").sum()


def test_the_paired_interval_is_that_of_a_plain_bootstrap():
    tables = world(noise=(0, 0.3), unsure=0)
    row = run(tables, resamples=2000, contrasts=["memorized"], estimators=["flipd"], baselines=[])
    row = row.set_index("rater").loc["r1"]
    merged = tables["labels"].set_index("sample")["label"]
    own = tables["votes"][tables["votes"]["rater"] == "r1"].set_index("sample")["label"]
    cluster = tables["votes"].drop_duplicates("sample").set_index("sample")["train"].to_numpy()
    rng = np.random.default_rng(5)
    members = [np.flatnonzero(cluster == name) for name in np.unique(cluster)]
    score = value_of(tables, "flipd", merged.index)
    sides = [labels.to_numpy(dtype=str) for labels in (own, merged)]  # a tie of the two is unsure
    changes = []
    for _ in range(1000):
        drawn = np.concatenate([members[k] for k in rng.integers(len(members), size=len(members))])
        areas = []
        for label in sides:
            rows = drawn[label[drawn] != "unsure"]
            memorized, rank = label[rows] != "not_memorized", rankdata(-score[rows])
            areas.append((rank[memorized].mean() - (memorized.sum() + 1) / 2) / (~memorized).sum())
        changes.append(areas[0] - areas[1])
    low, high = np.quantile(changes, [0.025, 0.975])
    assert row["delta_high"] - row["delta_low"] == pytest.approx(high - low, rel=0.12)
    assert (row["delta_low"] + row["delta_high"]) / 2 == pytest.approx(
        (low + high) / 2, abs=0.1 * (high - low)
    )
    # Drawn apart, the two would vary far more than their difference does.
    assert high - low < 0.8 * (row["auc_high"] - row["auc_low"])


def test_random_labels_cost_area_and_equal_labels_nothing():
    tables = world(n=600, noise=(0, 0, 0.9), unsure=0)
    table = run(tables).set_index(["rater", "estimator", "contrast"])
    assert (table.loc["r0"][["delta_auc", "delta_low", "delta_high"]] == 0).all(axis=None)
    assert table.loc["r2", "flipd", "memorized"]["delta_high"] < -0.1
    # Nine of ten labels are a coin of 2 : 1, so the area is 1/2 and a little more.
    assert table.loc["r2", "flipd", "memorized"]["auc"] < table.loc["r0", "flipd", "memorized"]["auc"] - 0.2


def test_a_second_round_is_nobodys_own():
    tables = world(noise=(0, 0.3))
    second = tables["votes"][tables["votes"]["rater"] == "r0"].assign(round=2, rater="both")
    before, after = (
        run({**tables, "votes": votes}) for votes in (tables["votes"], pd.concat([tables["votes"], second]))
    )
    pd.testing.assert_frame_equal(before, after)


def test_one_rater_gives_the_readings_of_unsure_alone():
    table = run(world(noise=(0,)))
    assert list(dict.fromkeys(table["rater"])) == list(label_noise.UNSURE)


def test_unsure_never_counts_against_a_sample_that_has_a_class():
    """A sample with a copy and an unsure pair is a copy, whatever unsure is taken for."""
    tables = world(noise=(0,), unsure=0)
    more = tables["labels"].assign(train=lambda t: (t["train"] + 1) % 80, label="unsure")
    memorized = more[tables["labels"]["label"] != "not_memorized"]
    both = pd.concat([tables["labels"], memorized], ignore_index=True)
    plain, double = (
        run({**tables, "labels": labels}, estimators=["flipd"]) for labels in (tables["labels"], both)
    )
    pd.testing.assert_frame_equal(plain, double)


def test_few_clusters_take_the_jackknife_and_one_has_no_interval():
    """The jackknife by hand, over ten clusters of samples."""
    tables = world(noise=(0, 0.3), unsure=0)
    group = tables["train"]["train"] % 10
    few = {**tables, "train": tables["train"].assign(group=group)}
    row = run(few, contrasts=["memorized"], estimators=["flipd"], baselines=[]).set_index("rater").loc["r1"]
    merged = tables["labels"].set_index("sample")["label"]
    own = tables["votes"][tables["votes"]["rater"] == "r1"].set_index("sample")["label"].loc[merged.index]
    cluster = tables["labels"].set_index("sample")["train"] % 10

    def change(kept):
        return area(tables, own[kept], "memorized") - area(tables, merged[kept], "memorized")

    rest = [change(cluster != g) for g in range(10)]
    error = np.sqrt(9 * np.var(rest))
    assert row["delta_auc"] == pytest.approx(change(cluster >= 0))
    half = row["delta_high"] - row["delta_auc"]
    assert half == pytest.approx(row["delta_auc"] - row["delta_low"])
    freedom = []
    for labels in (own, merged):
        for rows in (labels.isin(CONTRASTS["memorized"]), labels == "not_memorized"):
            size = cluster[rows].value_counts().to_numpy()
            freedom.append(size.sum() ** 2 / (size**2).sum() - 1)
    assert max(freedom) - min(freedom) > 0.1
    assert half == pytest.approx(student.ppf(0.975, min(freedom)) * error)
    one = {**tables, "train": tables["train"].assign(group=0)}
    lone = run(one, contrasts=["memorized"], estimators=["flipd"], baselines=[]).set_index("rater").loc["r1"]
    assert np.isnan([lone["delta_low"], lone["delta_high"]]).all()
    assert lone["delta_auc"] == row["delta_auc"]


def test_samples_of_one_cluster_are_drawn_together():
    """Every sample twice over says no more than once, if both are of one cluster."""
    once = world(noise=(0, 0.3))
    twice = dict(once)
    for name, column in (
        ("scores", "item"),
        ("votes", "sample"),
        ("labels", "sample"),
        ("matches", "sample"),
    ):
        again = once[name].assign(**{column: once[name][column] + 1000})
        twice[name] = pd.concat([once[name], again], ignore_index=True)
    tables = [run(case, estimators=["flipd"]) for case in (once, twice)]
    columns = ["delta_auc", "delta_low", "delta_high"]
    pd.testing.assert_frame_equal(*(table[columns] for table in tables))
    assert (tables[0]["n_positive"] * 2 == tables[1]["n_positive"]).all()


def test_samples_that_chose_t0_count_for_nothing():
    tables = world(noise=(0, 0.3))
    rest = {**tables, **{name: tables[name].query("sample >= 60") for name in ("votes", "labels")}}
    pd.testing.assert_frame_equal(run(tables, exclude=range(60)), run(rest))


def test_what_labels_cannot_fill_is_absent_or_missing():
    tables = world(noise=(0, 0))
    said = tables["votes"]["rater"] == "r1"
    tables["votes"].loc[said & (tables["votes"]["label"] == "exact"), "label"] = "not_memorized"
    tables["labels"] = tables["labels"].assign(label="not_memorized")
    table = run(tables)
    assert table.groupby("rater")["contrast"].unique().map(list).to_dict() == {
        "r0": ["exact", "reconstructive", "memorized"],
        "r1": ["reconstructive", "memorized"],
    }
    assert table["auc"].notna().all()
    assert table["delta_auc"].isna().all()


def test_no_labels_give_no_rows_and_shuffled_ones_the_same():
    tables = world(noise=(0, 0.2))
    empty = {**tables, "votes": tables["votes"].iloc[:0], "labels": tables["labels"].iloc[:0]}
    table = run(empty)
    assert table.empty
    assert list(table) == list(label_noise.COLUMNS)
    shuffled = {**tables, "votes": tables["votes"].sample(frac=1, random_state=0)}
    pd.testing.assert_frame_equal(run(tables), run(shuffled))


def save(table, path, contract):
    """Write a table with the columns that the statistics do not look at filled in."""
    fill = {"int32": 0, "int64": 0, "float64": 0.0, "string": "-"}
    absent = {name: fill.get(kind) for name, kind in contract.columns.items() if name not in table}
    write_table(table.assign(**absent)[list(contract.columns)], path, contract)


def test_the_script_writes_the_table(tmp_path):
    tables = world(noise=(0, 0.2))
    spec = importlib.util.spec_from_file_location("evaluate_raters", SCRIPT)
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    contracts = dict(scores=ALL_SCORES, votes=VOTES, labels=LABELS, matches=MATCHES, train=TRAIN)
    paths = [tmp_path / name for name in contracts]
    for path, contract in zip(paths, contracts.values(), strict=True):
        save(tables[path.name], path, contract)
    script.main(*paths, tmp_path / "e.csv", calibration=20, large=[], options=OPTIONS, seed=3)
    expected = run(tables, exclude=range(20), seed=3)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "e.csv"), expected, rtol=1e-5)
