"""Claims and their verdicts."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmh.claims import table as claims
from mmh.claims.base import CLAIMS, Claim, Finding, claim_numbers, claim_options
from mmh.errors import InputError
from mmh.figures.base import FIGURES
from mmh.stats.curves import Interval
from mmh.stats.decisions import decide

ROOT = Path(__file__).parents[2]


def interval(low, high):
    return Interval((low + high) / 2, low, high, 10)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.6, 0.9, "holds"),
        (0.4, 0.6, "undecided"),
        (0.5, 0.6, "undecided"),
        (0.1, 0.4, "fails"),
        (0.1, 0.5, "undecided"),
        (np.nan, np.nan, "undecided"),
    ],
)
def test_one_sided_verdicts(low, high, expected):
    assert claims.WORDS[decide(interval(low, high), (0.5, np.inf))] == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.1, 0.1, "holds"),
        (-0.3, 0.1, "undecided"),
        (-1, 1, "undecided"),
        (0.3, 0.4, "fails"),
        (-2, -1, "fails"),
    ],
)
def test_two_sided_verdicts(low, high, expected):
    assert claims.WORDS[decide(interval(low, high), (-0.2, 0.2))] == expected


def long_scores(items, estimator, values, start=0):
    item = np.arange(len(values)) + start
    return pd.DataFrame(
        {"items": items, "item": item, "estimator": estimator, "value": np.asarray(values, float)}
    )


CONTRACT = (
    "claim,role,statement,figure,statistic,under,null,estimate,low,high,n,n_clusters,unit,method,reason,p,mde,"
    "beside,alone,verdict"
)


def check(names, tables, *, exclude=(), **options):
    table = claims.check_claims(names, tables, options=options, exclude=exclude, resamples=200)
    assert ",".join(table.columns) == CONTRACT
    return table


def places(x0=0.1, n_x0=30):
    rng = np.random.default_rng(0)
    values = np.concatenate(
        [x0 + 0.1 * rng.normal(size=n_x0), 0.1 * rng.normal(size=60), 1 + 0.1 * rng.normal(size=90)]
    )
    region = np.repeat(["isolated", "centre", "arc", "off"], [n_x0, 60, 85, 5])
    scores = pd.concat([long_scores("samples", "flipd", values), long_scores("train", "flipd", [7] * 10)])
    return {"scores": scores, "regions": pd.DataFrame({"sample": np.arange(len(values)), "region": region})}


def test_claim_1_at_three_places():
    table = check([1], places())
    assert table["verdict"].tolist() == ["holds"] * 3
    assert table["n"].tolist() == [30, 60, 85]
    np.testing.assert_allclose(table["estimate"], [0.1, 0, 1], atol=0.05)
    assert check([1], places(x0=1.7))["verdict"].tolist() == ["fails", "holds", "holds"]
    assert check([1], places(), exclude=range(20))["n"].iloc[0] == 10


def test_a_place_without_samples_is_undecided():
    table = check(["1"], places(n_x0=0))
    assert table["verdict"].tolist()[0] == "undecided"
    assert table["n"].iloc[0] == 0
    assert np.isnan(table["estimate"].iloc[0])
    assert check(["1"], places(n_x0=4))["verdict"].iloc[0] == "undecided"


def test_claims_2_and_3_read_the_evaluation():
    rows = [
        ("flipd", "exact", 20, 80, 0.97, 0.95, 0.99, np.nan),
        ("nb", "exact", 20, 80, 0.6, 0.45, 0.7, np.nan),
        ("flipd", "reconstructive", 30, 80, 0.3, np.nan, np.nan, "all of one group"),
        ("nb", "reconstructive", 30, 80, 0.3, 0.2, 0.4, np.nan),
        ("png", "exact", 20, 80, 0.9, 0.8, 0.95, np.nan),
    ]
    columns = [
        "estimator",
        "contrast",
        "n_positive",
        "n_negative",
        "auc",
        "auc_low",
        "auc_high",
        "auc_reason",
    ]
    areas = pd.DataFrame(rows, columns=columns).assign(
        n_clusters=13, unit="matched group", auc_method="jackknife", auc_df=12.0
    )
    table = check([2, 3], {"evaluation": areas}, model_estimators=["flipd", "nb"])
    assert table[["claim", "estimate", "n", "verdict"]].to_numpy().tolist() == [
        ["2", 0.97, 100, "holds"],
        ["2", 0.6, 100, "undecided"],
        ["3", 0.3, 110, "undecided"],
        ["3", 0.3, 110, "fails"],
    ]
    assert table["reason"].tolist() == ["", "", "all of one group", ""]
    assert set(table["n_clusters"]) == {13}
    assert set(table["method"]) == {"jackknife"}
    assert set(table["unit"]) == {"matched group"}


def labelled_world(exact=0.0, ratio=0.5):
    """Make 60 exact copies of 30 images and 120 others; `ratio` scales the noise of flipd_png."""
    rng = np.random.default_rng(0)
    n, copies = 180, np.arange(180) < 60
    train_id = np.where(copies, np.arange(n) // 2, np.arange(n))
    noise = rng.normal(size=n)
    matches = pd.DataFrame(
        {"sample": np.arange(n), "metric": "calibrated_l2", "rank": 1, "train": train_id, "score": 0.0}
    )
    return {
        "scores": pd.concat(
            [
                long_scores("samples", "flipd", noise - copies),
                long_scores("samples", "flipd_png", ratio * noise - copies),
                long_scores("train", "lpca", np.where(np.arange(n) < 30, exact, 40 + rng.normal(size=n))),
            ]
        ),
        "labels": pd.DataFrame(
            {"sample": np.arange(n), "train": train_id, "label": np.where(copies, "exact", "not_memorized")}
        ),
        "matches": matches,
        "train": pd.DataFrame({"train": np.arange(n), "group": np.arange(n)}),
    }


@pytest.mark.parametrize(("exact", "expected"), [(0.0, "holds"), (38.0, "fails"), (35.0, "undecided")])
def test_claim_4_compares_medians_with_the_threshold(exact, expected):
    row = check([4], labelled_world(exact), data_estimators=["lpca"], considerable=5.0).iloc[0]
    assert row.verdict == expected
    assert row.estimate == pytest.approx(40 - exact, abs=0.5)
    assert row.n == 180


@pytest.mark.parametrize(("lid", "expected"), [(39.0, "holds"), (20.0, "fails"), (35.0, "undecided")])
def test_claim_5_asks_for_medians_within_a_margin(lid, expected):
    world = labelled_world(lid)
    world["labels"]["label"] = world["labels"]["label"].replace("exact", "reconstructive")
    row = check([5], world, data_estimators=["lpca"], comparable=5.0).iloc[0]
    assert row.verdict == expected
    assert row.estimate == pytest.approx(40 - lid, abs=0.5)


@pytest.mark.parametrize(("ratio", "expected"), [(0.5, "holds"), (2.0, "fails"), (1.0, "undecided")])
def test_claim_6_is_a_paired_gain(ratio, expected):
    table = check([6], labelled_world(ratio=ratio), ratios={"flipd_png": "flipd"})
    assert table["verdict"].tolist() == [expected] * 2  # exact and memorized; nothing is reconstructive here
    assert "flipd_png minus flipd, exact" in table["statistic"].iloc[0]


def test_overfit_pairs():
    rng = np.random.default_rng(0)
    model = rng.normal(size=60)
    paired = pd.DataFrame(
        {"item": range(60), "lid_data": model + 20, "lid_model": model, "lid_control": model + 13}
    )
    table = check(["od"], {"paired": paired}, margin=10.0)
    assert table["verdict"].tolist() == ["holds", "holds", "holds"]
    assert table["role"].tolist() == ["claim", "claim", "control"]
    assert table["estimate"].tolist() == pytest.approx([13, 20, 7])
    assert table["n"].tolist() == [60, 60, 60]
    # A control that lies as far below LID_* as the model does: nothing of the claim is left.
    alike = paired.assign(lid_control=model)
    assert check(["od"], {"paired": alike}, margin=10.0)["verdict"].tolist() == ["fails", "holds", "fails"]


def test_what_hangs_on_the_radius_rule_depends():
    rng = np.random.default_rng(0)
    model = rng.normal(size=60)
    columns = {"lid_data": model + 20, "lid_data.all": model + 20, "lid_data.knn": model + 4}
    paired = pd.DataFrame({**columns, "lid_model": model, "lid_control": model + 13})
    table = check(["od"], {"paired": paired}, margin=10.0).set_index(["role", "under"])
    assert table["verdict"].tolist() == ["holds", "depends", "holds", "depends", "holds"]
    assert table["alone"].tolist() == ["holds", "holds", "holds", "fails", "holds"]
    assert [under for _, under in table.index] == ["", "all", "all", "knn", "knn"]


def test_a_claim_without_data_has_a_row():
    world = labelled_world()
    world["labels"] = world["labels"][60:]
    row = check([4], world).iloc[0]
    assert (row.verdict, row.n) == ("undecided", 0)


def test_claims_are_repeatable_and_in_the_order_asked():
    world = {
        **labelled_world(),
        **{"paired": pd.DataFrame({"lid_data": [9.0] * 9, "lid_model": 1.0, "lid_control": 5.0})},
    }
    asked = {"names": ["od", 4, 6], "tables": world, "ratios": {"flipd_png": "flipd"}}
    table = check(**asked)
    assert list(dict.fromkeys(table["claim"])) == ["od", "4", "6"]
    pd.testing.assert_frame_equal(table, check(**asked))


@pytest.mark.parametrize(
    ("names", "options", "text"),
    [
        (
            ["99"],
            {},
            "claim '99' is unknown; there are 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 12a, 12b, 3.1, 3.2, A.2, A.3, od, sail, sail-redraw$",
        ),
        ([4], {}, "claim 4 needs the table 'scores'"),
        ([4], {"treshold": 1}, "unknown option 'treshold'; there are .*considerable"),
        ([4], {"considerable": "much"}, "claims.considerable: Input should be a valid number"),
        ([1], {"tolerance": {"arc": 0.2}}, "claims.tolerance.isolated: Field required"),
    ],
)
def test_errors(names, options, text):
    with pytest.raises(InputError, match=text):
        check(names, {}, **options)


def test_every_claim_names_its_figure_and_statement():
    for claim in CLAIMS.rows().values():
        assert claim.statement
        assert claim.tables
        assert claim.figure in FIGURES.rows()


def test_every_claim_is_documented():
    rows = (ROOT / "docs" / "claims.md").read_text().split("\n## ")[0].splitlines()
    cells = [[cell.strip() for cell in row.split("|")] for row in rows if row.startswith("| ")][2:]
    assert [row[1] for row in cells] == claim_numbers()
    files = {name: f"`{claim.__module__.split('.')[-1]}.py`" for name, claim in CLAIMS.rows().items()}
    assert {row[1]: row[-2] for row in cells} == files


def test_every_threshold_says_when_it_was_set():
    table = (
        (ROOT / "docs" / "claims.md").read_text().split("## When thresholds were set")[1].split("\n## ")[0]
    )
    kept = {"check", "ratios", "model_estimators", "data_estimators", "positive_set", "negative_sets"}
    kept |= {
        "negative_prompts",
        "low_end",
        "low_end_samples",
        "sharpness_generations",
        "sails",
        "rewrites",
        "on_par",
        "agreeing",
        "agreeing_levels",
        "optimised",
        "shaken",
    }  # what is asked
    thresholds = [
        name
        for name, field in claim_options().model_fields.items()
        if name not in kept
        and not str(field.annotation).startswith("typing.Annotated[str")
        and not isinstance(field.default, str)
    ]
    assert len(thresholds) >= 12
    assert [name for name in thresholds if f"`{name}`" not in table] == []


def test_options_that_claims_share_are_one():
    for name, field in claim_options().model_fields.items():
        own = [c.Options.model_fields[name] for c in CLAIMS.rows().values() if name in c.Options.model_fields]
        assert {(str(f.annotation), str(f.default)) for f in own} == {
            (str(field.annotation), str(field.default))
        }


def test_a_claim_is_one_class(monkeypatch):
    class Small(Claim):
        name = "99"
        statement = "No score is large"
        tables = ("scores",)

        @classmethod
        def test(cls, context):
            values = context.tables["scores"]["value"]
            largest = Interval(values.max(), values.max() - 0.5, values.max() + 0.5, len(values))
            yield Finding("largest score (below 8)", lambda level: largest, (-np.inf, 8.0), null="9")

    monkeypatch.setitem(CLAIMS.rows(), "99", Small)
    row = check([99], places()).iloc[0]
    assert (row.verdict, row.estimate, row.n) == ("holds", 7, 190)
    assert claim_numbers()[claim_numbers().index("18") + 1] == "99"


def test_reading_the_claims_loads_nothing_heavy():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from mmh.claims.base import claim_options\n"
        "assert len(claim_options().model_fields) > 10\n"
        "assert not {'numpy', 'pandas', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(ROOT / "workflow" / "scripts")], check=True, timeout=60)
