"""Claims about metrics of prompts along their trajectories: statistics, controls, verdicts, bad options."""

import numpy as np
import pandas as pd
import pytest

from mmh.calibration.nulls import worlds_of
from mmh.calibration.worlds import AREA_COLUMNS, EDGE
from mmh.claims import table as claims
from mmh.claims.options import ClaimsPlan
from mmh.errors import InputError
from mmh.options.entries import Entry
from mmh.stats.curves import auc
from mmh.stats.decisions import decide

SETS = {"memorized": 40, "control": 40, "generic": 44}
STEPS, GENERATIONS = 4, 3
LOW = [{"metric": "flipd", "step": 3}, {"metric": "score_norm_squared", "step": 1, "generations": 2}]
OF_17 = {"sharpness": "score_norm_squared", "sharpness_generations": [1, 3]}
TEXT = {"contrast": "prompts:memorized-control", "estimator": "text_ngrams"}
TEXT |= {"auc": 0.51, "auc_low": 0.4, "auc_high": 0.6}


def world(families=1, **shifts):
    """Three prompt sets with three metrics; `shifts` move a metric of the memorized set, at all steps."""
    rng, parts, prompts = np.random.default_rng(0), [], []
    moved = {"flipd": -3.0, "cfg_norm": 1.0, "score_norm_squared": 2.0, **shifts}
    for place, (name, n) in enumerate(SETS.items()):
        prompt, generation, step = (v.ravel() for v in np.indices((n, GENERATIONS, STEPS)))
        base = pd.DataFrame({"prompt_set": name, "prompt": prompt, "generation": generation, "step": step})
        base = base.assign(t=0.9 - 0.2 * step)
        own = np.repeat(rng.standard_normal(-(-n // families)), families)[:n]  # alike within a family
        for metric, shift in moved.items():
            value = own[prompt] + 0.3 * rng.standard_normal(len(prompt)) + shift * (name == "memorized")
            parts.append(base.assign(metric=metric, value=value))
        family = 1000 * place + np.arange(n) // families
        texts = [f"{name} {k}" for k in range(n)]
        prompts.append(
            pd.DataFrame({"prompt_set": name, "prompt": np.arange(n), "text": texts, "family": family})
        )
    scores = pd.concat(parts, ignore_index=True)
    # A metric of the last steps alone.
    scores = scores[(scores["metric"] != "flipd") | (scores["step"] >= 2)].reset_index(drop=True)
    return {
        "prompts": pd.concat(prompts, ignore_index=True),
        "prompt_scores": scores,
        "evaluation": pd.DataFrame([TEXT], columns=[*AREA_COLUMNS]),
    }


def check(names, tables, role="claim", **options):
    table = claims.check_claims(names, tables, options=options)
    return table[table["role"] == role].reset_index(drop=True)


def area(tables, metric, generations, steps, pair=("memorized", "control"), sign=1):
    """By hand: means of the first generations at some steps, numbered from 1."""
    rows = tables["prompt_scores"]
    rows = rows[(rows["metric"] == metric) & (rows["generation"] < generations)]
    rows = rows[(rows["step"] + 1).isin(steps)]
    means = rows.groupby(["prompt_set", "prompt"])["value"].mean()
    one, other = (sign * means[name].to_numpy() for name in pair)
    return auc(np.concatenate([one, other]), np.arange(len(one) + len(other)) < len(one))


def test_claim_16_has_a_row_for_each_statistic_and_says_which_was_named():
    tables = world()
    table = check(["16"], tables, low_end=LOW, negative_prompts=["control"])
    assert table["statistic"].tolist() == [
        "AUC of flipd at step 3, n = 1, memorized against control (named before the runs: above 0.56)",
        "AUC of score_norm_squared at step 1, n = 2, memorized against control (looked at beside it: above 0.56)",
    ]
    assert table["estimate"].iloc[0] == pytest.approx(area(tables, "flipd", 1, [3], sign=-1))
    assert table["estimate"].iloc[1] == pytest.approx(area(tables, "score_norm_squared", 2, [1]))
    assert table["verdict"].tolist() == ["holds"] * 2
    assert table["n"].tolist() == [80, 80]
    assert set(table["unit"]) == {"family"}
    assert table["beside"].tolist() == ["text_ngrams: 0.510 [0.400, 0.600]"] * 2
    assert (table["mde"] > 0).all()


def test_claim_16_fails_where_the_metric_points_the_other_way():
    table = check(["16"], world(flipd=3.0), low_end=LOW[:1], negative_prompts=["control"])
    assert table["verdict"].tolist() == ["fails"]


def test_claim_16_of_samples_reads_the_evaluation():
    how = {
        "n_positive": 60,
        "n_negative": 60,
        "n_clusters": 20,
        "unit": "matched group",
        "auc_reason": np.nan,
    }
    how |= {"auc_method": "jackknife", "auc_df": 19.0}
    rows = [("dense", "exact", 0.97, 0.93, 0.99), ("dense", "reconstructive", 0.2, 0.1, 0.3)]
    rows += [("trace", "exact", 0.5, 0.4, 0.6)]
    evaluation = pd.DataFrame(rows, columns=["estimator", "contrast", "auc", "auc_low", "auc_high"]).assign(
        **how
    )
    table = check(["16"], {"evaluation": evaluation}, low_end_samples=["dense", "trace"])
    assert table["estimate"].tolist() == [0.97, 0.5]
    assert table["verdict"].tolist() == ["holds", "undecided"]
    assert table["statistic"].str.contains("named before").tolist() == [True, False]


def test_claim_17_is_a_paired_difference_at_the_first_step_and_to_all_steps():
    tables = world()
    table = check(["17"], tables, **OF_17, negative_prompts=["control"])
    assert len(table) == 4  # two numbers of generations, the first step and all
    for place, (generations, steps) in enumerate([(1, [1]), (1, [1, 2, 3, 4]), (3, [1]), (3, [1, 2, 3, 4])]):
        expected = area(tables, "score_norm_squared", generations, [1])
        expected -= area(tables, "cfg_norm", generations, steps)
        assert table["estimate"].iloc[place] == pytest.approx(expected)
    assert table["verdict"].iloc[0] == "holds"
    assert table["statistic"].iloc[0] == (
        "AUC of score_norm_squared at step 1, n = 1, minus cfg_norm at step 1, n = 1, memorized against control "
        "(above 0.005)"
    )
    one = {**OF_17, "sharpness_generations": [1], "negative_prompts": ["generic"]}
    swapped = check(["17"], world(cfg_norm=2.0, score_norm_squared=0.5), **one)
    assert set(swapped["verdict"]) == {"fails"}


def test_two_sets_without_memorized_prompts_are_the_control():
    tables = world()
    one = {**OF_17, "sharpness_generations": [1]}
    table = check(["16", "17"], tables, role="control", low_end=LOW[:1], **one)
    assert len(table) == 3
    assert table["statistic"].str.contains("control against generic").all()
    assert "fails" not in set(table["verdict"])
    scores = tables["prompt_scores"]
    scores.loc[(scores["prompt_set"] == "control") & (scores["metric"] == "flipd"), "value"] -= 3.0
    assert check(["16"], tables, role="control", low_end=LOW[:1])["verdict"].tolist() == ["fails"]


def test_prompts_of_one_family_count_as_one():
    widths = []
    for families in (1, 2):
        tables = world(families=2, cfg_norm=0.6, score_norm_squared=1.0)
        tables["prompts"]["family"] += (families == 1) * 0.1 * (np.arange(len(tables["prompts"])) % 2)
        tables["prompts"]["family"] = (10 * tables["prompts"]["family"]).astype(int)
        one = {**OF_17, "sharpness_generations": [3], "negative_prompts": ["control"]}
        table = check(["17", "16"], tables, low_end=LOW[1:], **one)
        widths.append((table["high"] - table["low"]).to_numpy())
        assert table["n_clusters"].iloc[0] == 40 // families
    assert (widths[1] > 1.1 * widths[0]).all()


@pytest.mark.parametrize(("claim", "options"), [("16", {"low_end": LOW}), ("17", OF_17)])
def test_the_truth_is_at_the_end_of_the_region_and_nothing_holds_too_often(claim, options):
    options = {**options, "negative_prompts": ["control"]}
    context = claims.contexts([claim], world(), options=options)[claim][1]
    held = []
    for one in worlds_of(claim, context):
        found = [one.findings(np.random.default_rng(k), k) for k in range(12)]
        assert found[0]
        assert all(finding.role == "claim" for finding in found[0])
        for at, first in enumerate(found[0]):
            (end,) = [value for value in first.region if np.isfinite(value)]
            values = np.array([findings[at].at().estimate for findings in found])
            wanted = end if one.null == EDGE else 0.5 if claim == "16" else 0.0
            assert abs(np.median(values) - wanted) < 5 * values.std(ddof=1) / np.sqrt(12) + 0.02
        held += [decide(row.at(), row.region) == "inside" for rows in found for row in rows]
    assert len(held) >= 48
    assert np.mean(held) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 12)


@pytest.mark.parametrize(
    ("names", "options", "text"),
    [
        (
            ["16"],
            {"low_end": [{"metric": "flipd", "step": 1}]},
            "'flipd' is not taken at step 1, but at 3, 4",
        ),
        (["17"], {"sharpness": "png"}, "the table of scores holds no png"),
        (["17"], {**OF_17, "positive_prompts": "laion"}, "no prompt set 'laion'; there are memorized"),
        (["17"], {**OF_17, "negative_prompts": ["coco"]}, "prompt set 'coco' is unknown"),
        (["16"], {"low_end": [{"metric": "flipd", "step": 0}]}, r"claims.low_end.0.step"),
    ],
)
def test_errors(names, options, text):
    with pytest.raises(InputError, match=text):
        check(names, world(), **options)


def test_what_the_configuration_cannot_give_is_said_before():
    prompts = {"sets": {"memorized": 2, "control": 2}, "steps": 50, "generations": 2}
    prompts["metrics"] = {"cfg_norm": {}, "flipd": {"steps": [1, 48]}}
    section = {
        "check": ["16", "17"],
        "low_end": [{"metric": "flipd", "step": 40}, {"metric": "lhsd", "step": 1}],
    }
    section["low_end"] += [{"metric": "cfg_norm", "step": 51}]
    section |= {"sharpness": "cfg_norm", "low_end_samples": ["dense"]}
    entry = Entry(
        {"experiments": {"e": {"prompts": prompts, "detection": {"prompts": {}, "x": 1}, "claims": section}}},
        "e",
    )
    found = list(ClaimsPlan(check=["16", "17"]).mistakes(entry, "experiments.e.claims"))
    where = "experiments.e.claims"
    assert f"{where}.low_end: step 40 of 'flipd', but prompts.metrics.flipd.steps has no 40" in found
    assert f"{where}.low_end: 'lhsd', but prompts.metrics has no 'lhsd'" in found
    assert f"{where}.low_end: step 51 of 'cfg_norm', but prompts.steps is 50" in found
    assert f"{where}.low_end_samples: 'dense' is not among evaluation.estimators" in found
    assert f"{where}.sharpness: 4 generations, but prompts.generations is 2" in found
    del section["low_end"], section["low_end_samples"]
    found = list(ClaimsPlan(check=["16"]).mistakes(entry, where))
    assert found == [f"{where}.low_end: is missing; name metrics of prompts with a step, or low_end_samples"]
