"""Verdict tables: joins, errors and counts on cases whose verdicts are plain."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from mmh.errors import InputError
from mmh.evaluation.levels import flat_from, level_error
from mmh.evaluation.verdict_table import COUNTS, count_verdicts, paired_verdicts, sample_verdicts
from mmh.stats.clusters import share_interval

LIMITS = {"low": 5.0, "gap": 2.0}
NAMES = {"model_estimator": "flipd", "data_estimator": "lpca"}


def scores(
    items: str, estimator: str, values: list[float], stderr: float | None = 0.0, t: float | None = None
) -> pd.DataFrame:
    rows = {
        "items": items,
        "item": range(len(values)),
        "estimator": estimator,
        "t": t,
        "value": values,
        "stderr": stderr,
    }
    return pd.DataFrame(rows)


def world(**stderr: float | None) -> dict[str, pd.DataFrame]:
    labels = pd.DataFrame(
        {"sample": [0, 1, 2], "train": [0, 1, 2], "label": ["exact", "exact", "not_memorized"], "raters": 1}
    )
    matches = pd.DataFrame(
        {"sample": [0, 1, 2], "metric": "calibrated_l2", "rank": 1, "train": [0, 1, 2], "score": 0.1}
    )
    model = scores("samples", "flipd", [0.0, 1.0, 20.0], stderr.get("model", 0.0), 0.05)
    data = scores("train", "lpca", [0.0, 30.0, 20.0], stderr.get("data", 0.0))
    train = pd.DataFrame({"train": [0, 1, 2], "group": [7, 7, 9]})
    return {"scores": pd.concat([model, data]), "labels": labels, "matches": matches, "train": train}


def judged(tables: dict[str, pd.DataFrame], errors: str = "required", **options: object) -> pd.DataFrame:
    return sample_verdicts(**tables, **NAMES, **LIMITS, errors=errors, **options)  # type: ignore[arg-type]


def test_samples_are_judged_by_their_match() -> None:
    table = judged(world())
    assert table["verdict"].tolist() == ["DD-Mem", "OD-Mem", "not memorized"]
    assert table["lid_data"].tolist() == [0.0, 30.0, 20.0]
    assert table["group"].tolist() == ["exact", "exact", "not_memorized"]
    assert table["cluster"].tolist() == [7, 7, 9]
    assert set(table["errors"]) == {"of both"}


def test_a_missing_score_is_named() -> None:
    tables = world()
    tables["scores"] = tables["scores"][lambda t: ~((t["items"] == "train") & (t["item"] == 1))]
    with pytest.raises(InputError, match="item 1 has no score 'lpca'"):
        judged(tables)


def test_samples_that_chose_t0_are_not_judged() -> None:
    assert judged(world(), calibration=2)["item"].tolist() == [2]


def test_a_large_error_leaves_a_sample_undecided() -> None:
    assert set(judged(world(model=50.0, data=50.0))["verdict"]) == {"undecided"}


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ({"model": None}, "without LID_theta's"),
        ({"data": None}, "without LID_\\*'s"),
        ({"model": None, "data": None}, "without errors"),
    ],
)
def test_a_missing_standard_error_is_no_zero_that_nobody_hears_of(errors: dict[str, None], said: str) -> None:
    which = "LID_theta" if "model" in errors else "LID_\\*"
    with pytest.raises(InputError, match=rf"{which} of item 0 has no standard error: .*errors: optional"):
        judged(world(**errors))
    table = judged(world(**errors), errors="optional")
    assert set(table["errors"]) == {said.replace("\\", "")}
    column = "se_model" if "model" in errors else "se_data"
    assert table[column].isna().all()
    assert table["verdict"].tolist() == ["DD-Mem", "OD-Mem", "not memorized"]
    assert set(count_verdicts(table, "matched group")["errors"]) == set(table["errors"])


def at_levels(times: list[float]) -> pd.DataFrame:
    """Three samples whose values grow by 1, 2 and 3 dimensions from level to level."""
    return pd.concat(
        [scores("samples", "curve", [1.0 * k, 2.0 * k, 3.0 * k], None, t) for k, t in enumerate(times)]
    )


def test_the_spread_over_noise_levels_is_the_error_of_an_exact_trace() -> None:
    tables = world(model=None)
    tables["scores"] = pd.concat([tables["scores"], at_levels([0.01, 0.025, 0.05, 0.1, 0.2])])
    # Three levels one step apart each: variances 1, 4 and 9.
    expected = np.sqrt((1 + 4 + 9) / 3)
    assert level_error(tables["scores"], "flipd", "curve") == pytest.approx(expected)
    table = judged(tables, levels="curve")
    np.testing.assert_allclose(table["se_model"], expected)
    assert set(table["errors"]) == {"of both, LID_theta's over noise levels"}
    # 0 lies below 5, 1 below 30 - 2 and 20 above 5 by more than 1.645 * 2.16 = 3.6.
    assert table["verdict"].tolist() == ["DD-Mem", "OD-Mem", "not memorized"]
    # An error of the estimator's own goes before.
    own = judged({**tables, "scores": tables["scores"].fillna({"stderr": 0.5})}, levels="curve")
    assert set(own["se_model"]) == {0.5}


@pytest.mark.parametrize("times", [[0.01, 0.05, 0.1], [0.03, 0.04, 0.06, 0.1], [0.05]])
def test_noise_levels_that_say_nothing_of_t0_are_refused(times: list[float]) -> None:
    table = pd.concat([world(model=None)["scores"], at_levels(times)])
    with pytest.raises(
        InputError, match=r"'curve' needs t0 = 0.05 and 2 more noise levels between 0.025 and 0.1"
    ):
        level_error(table, "flipd", "curve")


def test_a_curve_is_flat_from_where_it_moves_no_more_up_to_twice_the_level() -> None:
    times = [0.01, 0.02, 0.04, 0.05, 0.1, 0.2]
    curve = [20.0, 8.0, 2.0, 1.5, 1.0, 1.6]
    assert flat_from(times, curve) == 0.04  # 2 to 1.16 at .08, between its points
    assert flat_from(times, curve, within=0.7) == 0.05
    assert flat_from(times, curve, within=7.0) == 0.02
    assert flat_from(times, curve, within=0.6) == 0.05
    assert flat_from(times, curve, within=0.55) == 0.05
    assert np.isnan(flat_from(times, curve, within=0.4))
    assert np.isnan(flat_from([0.05, 0.07], [1.0, 1.0]))  # twice .05 is not reached


@pytest.mark.parametrize("stderr", [0.5, 2.0, 8.0])
def test_the_share_of_undecided_follows_from_the_errors(stderr: float) -> None:
    """Undecided: LID_theta within q errors of `low`, where LID_* is small and known."""
    n, truth, q = 20_000, 6.5, norm.ppf(0.95)
    values = truth + stderr * np.random.default_rng(0).standard_normal(n)
    paired = pd.DataFrame({"item": range(n), "lid_data": -1e3, "se_data": 0.0})
    for name in ("model", "control"):
        paired[f"lid_{name}"], paired[f"se_{name}"] = values, stderr
    counts = count_verdicts(paired_verdicts(paired, **LIMITS, errors="required"), "image")
    share = counts.set_index(["group", "verdict"])["share"]
    off = (truth - LIMITS["low"]) / stderr
    expected = norm.cdf(q - off) - norm.cdf(-q - off)
    assert share["model", "undecided"] == pytest.approx(expected, abs=5 * np.sqrt(0.25 / n))
    assert share["model", "DD-Mem"] == pytest.approx(norm.cdf(-q - off), abs=5 * np.sqrt(0.25 / n))


def test_undecided_grow_with_the_errors() -> None:
    """The closed form of the test above: .15, .83, .89 at errors of .5, 2 and 8, and .9 in the limit."""
    q = norm.ppf(0.95)
    shares = [norm.cdf(q - 1.5 / s) - norm.cdf(-q - 1.5 / s) for s in (0.5, 2.0, 8.0, 1e9)]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(0.9)


def test_paired_images_are_judged_for_both_models_and_counted() -> None:
    paired = pd.DataFrame({"item": [0, 1], "lid_data": [30.0, 30.0], "se_data": [0.0, 0.0]})
    for name, value in (("model", 0.0), ("control", 30.0)):
        paired[f"lid_{name}"], paired[f"se_{name}"] = value, None
    with pytest.raises(InputError, match="LID_theta of item 0 has no standard error"):
        paired_verdicts(paired.astype(float), **LIMITS, errors="required")
    table = paired_verdicts(paired.astype(float), **LIMITS, errors="optional")
    counts = count_verdicts(table, "image").set_index(["group", "verdict"])
    assert counts.loc[("model", "OD-Mem"), "n"] == 2
    assert counts.loc[("control", "not memorized"), "share"] == 1.0
    assert counts["n"].sum() == 4
    assert counts.loc[("control", "OD-Mem"), "high"] < 1.0
    assert set(counts["unit"]) == {"image"}
    assert set(counts["n_clusters"]) == {2}


def test_shares_have_intervals_over_clusters() -> None:
    hit = np.repeat([True, False, True, False, True], [40, 10, 30, 5, 2])
    cluster = np.repeat([0, 1, 2, 3, 4], [40, 10, 30, 5, 2])
    table = pd.DataFrame(
        {"group": "exact", "verdict": np.where(hit, "DD-Mem", "undecided"), "cluster": cluster}
    )
    counts = count_verdicts(table.assign(errors="of both"), "matched group")
    assert counts.columns.tolist() == COUNTS
    row = counts.set_index("verdict").loc["DD-Mem"]
    wanted = share_interval(hit, cluster)
    single = share_interval(hit)
    assert (row["share"], row["low"], row["high"]) == (wanted.estimate, wanted.low, wanted.high)
    assert row["high"] - row["low"] > 2 * (single.high - single.low)
    assert (row["n"], row["of"], row["n_clusters"]) == (72, 87, 5)


def test_one_cluster_has_a_share_without_bounds_and_the_reason() -> None:
    table = pd.DataFrame(
        {"group": "one", "verdict": ["DD-Mem", "undecided"], "cluster": 4, "errors": "of both"}
    )
    row = count_verdicts(table, "matched group").set_index("verdict").loc["DD-Mem"]
    assert row["share"] == 0.5
    assert np.isnan(row["low"])
    assert row["reason"] == "all observations are of one matched group"


def test_a_match_is_looked_up_by_its_own_id_and_not_by_that_of_the_sample() -> None:
    tables = world()
    tables["labels"]["train"] = tables["matches"]["train"] = [1, 2, 0]
    table = sample_verdicts(**tables, **NAMES, **LIMITS, errors="optional")
    assert table["lid_data"].tolist() == [30.0, 20.0, 0.0]
    assert table["lid_model"].tolist() == [0.0, 1.0, 20.0]
