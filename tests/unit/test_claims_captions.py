"""Claims about images with captions: statistics, verdicts, and Proposition 3.2 on oracles."""

import numpy as np
import pandas as pd
import pytest

from mmh.claims import table as claims
from mmh.claims.options import ClaimsPlan
from mmh.errors import InputError
from mmh.options.entries import Entry
from mmh.stats.curves import auc

SIZES = {"memorized": 60, "control": 60, "generic": 80}
PARTS = [slice(0, 60), slice(60, 120), slice(120, 200)]


def evaluation(**areas):
    columns = ["estimator", "contrast", "n_positive", "n_negative", "auc", "auc_low", "auc_high"]
    rows = [
        (name, f"memorized-{negative}", 60, SIZES[negative], *values)
        for name, values in areas.items()
        for negative in ("control", "generic")
    ]
    how = {
        "n_clusters": 60,
        "unit": "family",
        "auc_reason": np.nan,
        "auc_method": "jackknife",
        "auc_df": 59.0,
    }
    return pd.DataFrame(rows, columns=columns).assign(**how)


def world(families=1, **shifts):
    """Scores of three sets; `shifts` move those of the memorized set, and `families` images share one family."""
    rng = np.random.default_rng(0)
    base = {"flipd": 20.0, "flipd_uncond": 24.0, "cfg_norm": 1.0, "png": 1000.0}
    spread = {"flipd": 3.0, "flipd_uncond": 3.0, "cfg_norm": 0.3, "png": 100.0}
    moved = {"flipd": -6.0, "flipd_uncond": -4.0, "cfg_norm": 2.0, "png": 0.0, **shifts}
    scores, sets = [], []
    for name, n in SIZES.items():
        item = np.arange(n)
        for estimator, centre in base.items():
            value = centre + spread[estimator] * rng.standard_normal(n)
            value = value + moved[estimator] * (name == "memorized")
            scores.append(pd.DataFrame({"items": name, "item": item, "estimator": estimator, "value": value}))
        sets.append(pd.DataFrame({"items": name, "item": item, "family": item // families}))
    table = pd.concat(scores, ignore_index=True).assign(t=0.1)
    return {"scores": table, "image_sets": pd.concat(sets, ignore_index=True), "evaluation": evaluation()}


def values(tables, name, estimator):
    scores = tables["scores"]
    return scores[(scores["items"] == name) & (scores["estimator"] == estimator)]["value"].to_numpy()


def area(tables, estimator, negative, sign):
    own, other = (sign * values(tables, name, estimator) for name in ("memorized", negative))
    return auc(np.concatenate([own, other]), np.arange(len(own) + len(other)) < len(own))


def check(names, tables, role="claim", **options):
    table = claims.check_claims(names, tables, options=options, resamples=200)
    return table[table["role"] == role].reset_index(drop=True)


def test_claim_7_is_the_gain_over_png_size():
    tables = world()
    table = check([7], tables)
    assert table["verdict"].tolist() == ["holds"] * 4  # two FLIPDs, two contrasts
    expected = area(tables, "flipd", "generic", -1) - area(tables, "png", "generic", -1)
    assert table["estimate"].iloc[1] == pytest.approx(expected)
    assert table["n"].tolist() == [120, 140, 120, 140]
    # Small images that are memorized: complexity explains all that FLIPD finds, and more.
    assert check([7], world(png=-400.0))["verdict"].tolist()[0] == "fails"


def test_claim_7_takes_the_negative_sets_that_are_asked_for():
    table = check([7], world(), negative_sets=["generic"])
    assert table["statistic"].str.contains("against generic").all()
    assert len(table) == 2


def norms(slope=1.0, noise=0.2, offset=3.0, held=0.0):
    rng = np.random.default_rng(1)
    tables = world()
    parts = []
    for name, n in SIZES.items():
        x = rng.standard_normal(n) + offset * (name == "memorized")
        y = slope * (x - offset * (name == "memorized")) + offset * (name == "memorized")
        y = y + noise * rng.standard_normal(n)
        other = held * x + np.sqrt(1 - held**2) * rng.standard_normal(
            n
        )  # a guided score of independent parts
        for estimator, value in (("cfg_difference", x), ("guided_norm", y), ("exchanged_norm", other)):
            frame = {"items": name, "item": np.arange(n), "estimator": estimator, "value": value, "t": 0.02}
            parts.append(pd.DataFrame(frame))
    return {**tables, "scores": pd.concat([tables["scores"], *parts], ignore_index=True)}


def test_claim_8_is_a_rank_correlation():
    from scipy.stats import spearmanr

    tables = norms()
    table = check([8], tables)
    assert table["verdict"].tolist() == ["holds"] * 8  # pooled, and each set
    own = spearmanr(values(tables, "memorized", "cfg_difference"), values(tables, "memorized", "guided_norm"))
    assert table["estimate"].iloc[2] == pytest.approx(own.statistic, abs=1e-12)
    null = spearmanr(
        values(tables, "memorized", "cfg_difference"), values(tables, "memorized", "exchanged_norm")
    )
    q = np.arctanh(own.statistic) - np.arctanh(null.statistic)
    assert table["estimate"].iloc[3] == pytest.approx(q, abs=1e-9)
    assert table["beside"].iloc[2] == f"with the unconditional part of another image: {null.statistic:.3f}"
    assert table["n"].tolist() == [200, 200, 60, 60, 60, 60, 80, 80]


def test_claim_8_is_not_fooled_by_two_groups():
    """Norms that have nothing to do with each other in either group correlate when pooled."""
    table = check([8], norms(slope=0.0, noise=1.0, offset=8.0), negative_sets=["control"])
    assert table["verdict"].tolist()[::2] == ["holds", "fails", "fails"]


def test_claim_8_fails_where_independent_parts_agree_as_well():
    """At a large lambda the guided score holds the CFG vector: any unconditional part would do."""
    table = check([8], norms(held=0.995), negative_sets=["control"])
    assert table["verdict"].tolist()[2::2] == ["holds", "holds"]
    assert table["verdict"].tolist()[3::2] == ["fails", "fails"]


def test_claim_8_states_its_threshold():
    assert check([8], norms(noise=0.6), least_correlation=0.99)["verdict"].iloc[0] == "fails"


def test_two_sets_without_memorized_images_are_the_control():
    tables = world()
    areas = evaluation(flipd=(0.97, 0.95, 0.99), flipd_uncond=(0.9, 0.8, 0.95), cfg_norm=(0.99, 0.98, 0.995))
    table = check([9, 10], {**tables, "evaluation": areas}, role="control")
    assert len(table) == 5
    assert table["statistic"].str.contains("control against generic").all()
    assert table["estimate"].iloc[0] == pytest.approx(
        auc(
            -np.concatenate([values(tables, name, "flipd") for name in ("control", "generic")]),
            np.arange(140) < 60,
        )
    )
    assert "fails" not in set(table["verdict"])
    # A score that tells the two apart says something else than that an image is memorized.
    scores = tables["scores"]
    scores.loc[(scores["items"] == "control") & (scores["estimator"] == "flipd"), "value"] -= 9.0
    found = check([9], {**tables, "evaluation": areas}, role="control")
    assert found["verdict"].tolist()[0] == "fails"


def test_what_words_alone_tell_stands_beside():
    areas = evaluation(flipd=(0.97, 0.95, 0.99), text_ngrams=(0.9, 0.85, 0.95), text_digits=(0.2, 0.1, 0.3))
    table = check([9, 7], {**world(), "evaluation": areas})
    assert set(table["beside"]) == {"text_ngrams: 0.900 [0.850, 0.950]"}


def test_claims_9_and_11_read_the_evaluation():
    areas = evaluation(
        flipd=(0.97, 0.95, 0.99), flipd_uncond=(0.6, 0.45, 0.7), cfg_norm=(0.3, 0.2, 0.4), png=(0.9, 0.8, 1.0)
    )
    table = check([9, 11], {**world(), "evaluation": areas})
    found = table[["claim", "estimate", "n", "verdict"]].to_numpy().tolist()
    assert found == [
        ["9", 0.97, 120, "holds"],
        ["9", 0.97, 140, "holds"],
        ["9", 0.6, 120, "undecided"],
        ["9", 0.6, 140, "undecided"],
        ["9", 0.3, 120, "fails"],
        ["9", 0.3, 140, "fails"],
        ["11", 0.6, 120, "undecided"],
        ["11", 0.6, 140, "undecided"],
    ]


@pytest.mark.parametrize(
    ("shift", "expected"),
    [
        ({"flipd": -3.0, "flipd_uncond": -3.0}, "holds"),
        ({"cfg_norm": 0.0}, "fails"),
        ({"flipd": -90.0, "flipd_uncond": -90.0, "cfg_norm": 9.0}, "undecided"),
    ],
)
def test_claim_10_compares_the_norm_with_each_flipd(shift, expected):
    tables = world(**shift)
    table = check([10], tables)
    assert table["verdict"].tolist() == [expected] * 4
    best = area(tables, "cfg_norm", "control", 1) - area(tables, "flipd", "control", -1)
    assert table["estimate"].iloc[0] == pytest.approx(best)


@pytest.mark.parametrize(("gap", "expected"), [(4.0, "holds"), (-4.0, "fails")])
def test_claim_18_pairs_the_two_lids_of_an_image(gap, expected):
    tables = world(flipd=0.0, flipd_uncond=0.0)
    scores = tables["scores"]
    uncond = (scores["estimator"] == "flipd_uncond").to_numpy()
    rng = np.random.default_rng(2)
    plain = scores.loc[scores["estimator"] == "flipd", "value"].to_numpy()
    # Images differ by tens of dimensions, the pairs by `gap`: only a paired statistic sees it.
    wide = 30 * rng.standard_normal(len(plain))
    scores.loc[(scores["estimator"] == "flipd").to_numpy(), "value"] = wide
    scores.loc[uncond, "value"] = wide + gap + rng.standard_normal(len(plain))
    table = check([18], tables)
    medians, shares = table[::2], table[1::2]
    assert medians["verdict"].tolist() == [expected] * 3  # each set by itself
    assert medians["n"].tolist() == [60, 60, 80]
    if gap:
        np.testing.assert_allclose(medians["estimate"], gap, atol=0.6)
    drop = scores.loc[uncond, "value"].to_numpy() - wide
    np.testing.assert_allclose(shares["estimate"], [np.mean(drop[part] < -0.5) for part in PARTS], atol=1e-12)
    assert shares["verdict"].tolist() == ["holds" if gap > 0 else "fails"] * 3


def test_claim_18_is_not_carried_by_one_set():
    """The caption lowers the LID of the memorized images alone: the others no longer hold together with them."""
    tables = world(flipd=-8.0, flipd_uncond=0.0)
    uncond = (tables["scores"]["estimator"] == "flipd_uncond").to_numpy()
    plain = tables["scores"].loc[tables["scores"]["estimator"] == "flipd", "value"].to_numpy()
    tables["scores"].loc[uncond, "value"] = plain + np.repeat([8.0, -1.0, -1.0], list(SIZES.values()))
    assert check([18], tables)["verdict"].tolist() == ["holds", "holds"] + ["fails"] * 4


def test_families_widen_the_interval():
    """Thirty families of images that are alike say less than sixty images."""
    alone, together = world(), world(families=2)
    for tables in (alone, together):  # both images of a pair have the score of the first
        scores = tables["scores"]
        scores["value"] = scores.groupby(["items", "estimator", scores["item"] // 2])["value"].transform(
            "first"
        )
    widths = [
        (table["high"] - table["low"]).to_numpy() for table in (check([18], alone), check([18], together))
    ]
    assert (widths[1] > 1.1 * widths[0]).all()


def test_families_of_different_sets_are_different():
    tables = world()
    shifted = {**tables, "image_sets": tables["image_sets"].copy()}
    shifted["image_sets"].loc[shifted["image_sets"]["items"] == "control", "family"] += 1000
    pd.testing.assert_frame_equal(check([7, 10], tables), check([7, 10], shifted))


def test_a_set_that_is_too_small_has_a_row_without_estimate():
    tables = world()
    tables["image_sets"] = tables["image_sets"].query("items == 'memorized' or item < 1")
    tables["scores"] = tables["scores"].query("items == 'memorized' or item < 1")
    row = check([10], tables).iloc[0]
    assert (row.verdict, row.n) == ("undecided", 0)


@pytest.mark.parametrize(
    ("names", "options", "text"),
    [
        ([7], {"positive_set": "laion"}, "no image set 'laion'; there are memorized, control, generic"),
        ([7], {"complexity": "jpeg"}, "no scores of 'jpeg' on 'memorized'; the table holds"),
        ([7], {"negative_sets": ["coco"]}, "no image set 'coco'"),
        ([8], {"least_corelation": 1}, "unknown option 'least_corelation'"),
    ],
)
def test_errors(names, options, text):
    with pytest.raises(InputError, match=text):
        check(names, world(), **options)


def test_a_missing_table_is_named():
    with pytest.raises(InputError, match="claim 7 needs the table 'image_sets'"):
        check([7], {"scores": world()["scores"]})


def test_a_score_of_an_image_that_is_gone():
    tables = world()
    tables["image_sets"] = tables["image_sets"].query("item > 0")
    with pytest.raises(InputError, match=r"'flipd' scores image 0 of 'memorized'.*score the set again"):
        check([7], tables)


def test_an_image_without_a_score_is_left_out_and_moves_no_other():
    """Images 3 and 7 lack one score each: the claim is about the others, each with its own two scores."""
    tables = world()
    scores = tables["scores"]
    gone = (scores["items"] == "memorized") & (
        ((scores["item"] == 3) & (scores["estimator"] == "flipd"))
        | ((scores["item"] == 7) & (scores["estimator"] == "png"))
    )
    row = check([7], {**tables, "scores": scores[~gone]}).iloc[0]
    kept = ~np.isin(np.arange(60), [3, 7])
    areas = [
        auc(
            np.concatenate([-values(tables, "memorized", name)[kept], -values(tables, "control", name)]),
            np.arange(118) < 58,
        )
        for name in ("flipd", "png")
    ]
    assert row.n == 118
    assert row.estimate == pytest.approx(areas[0] - areas[1])


def test_the_memorized_set_is_one_of_the_experiment():
    where = "experiments.e.claims"
    for name in ("7", "8", "9", "10", "11", "18"):
        section = {"check": [name]}
        entry = Entry({"experiments": {"e": {"image_sets": {"coco": {}}, "claims": section}}}, "e")
        found = list(ClaimsPlan(check=[name]).mistakes(entry, where))
        assert f"{where}.positive_set: there is no image set 'memorized'; there are coco" in found
        section["positive_set"] = "coco"  # the check of the configuration looks up what is given
        assert not any("positive_set" in text for text in ClaimsPlan(check=[name]).mistakes(entry, where))
