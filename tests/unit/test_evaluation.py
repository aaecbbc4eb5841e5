"""The rows of the evaluation."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from mmh.errors import InputError
from mmh.evaluation import samples as evaluation
from mmh.evaluation.compared import area_of
from mmh.evaluation.paired import paired_lid
from mmh.stats import curves as stats

CONTRACT = (
    "estimator,contrast,score_of,n_positive,n_negative,n_clusters,unit,auc,auc_low,auc_high,auc_reason,auc_method,"
    "auc_df,"
    "tpr_at_1fpr,tpr_at_1fpr_low,tpr_at_1fpr_high,tpr_at_1fpr_reason,median_positive,median_negative,"
    "median_difference,median_difference_low,median_difference_high,median_difference_reason,"
    "baseline,auc_gain,auc_gain_low,auc_gain_high,auc_gain_reason"
)
RATE = ["tpr_at_1fpr_low", "tpr_at_1fpr_high"]


def make_world(n=300, n_exact=90, n_reconstructive=60, seed=0):
    """Make tables of n labelled samples: scores of samples and of training images, matches, labels."""
    rng = np.random.default_rng(seed)
    sample = np.arange(n) + 1000
    label = np.array(["not_memorized"] * n, dtype=object)
    label[:n_exact], label[n_exact : n_exact + n_reconstructive] = "exact", "reconstructive"
    memorized = label != "not_memorized"
    train_id = rng.integers(0, 120, n)
    columns = {
        "flipd": 30 - 20 * memorized + rng.normal(scale=8, size=n),
        "png": 500 + rng.normal(scale=20, size=n),
    }
    columns["entropy"] = 5 - memorized + rng.normal(size=n)
    frames = [
        pd.DataFrame({"items": "samples", "item": sample, "estimator": k, "value": v})
        for k, v in columns.items()
    ]
    lpca = pd.DataFrame(
        {"items": "train", "item": np.arange(120), "estimator": "lpca", "value": np.arange(120.0)}
    )
    train = pd.DataFrame({"train": np.arange(120), "group": np.arange(120) // 2})
    labels = pd.DataFrame({"sample": sample, "train": train_id, "label": label.astype(str)})
    matches = pd.concat(
        pd.DataFrame(
            {
                "sample": sample,
                "metric": metric,
                "rank": 1,
                "train": train_id,
                "score": rng.random(n) - 0.5 * memorized,
            }
        )
        for metric in ("calibrated_l2", "sscd")
    )
    return {
        "scores": pd.concat([*frames, lpca], ignore_index=True),
        "labels": labels,
        "matches": matches,
        "train": train,
    }


OPTIONS = {"estimators": ["flipd", "lpca", "sscd"], "baselines": ["png", "entropy"]}


def test_columns_rows_and_values():
    world = make_world()
    table = evaluation.evaluate(**world, **OPTIONS)
    assert ",".join(table.columns) == CONTRACT
    names = ["flipd", "lpca", "sscd", "png", "entropy"]
    assert table[["contrast", "estimator"]].to_numpy().tolist() == [
        [c, n] for c in ("exact", "reconstructive", "memorized") for n in names
    ]
    assert not table.drop(columns=RATE).isna().any().any()
    assert table[RATE].isna().all(axis=None)
    assert set(table["tpr_at_1fpr_reason"].str.extract(r"(\d+) are needed")[0]) == {"368"}
    row = table.iloc[0]
    assert (row.n_positive, row.n_negative) == (90, 150)
    flipd = world["scores"].query("estimator == 'flipd'")["value"].to_numpy()
    positive = np.arange(300) < 90
    used = positive | (np.arange(300) >= 150)
    assert row.auc == pytest.approx(roc_auc_score(positive[used], -flipd[used]))
    assert row.tpr_at_1fpr == stats.tpr_at_fpr(-flipd[used], positive[used], 0.01)
    for name in ("auc", "median_difference", "auc_gain"):
        assert (table[f"{name}_low"] <= table[name]).all()
        assert (table[name] <= table[f"{name}_high"]).all()


def test_baseline_is_the_best_one_and_gains_are_paired():
    table = evaluation.evaluate(**make_world(), **OPTIONS)
    assert (table["baseline"] == "entropy").all()
    for contrast, rows in table.groupby("contrast"):
        area = rows.set_index("estimator")["auc"]
        gain = rows.set_index("estimator")["auc_gain"]
        np.testing.assert_allclose(gain, area - area["entropy"], atol=1e-12, err_msg=contrast)
        own = rows[rows["estimator"] == "entropy"].iloc[0]
        assert (own.auc_gain_low, own.auc_gain, own.auc_gain_high) == (0, 0, 0)
    again = evaluation.evaluate(**make_world(), **{**OPTIONS, "baselines": ["png"]})
    assert (again["baseline"] == "png").all()


def test_training_scores_are_looked_up_at_the_pair_that_gave_the_class():
    world = make_world()
    extra = pd.DataFrame({"sample": [1000], "train": [119], "label": ["not_memorized"]})
    world["labels"] = pd.concat([world["labels"], extra])
    table = evaluation.labelled_scores(**world, estimators=["lpca"])
    np.testing.assert_array_equal(table["lpca"], table["train"])
    np.testing.assert_array_equal(table["cluster"], table["train"] // 2)
    assert table["train"].iloc[0] == world["labels"]["train"].iloc[0]


def test_calibration_samples_are_left_out():
    table = evaluation.evaluate(**make_world(), **OPTIONS, exclude=range(1000, 1010))
    assert table["n_positive"].iloc[0] == 80


def test_a_distance_is_that_of_the_first_match():
    world = make_world()
    second = world["matches"].assign(rank=2, train=lambda m: (m["train"] + 1) % 120, score=99.0)
    world["matches"] = pd.concat([second, world["matches"]], ignore_index=True)
    table = evaluation.labelled_scores(**world, estimators=["sscd"])
    first = world["matches"].query("metric == 'sscd' and rank == 1").set_index("sample")["score"]
    assert table["sscd"].tolist() == first[table["sample"]].tolist()


def test_repeated_samples_of_one_group_change_no_interval():
    """Six samples that repeat one another say what one of them says: of AUC, TPR and gain to the last digit."""

    def world(times):
        rng = np.random.default_rng(11)
        n, n_exact = 460, 60
        exact = np.arange(n) < n_exact
        row = np.repeat(np.arange(n), np.where(exact, times, 1))
        sample = np.arange(len(row))
        values = {"flipd": rng.normal(size=n) - 2 * exact, "png": rng.normal(size=n) - exact}
        frames = [
            pd.DataFrame({"items": "samples", "item": sample, "estimator": name, "value": value[row]})
            for name, value in values.items()
        ]
        kind = np.where(exact, "exact", "not_memorized")[row]
        return {
            "scores": pd.concat(frames, ignore_index=True),
            "labels": pd.DataFrame({"sample": sample, "train": row, "label": kind}),
            "matches": pd.DataFrame(
                {"sample": sample, "metric": "sscd", "rank": 1, "train": row, "score": 0.0}
            ),
            "train": pd.DataFrame({"train": np.arange(n), "group": np.arange(n)}),
        }

    options = {"estimators": ["flipd"], "baselines": ["png"], "contrasts": ["exact"]}
    once, often = (evaluation.evaluate(**world(times), **options) for times in (1, 6))
    for name in ("auc", "tpr_at_1fpr", "auc_gain"):
        for end in ("", "_low", "_high"):
            np.testing.assert_allclose(often[name + end], once[name + end], rtol=1e-9, err_msg=name + end)
    assert (often["n_clusters"] == 60).all()
    assert (often["n_positive"] == 360).all()
    assert (once["tpr_at_1fpr_low"] < once["tpr_at_1fpr"]).all()
    width = [table["median_difference_high"] - table["median_difference_low"] for table in (once, often)]
    np.testing.assert_allclose(width[1], width[0], rtol=0.2)  # by sample it would be half


def test_row_order_and_table_order_do_not_matter():
    world = make_world()
    mixed = {k: v.sample(frac=1, random_state=1) for k, v in world.items()}
    pd.testing.assert_frame_equal(
        evaluation.evaluate(**world, **OPTIONS), evaluation.evaluate(**mixed, **OPTIONS)
    )


def test_an_estimator_does_not_change_the_rows_of_others():
    world = make_world()
    few = evaluation.evaluate(**world, **{**OPTIONS, "estimators": ["flipd"]})
    all_rows = evaluation.evaluate(**world, **OPTIONS)
    pd.testing.assert_frame_equal(
        few, all_rows[all_rows["estimator"].isin(few["estimator"])].reset_index(drop=True)
    )


def test_small_contrasts_are_absent():
    table = evaluation.evaluate(**make_world(n_reconstructive=1), **OPTIONS)
    assert table["contrast"].unique().tolist() == ["exact", "memorized"]
    assert evaluation.evaluate(**make_world(n_exact=300, n_reconstructive=0), **OPTIONS).empty


def test_unsure_samples_are_in_no_contrast():
    world = make_world()
    world["labels"].loc[150:159, "label"] = "unsure"
    table = evaluation.evaluate(**world, **OPTIONS)
    assert table["n_negative"].unique().tolist() == [140]
    assert table.groupby("contrast")["n_positive"].unique().map(list).to_dict() == {
        "exact": [90],
        "reconstructive": [60],
        "memorized": [150],
    }


def test_partly_scored_estimators_are_counted_on_their_samples():
    world = make_world()
    scores = world["scores"]
    world["scores"] = scores[~((scores["estimator"] == "flipd") & (scores["item"] < 1020))]
    rows = evaluation.evaluate(**world, **OPTIONS).query("contrast == 'exact'").set_index("estimator")
    assert rows.loc["flipd", "n_positive"] == 70
    assert rows.loc["sscd", "n_positive"] == 90


def test_one_cluster_has_no_interval_and_says_why():
    world = make_world()
    world["labels"].loc[:89, "train"] = 0
    world["matches"]["train"] = world["matches"]["train"].where(world["matches"]["sample"] >= 1090, 0)
    table = evaluation.evaluate(**world, **OPTIONS)
    row = table.iloc[0]
    assert (row.n_clusters, row.unit) == (1, "matched group")
    assert np.isnan([row.auc_low, row.auc_high, row.auc_gain_low, row.median_difference_high]).all()
    assert row.auc_reason == row.auc_gain_reason == "all positives are of one matched group"
    several = table[table["contrast"] == "memorized"].iloc[0]
    assert several.auc_low < several.auc < several.auc_high
    assert several.auc_reason == ""


def test_medians_are_in_the_unit_and_sign_of_the_score():
    world = make_world()
    turned = {**world, "scores": evaluation.oriented(world["scores"], ["flipd"])}
    row = evaluation.evaluate(**world, **OPTIONS).iloc[0]
    flipd = world["scores"].query("estimator == 'flipd'")["value"].to_numpy()
    label = world["labels"]["label"].to_numpy()
    medians = [np.median(flipd[label == name]) for name in ("exact", "not_memorized")]
    assert [row.median_positive, row.median_negative] == medians
    assert row.median_difference == medians[0] - medians[1]
    assert row.median_difference_low < row.median_difference < row.median_difference_high < -10
    again = evaluation.evaluate(**turned, **OPTIONS, large=["flipd"]).iloc[0]
    assert again.auc == pytest.approx(1 - row.auc)
    names = [name for name in row.index if name.startswith("median")]
    assert again[names].tolist() == row[names].tolist()


def test_the_area_of_a_row_is_an_interval():
    row = evaluation.evaluate(**make_world(), **OPTIONS).iloc[0]
    found = area_of(row)
    assert (found.estimate, found.low, found.high, found.n) == (row.auc, row.auc_low, row.auc_high, 240)
    assert (found.n_clusters, found.unit, found.reason) == (row.n_clusters, "matched group", "")
    assert found.method == row.auc_method == "jackknife"
    row["auc_reason"] = np.nan  # as an empty cell is read
    assert area_of(row).reason == ""


def test_no_baseline():
    table = evaluation.evaluate(**make_world(), estimators=["flipd"])
    assert (table["baseline"] == "").all()
    assert table["auc_gain"].isna().all()


def test_errors():
    world = make_world()
    with pytest.raises(
        InputError, match=r"no score 'flpd'.* there are calibrated_l2, entropy, flipd, lpca, png, sscd"
    ):
        evaluation.evaluate(**world, estimators=["flpd"])
    with pytest.raises(InputError, match="contrast 'exakt' is unknown"):
        evaluation.evaluate(**world, estimators=["flipd"], contrasts=["exakt"])
    twice = {**world, "scores": pd.concat([world["scores"], world["scores"][:1]])}
    with pytest.raises(InputError, match="'flipd' has several values for item 1000"):
        evaluation.evaluate(**twice, estimators=["flipd"])
    with pytest.raises(InputError, match=r"training image .* does not exist"):
        evaluation.evaluate(**{**world, "train": world["train"][:3]}, estimators=["flipd"])


def test_paired_lid_joins_three_columns_by_source_image():
    def scores(items, estimator, values):
        return pd.DataFrame(
            {
                "items": items,
                "item": range(len(values)),
                "estimator": estimator,
                "value": values,
                "stderr": [v / 10 for v in values],
            }
        )

    overfit = scores("train", "flipd", [1.0, 2])
    overfit_train = pd.DataFrame({"train": [0, 1], "source": [7, 3]})
    control = pd.concat([scores("of2", "flipd", [11.0, 12]), scores("train", "lpca", [20.0, 21, 22])])
    control_train = pd.DataFrame({"train": [0, 1, 2], "source": [3, 5, 7]})
    tables = (overfit, control, overfit_train, control_train)
    options = {"control_items": "of2", "model_estimator": "flipd", "data_estimator": "lpca"}
    table = paired_lid(*tables, **options)
    names = ["item", "lid_data", "lid_model", "lid_control", "se_data", "se_model", "se_control"]
    assert list(table.columns) == names
    assert table.iloc[:, :4].to_numpy().tolist() == [[0, 22, 1, 11], [1, 20, 2, 12]]
    assert table.iloc[:, 4:].to_numpy().tolist() == [[2.2, 0.1, 1.1], [2.0, 0.2, 1.2]]
    with pytest.raises(InputError, match="'nb' of 'train' must have one value per item, it has 0"):
        paired_lid(*tables, **{**options, "model_estimator": "nb"})
    with pytest.raises(InputError, match="training image 0 has no lid_data"):
        paired_lid(overfit, control, overfit_train.assign(source=[9, 3]), control_train, **options)
