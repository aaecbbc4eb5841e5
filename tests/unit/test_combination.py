"""Fits of several detectors: never of a prompt's own family, what they can gain, what chance gives; costs in rows."""

import numpy as np
import pandas as pd
import pytest

from mmh.detection.combination import COMBINED, Fit, combination, fitted_scores
from mmh.detection.field import FIELD, field_table, published_values, rows_of
from mmh.detection.options import Combination
from mmh.errors import InputError
from mmh.evaluation.names import Detector
from mmh.metrics.base import METRICS
from mmh.options.entries import Entry
from mmh.prompts.words import family_folds

BASE, OTHER = "cfg_norm.first.n1", "step_difference.step2.n1"


def prompts_and_scores(n=60, seed=0, helps=True):
    """Two sets; each metric sees the class, with noise of its own, so that both together see it better."""
    draw = np.random.default_rng(seed)
    sets = np.repeat(["memorized", "control"], n)
    prompts = pd.DataFrame({"prompt_set": sets, "prompt": np.tile(np.arange(n), 2)})
    prompts["text"] = [f"plate {k % 7} {k}" for k in range(2 * n)]
    prompts["family"] = np.arange(2 * n) // 2
    shift = 1.2 * (sets == "memorized")
    rows = []
    values = {
        ("cfg_norm", 0): shift,
        ("cfg_norm", 1): shift,
        ("step_difference", 1): shift if helps else 0 * shift,
    }
    for (metric, step), centre in values.items():
        taken = centre + draw.standard_normal(2 * n)
        for place, value in enumerate(taken):
            rows.append(
                (*prompts.loc[place, ["prompt_set", "prompt"]], 0, step, 0.9 - 0.5 * step, metric, value)
            )
    columns = ["prompt_set", "prompt", "generation", "step", "t", "metric", "value"]
    return prompts, pd.DataFrame(rows, columns=columns)


def combined(helps=True, **options):
    prompts, scores = prompts_and_scores(helps=helps)
    how = {"pairs": [("memorized", "control")], "base": BASE, "detectors": [OTHER]}
    how |= {"fits": {"near": Fit("region", (BASE, OTHER))}} | options
    return combination(prompts, scores, **how).set_index("estimator")


def test_a_fit_has_seen_no_prompt_of_the_family_that_it_scores():
    """Other labels and values of a family, and other values of its fold, leave what its fold's fit scores alone."""
    draw = np.random.default_rng(3)
    families, positive = np.repeat(np.arange(20), 3), np.arange(60) % 6 < 3
    rows = pd.DataFrame(draw.standard_normal((60, 2)), columns=["a", "b"])
    fits = {"both": Fit("logistic", ("a", "b")), "near": Fit("region", ("a", "b"))}
    found = fitted_scores(rows, positive, families, fits, folds=4)
    fold = family_folds(families, positive, folds=4)
    kept = np.flatnonzero(fold == 1)[0]
    moved = rows.copy()
    others = (fold == 1) & (np.arange(60) != kept)
    moved.loc[others] += 100.0
    again = fitted_scores(moved, positive, families, fits, folds=4)
    np.testing.assert_array_equal(again.loc[kept], found.loc[kept])
    assert (again.loc[fold == 2] != found.loc[fold == 2]).all(axis=None)  # these learn from what was moved


def test_a_region_is_that_of_the_ordinary_prompts_and_both_sides_are_outside():
    rows = pd.DataFrame({"a": [-1.0, 1.0, -1.0, 1.0, 5.0, -5.0, 0.0, 3.0]})
    positive = np.array([False] * 4 + [True] * 4)
    found = fitted_scores(rows, positive, np.arange(8), {"near": Fit("region", ("a",))}, folds=2)
    fold = family_folds(np.arange(8), positive, folds=2)
    for k in (0, 1):
        known = rows["a"].to_numpy()[(fold != k) & ~positive]
        expected = ((rows["a"] - known.mean()) / (known.std() or 1.0)) ** 2
        np.testing.assert_allclose(found["near"][fold == k], expected[fold == k])


def test_two_detectors_with_noise_of_their_own_gain_over_one():
    """Two normals 1.2 apart: AUC Phi(1.2 / sqrt 2) = .802, of their sum Phi(1.2) = .885."""
    table = combined()
    assert list(table.reset_index().columns) == COMBINED
    together = table.loc[f"{BASE} + {OTHER}"]
    assert (together["kind"], together["of"]) == ("added", f"{BASE} + {OTHER}")
    assert table.loc[BASE, "auc"] == pytest.approx(0.802, abs=0.08)
    assert together["auc"] == pytest.approx(0.885, abs=0.06)
    assert together["base_gain"] == pytest.approx(together["auc"] - table.loc[BASE, "auc"])
    assert together["base_gain_low"] > 0
    assert table.loc[BASE, "base_gain"] == 0
    assert set(table["kind"]) == {"detector", "added", "fit", "control"}
    assert table.loc[BASE, "auc_gain"] == pytest.approx(
        table.loc[BASE, "auc"] - table.loc[table.loc[BASE, "baseline"], "auc"]
    )


def test_an_idle_detector_gains_nothing_and_chance_is_about_a_half():
    table = combined(helps=False, shuffles=4)
    together = table.loc[f"{BASE} + {OTHER}"]
    assert together["base_gain_low"] < 0.01
    assert together["chance_low"] < 0.5 < together["chance_high"] + 0.06
    assert np.isnan(table.loc[BASE, "chance_low"])


def test_an_unknown_detector_is_named():
    with pytest.raises(InputError, match=r"no detector 'cfg_norm.first.n2'; there are cfg_norm.first.n1"):
        combined(base="cfg_norm.first.n2")


def made(name, **options):
    return METRICS[name].Options.model_validate(options)


@pytest.mark.parametrize(
    ("name", "options", "rows"),
    [
        ("cfg_norm.first.n1", {}, (2, 0)),
        ("cfg_norm.first5.n4", {}, (40, 0)),
        ("cfg_norm.mean.n4", {}, (400, 0)),
        ("png.final.n4", {}, (400, 0)),
        ("tiled_l2.final.n4", {}, (400, 0)),
        ("step_difference.step2.n1", {"steps": [2]}, (4, 0)),
        ("curvature.first.n1", {"steps": [1]}, (6, 0)),
        ("gradient_difference.first.n4", {"steps": [1]}, (8, 8)),
        ("lid_trace_gap.step48.n1", {"steps": [48], "m": 3}, (96, 6)),
        ("flipd.low.n4", {"trace": 2}, (400, 4 * 10 * 4)),
    ],
)
def test_the_cost_of_a_detector_counts_sampling_up_to_its_step(name, options, rows):
    detector = Detector.parse(name)
    assert rows_of(detector, made(detector.metric, **options), steps=50, dim=64) == rows


def evaluation_rows(names):
    table = pd.DataFrame({"estimator": names, "contrast": "prompts:memorized-control"})
    return table.assign(
        auc=0.9, auc_low=0.8, auc_high=0.95, n_positive=64, n_negative=64, baseline="text_ngrams"
    )


def test_the_table_of_the_field_puts_published_values_beside_ours():
    names = ["cfg_norm.first.n1", "cfg_norm.mean.n4", "curvature.first.n4", "text_ngrams"]
    images = pd.DataFrame({"estimator": ["flipd"], "contrast": ["memorized-control"]})
    evaluation = pd.concat([evaluation_rows(names), images])
    fits = evaluation_rows(["both"]).assign(kind="fit", of="cfg_norm.mean.n4 + curvature.first.n4")
    metrics = {"cfg_norm": made("cfg_norm"), "curvature": made("curvature", steps=[1])}
    table = field_table(evaluation, fits, metrics, steps=50, dim=64, model="SD 1.4")
    assert list(table.columns) == FIELD
    ours = table[table["auc"].notna()].set_index("estimator")
    assert list(ours.index) == [*names, "both"]
    first = ours.loc["cfg_norm.first.n1"]
    assert (first["published_auc"], first["published_tpr"], first["rerun_auc"]) == (0.976, 0.896, 0.941)
    assert (
        ours.loc["cfg_norm.mean.n4", "published_auc"] == 0.996
    )  # its authors' notebook has a row of its own
    assert ours.loc["text_ngrams", "rows_forward"] == 0
    assert ours.loc["both", "rows_forward"] == 400 + 4 * 4  # one pass of sampling, and the curvature
    others = table[table["auc"].isna()]
    assert len(table) - len(ours) == len(others)
    notebook = others[others["published_source"].fillna("").str.contains("notebook")]
    assert notebook["published_auc"].tolist() == [0.994]
    order = table["metric"].tolist()
    assert order.index("curvature") > max(k for k, name in enumerate(order) if name == "cfg_norm")


@pytest.mark.parametrize("model", ["SD 1.4", "SD 2.0"])
def test_published_values_have_a_source_and_lie_between_chance_and_one(model):
    table = published_values(model)
    assert table["source"].str.len().min() > 10
    assert table["auc"].between(0.5, 1).all()
    assert not table.duplicated(["method", "metric", "variant", "generations", "source"]).any()
    assert set(table["metric"]) - {""} <= set(METRICS.rows())


def test_detectors_that_are_not_evaluated_are_refused_with_what_there_is():
    metrics = {"cfg_norm": {}, "lhsd": {"steps": [1, 48]}}
    entry = {"prompts": {"steps": 50, "guidance": 7.5, "metrics": metrics}}
    entry["detection"] = {"prompts": {"steps": [1], "generations": [1, 4]}}

    def mistakes(base, **sections):
        options = Combination.model_validate(
            {"pairs": [["a", "b"]], "base": base, "detectors": ["lhsd.step48.n4"]}
        )
        return list(options.mistakes(Entry({"experiments": {"x": entry | sections}}, "x"), "combination"))

    assert mistakes("cfg_norm.first.n1") == []
    assert mistakes("png.final.n1") == ["combination.base: 'png.final.n1', but prompts.metrics has no 'png'"]
    assert mistakes("cfg_norm.n1") == [
        "combination.base: 'cfg_norm.n1' is no detector; write <metric>.<steps>.n<generations>"
    ]
    assert mistakes("lhsd.step1.n1") == ["combination.base: 'lhsd.step1.n1' is called lhsd.first.n1"]
    assert mistakes("lhsd.step7.n1") == [
        "combination.base: 'lhsd.step7.n1', but prompts.metrics.lhsd.steps has no 7"
    ]
    assert mistakes("cfg_norm.first.n2") == [
        "combination.base: 'cfg_norm.first.n2', but detection.prompts.generations has no 2"
    ]
    (none,) = mistakes("cfg_norm.first.n1", detection={})
    assert none.startswith("combination: needs detection.prompts")
