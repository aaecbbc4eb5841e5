"""The residual of one score on another: by brute force, by its declared fit, and where division misleads."""

import gather_scores
import numpy as np
import pandas as pd
import pytest
from scipy.stats import linregress, spearmanr

from mmh.errors import InputError
from mmh.io import tables
from mmh.io.table_files import read_table, write_table
from mmh.scores.base import SCORES
from mmh.scores.residual import fitted_line

RESIDUAL = {"of": "lid", "given": "png", "fit": "calibration"}


def scores(lid, png, order=None):
    n = len(lid)
    parts = [
        pd.DataFrame(
            {"items": "samples", "item": range(n), "estimator": name, "value": values, "stderr": 0.5}
        )
        for name, values in (("lid", lid), ("png", png))
    ]
    table = pd.concat(parts, ignore_index=True)
    return table if order is None else table.iloc[order]


def world(n=60):
    random = np.random.default_rng(3)
    png = random.integers(400, 900, n).astype(float)
    return 0.02 * png - 9 + 3 * random.standard_normal(n), png


def residual(table, calibration=20, **options):
    return SCORES["residual"].combined(table, "r", "samples", RESIDUAL | options, calibration=calibration)


def test_the_line_has_the_least_squares():
    lid, png = world()
    slope, intercept, stderr = fitted_line(png, lid)
    loss = lambda a, b: ((lid - a - b * png) ** 2).sum()  # noqa: E731
    for da, db in ((1e-3, 0), (-1e-3, 0), (0, 1e-6), (0, -1e-6), (1e-3, -1e-6)):
        assert loss(intercept + da, slope + db) > loss(intercept, slope)
    left = lid - intercept - slope * png
    assert abs(np.corrcoef(left, png)[0, 1]) < 1e-12
    assert abs(left.mean()) < 1e-12
    assert fitted_line([0, 1, 2], [1, 3, 5]) == (2.0, 1.0, 0.0)
    assert stderr == pytest.approx(linregress(png, lid).stderr, rel=1e-12)


@pytest.mark.parametrize(("fit", "fitted"), [("calibration", 20), ("all", 60)])
def test_values_are_those_of_the_line_through_the_declared_items(fit, fitted):
    lid, png = world()
    rows, said = residual(scores(lid, png), fit=fit)
    design = np.stack([np.ones(fitted), png[:fitted]], axis=1)
    intercept, slope = np.linalg.lstsq(design, lid[:fitted], rcond=None)[0]
    np.testing.assert_allclose(rows["value"], lid - intercept - slope * png, atol=1e-10)
    assert (said["fit"], said["n"]) == (fit, fitted)
    assert (said["slope"], said["intercept"]) == pytest.approx((slope, intercept), abs=1e-10)
    assert set(rows["stderr"]) == {0.5}
    assert set(rows["estimator"]) == {"r"}


def test_a_value_depends_on_the_fit_set_and_on_no_order():
    lid, png = world()
    table = scores(lid, png)
    first, _ = residual(table)
    order = np.random.default_rng(0).permutation(len(table))
    mixed, _ = residual(table.iloc[order])
    pd.testing.assert_series_equal(mixed.sort_values("item")["value"], first["value"], check_exact=True)
    changed = lid.copy()
    changed[40] += 100  # no calibration sample: moves its own value alone
    other, _ = residual(scores(changed, png))
    moved = other["value"].to_numpy() - first["value"].to_numpy()
    assert np.flatnonzero(moved).tolist() == [40]
    assert moved[40] == pytest.approx(100)


def test_where_lid_is_negative_division_goes_against_complexity_and_the_residual_does_not():
    """LID does not depend on complexity at all; divided by it, negative values rise with it."""
    random = np.random.default_rng(1)
    png = random.uniform(400, 900, 4000)
    lid = np.where(np.arange(4000) % 2, 30.0, -4.0) + 0.5 * random.standard_normal(4000)
    table = scores(lid, png)
    ratio, said = SCORES["ratio"].combined(table, "q", "samples", {"numerator": "lid", "denominator": "png"})
    assert said["negative_numerators"] == 2000
    left, _ = residual(table, calibration=2000)
    for values, rising, falling in ((ratio["value"], 0.5, -0.9), (left["value"], None, None)):
        negative, positive = (
            spearmanr(values[lid < 0], png[lid < 0])[0],
            spearmanr(values[lid > 0], png[lid > 0])[0],
        )
        if rising:
            assert negative > rising
            assert positive < falling
        else:  # the line is flat but for noise, the same for both
            assert abs(negative - positive) < 0.1


def test_a_fit_that_the_items_do_not_allow_is_refused():
    lid, png = world()
    with pytest.raises(
        InputError, match="r: png of samples, fit calibration: a line needs 3 items, there are 2; use"
    ):
        residual(scores(lid, png), calibration=2)
    with pytest.raises(InputError, match="all 60 values are 7, so there is no line on them"):
        residual(scores(lid, np.full(60, 7.0)), fit="all")
    table = scores(lid, png)
    with pytest.raises(InputError, match="r: item 5 of samples has no png score"):
        residual(table[(table["estimator"] == "lid") | (table["item"] != 5)])


def test_the_line_stands_in_the_run_record(tmp_path):
    lid, png = world()
    long = scores(lid, png).drop(columns="items").reindex(columns=list(tables.SCORES.columns))
    write_table(long.assign(dtype="float64"), tmp_path / "scores.parquet", tables.SCORES)
    record = {}
    gather_scores.main(
        [tmp_path / "scores.parquet"],
        tmp_path / "all.parquet",
        items=["samples"],
        ratios={"r": {"method": "residual", "items": ["samples"], **RESIDUAL}},
        record=record,
        calibration=20,
    )
    said = record["follows"]["r"]["samples"]
    found = read_table(tmp_path / "all.parquet", tables.ALL_SCORES).query("estimator == 'r'")
    assert said["n"] == 20
    np.testing.assert_allclose(found["value"], lid - said["intercept"] - said["slope"] * png)
