"""Verdict tables: joins and counts on cases whose verdicts are plain."""

import pandas as pd
import pytest

from mmh.errors import InputError
from mmh.evaluation.verdict_table import count_verdicts, paired_verdicts, sample_verdicts

LIMITS = {"low": 5.0, "gap": 2.0}


def scores(items: str, estimator: str, values: list[float], stderr: float | None = None) -> pd.DataFrame:
    rows = {
        "items": items,
        "item": range(len(values)),
        "estimator": estimator,
        "value": values,
        "stderr": stderr,
    }
    return pd.DataFrame(rows)


def world() -> dict[str, pd.DataFrame]:
    labels = pd.DataFrame(
        {"sample": [0, 1, 2], "train": [0, 1, 2], "label": ["exact", "exact", "not_memorized"], "raters": 1}
    )
    matches = pd.DataFrame(
        {"sample": [0, 1, 2], "metric": "calibrated_l2", "rank": 1, "train": [0, 1, 2], "score": 0.1}
    )
    table = pd.concat(
        [scores("samples", "flipd", [0.0, 1.0, 20.0]), scores("train", "lpca", [0.0, 30.0, 20.0])]
    )
    return {"scores": table, "labels": labels, "matches": matches}


def test_samples_are_judged_by_their_match() -> None:
    table = sample_verdicts(**world(), model_estimator="flipd", data_estimator="lpca", **LIMITS)
    assert table["verdict"].tolist() == ["DD-Mem", "OD-Mem", "not memorized"]
    assert table["lid_data"].tolist() == [0.0, 30.0, 20.0]
    assert table["group"].tolist() == ["exact", "exact", "not_memorized"]


def test_a_missing_score_is_named() -> None:
    tables = world()
    tables["scores"] = tables["scores"][lambda t: ~((t["items"] == "train") & (t["item"] == 1))]
    with pytest.raises(InputError, match="item 1 has no score 'lpca'"):
        sample_verdicts(**tables, model_estimator="flipd", data_estimator="lpca", **LIMITS)


def test_a_large_error_leaves_a_sample_undecided() -> None:
    tables = world()
    tables["scores"]["stderr"] = 50.0
    table = sample_verdicts(**tables, model_estimator="flipd", data_estimator="lpca", **LIMITS)
    assert set(table["verdict"]) == {"undecided"}


def test_paired_images_are_judged_for_both_models_and_counted() -> None:
    paired = pd.DataFrame({"item": [0, 1], "lid_data": [30.0, 30.0], "se_data": [0.0, 0.0]})
    for name, value in (("model", 0.0), ("control", 30.0)):
        paired[f"lid_{name}"], paired[f"se_{name}"] = value, None
    counts = count_verdicts(paired_verdicts(paired.astype(float), **LIMITS)).set_index(["group", "verdict"])
    assert counts.loc[("model", "OD-Mem"), "n"] == 2
    assert counts.loc[("control", "not memorized"), "share"] == 1.0
    assert counts["n"].sum() == 4
    assert counts.loc[("control", "OD-Mem"), "high"] < 1.0
