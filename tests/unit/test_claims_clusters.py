"""Intervals of claims are over clusters: rows that repeat one another say no more than one of them.

So a table in which every image is there several times, as one cluster, must give the interval of the table in
which it is there once. By row it would be narrower, by the root of the number of repetitions.
"""

import numpy as np
import pandas as pd
import pytest

from mmh.claims.table import check_claims

TIMES = 6
SETS = ("memorized", "control", "generic")


def samples_world(times):
    """Make samples of 45 repeated and of 60 other training images, `times` of each with the same scores."""
    rng = np.random.default_rng(3)
    n = 105
    copied = np.arange(n) < 45
    lid = rng.normal(size=n)
    train, row = np.arange(n), np.repeat(np.arange(n), times)
    sample = np.arange(len(row))
    values = {"nb": 10 + 2 * lid - 1.5 * copied, "nb_png": lid + rng.normal(size=n) - 1.0 * copied}
    frames = [
        pd.DataFrame({"items": "samples", "item": sample, "estimator": name, "value": value[row]})
        for name, value in values.items()
    ]
    lpca = pd.DataFrame(
        {"items": "train", "item": train, "estimator": "lpca", "value": 20 + 5 * rng.normal(size=n)}
    )
    kind = np.where(copied, "exact", "not_memorized")
    return {
        "scores": pd.concat([*frames, lpca.assign(value=lpca["value"] - 12 * copied)], ignore_index=True),
        "labels": pd.DataFrame({"sample": sample, "train": train[row], "label": kind[row]}),
        "matches": pd.DataFrame(
            {"sample": sample, "metric": "calibrated_l2", "rank": 1, "train": train[row], "score": 0.5}
        ),
        "train": pd.DataFrame({"train": train, "group": train}),
    }


def sets_world(times):
    """Make three sets of 50 images, each there `times` times as one family, with scores that overlap."""
    rng = np.random.default_rng(4)
    scores, sets = [], []
    for name in SETS:
        x = rng.normal(size=50)
        shift = name == "memorized"
        values = {
            "flipd": 20 + 4 * x - 3 * shift,
            "flipd_uncond": 23 + 4 * x - 2 * shift + rng.normal(size=50),
            "png": 1000 + 100 * rng.normal(size=50) - 30 * shift,
            "cfg_norm": 1 + 0.3 * rng.normal(size=50) + 0.4 * shift,
            "cfg_difference": x,
            "guided_norm": x + 0.7 * rng.normal(size=50),
            "exchanged_norm": rng.normal(size=50),
        }
        item = np.arange(50 * times)
        scores += [
            pd.DataFrame(
                {"items": name, "item": item, "estimator": key, "t": 0.1, "value": np.repeat(v, times)}
            )
            for key, v in values.items()
        ]
        sets.append(pd.DataFrame({"items": name, "item": item, "family": item // times}))
    words = {
        "estimator": "text_ngrams",
        "contrast": "memorized-control",
        "auc": 0.5,
        "auc_low": 0.4,
        "auc_high": 0.6,
    }
    tables = {
        "scores": pd.concat(scores, ignore_index=True),
        "image_sets": pd.concat(sets, ignore_index=True),
    }
    return {**tables, "evaluation": pd.DataFrame([words])}


def rows_of(claim, tables, **options):
    table = check_claims([claim], tables, options=options)
    table = table[table["low"].notna() & (table["low"] < table["high"])]
    assert len(table)
    return table


@pytest.mark.parametrize(
    ("claim", "world", "options"),
    [
        ("6", samples_world, {"ratios": {"nb_png": "nb"}}),
        ("7", sets_world, {}),
        ("8", sets_world, {}),
        ("10", sets_world, {}),
    ],
)
def test_repeated_rows_of_one_cluster_change_no_interval(claim, world, options):
    once, often = (rows_of(claim, world(times), **options) for times in (1, TIMES))
    for name in ("estimate", "low", "high"):
        np.testing.assert_allclose(often[name], once[name], rtol=1e-9, err_msg=name)
    assert often["n_clusters"].tolist() == once["n_clusters"].tolist()
    assert (often["n"] == TIMES * once["n"]).all()


@pytest.mark.parametrize(("claim", "world"), [("4", samples_world), ("18", sets_world)])
def test_repeated_rows_of_one_cluster_narrow_no_interval_of_a_median(claim, world):
    """The error of independent values is taken as known, that of clusters is estimated: nearly the same."""
    once, often = (rows_of(claim, world(times)) for times in (1, TIMES))
    np.testing.assert_allclose(often["estimate"], once["estimate"])
    width = [(table["high"] - table["low"]).to_numpy() for table in (once, often)]
    assert (width[1] > 0.75 * width[0]).all()  # by row it would be 1 / sqrt(6) = .41
    assert (width[1] < 1.3 * width[0]).all()


def test_two_clusters_of_a_class_bound_hardly_anything():
    """However many samples: Student's quantile with one degree of freedom is 12.7."""
    tables = samples_world(TIMES)
    copied = tables["train"]["train"] < 45
    tables["train"]["group"] = np.where(copied, tables["train"]["train"] % 2, tables["train"]["group"] + 100)
    row = rows_of("6", tables, ratios={"nb_png": "nb"}).iloc[0]
    assert row.n_clusters == 2
    assert row.high - row.low > 0.3
