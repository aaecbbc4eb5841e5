"""The figure of cost and error: rows counted by hand, lines by their way of taking the trace, bad options."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from figure_tables import draw_figure
from mmh.config.check import check_config
from mmh.errors import InputError
from mmh.plotting.laws.cost import cost_numbers, rows_of, way_of

WAYS = {
    "flipd": {"method": "flipd", "trace": "exact"},
    "gaussian_4": {"method": "flipd", "trace": 4, "probe": "gaussian"},
    "gaussian_12": {"method": "flipd", "trace": 12, "probe": "gaussian"},
    "denoising_3": {"method": "denoising-loss", "draws": 3},
    "nb": {"method": "normal-bundle-noise", "copies_per_dimension": 4, "fraction": 0.1},
}


def accuracy():
    rows = []
    for law, ambient in (("sphere", 100), ("line", 8)):
        for name in (*WAYS, "lpca"):
            for score in ("exact", "learned") if law == "line" else ("exact",):
                for t in (0.01, 0.1):
                    for lid in (np.nan, 1.0):
                        rows.append(
                            (law, ambient, name, score, t, 0.1, lid, 60, 2.0, 1.5, 2.5, 0.5, 0.4, 0.6)
                        )
    columns = [
        "law",
        "ambient",
        "estimator",
        "score",
        "t",
        "sigma",
        "lid",
        "n",
        "mean",
        "mean_low",
        "mean_high",
        "mae",
        "mae_low",
        "mae_high",
    ]
    return pd.DataFrame(rows, columns=columns)


def test_rows_are_forward_passes_and_products():
    assert [rows_of(way, 100) for way in WAYS.values()] == [101, 5, 13, 3, 400]
    assert len({way_of(way) for way in WAYS.values()}) == 4


def test_numbers_are_those_of_one_level_over_all_points():
    numbers = cost_numbers(accuracy(), WAYS, 0.1)
    assert set(numbers["t"]) == {0.1}
    assert len(numbers) == len(WAYS) * 3  # two laws, one of them learned, too
    assert "lpca" not in set(numbers["estimator"])
    cell = numbers.query("law == 'line' and estimator == 'flipd' and score == 'learned'").iloc[0]
    assert (cell["rows"], cell["mae"]) == (9, 0.5)


def test_the_figure_is_drawn_from_the_table(tmp_path):
    accuracy().to_csv(tmp_path / "accuracy.csv", index=False)
    paths = [tmp_path / f"cost.{suffix}" for suffix in ("pdf", "png", "csv")]
    options = {"estimators": list(WAYS), "t": 0.01}
    about = {"experiment": "manifolds-cost", "more": {"estimators": WAYS}}
    draw_figure("cost_error", [tmp_path / "accuracy.csv"], paths, options, about)
    assert all(path.stat().st_size > 100 for path in paths)
    assert set(pd.read_csv(paths[2])["estimator"]) == set(WAYS)


def test_a_level_that_is_not_measured_and_an_estimator_without_network_are_refused():
    config = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())
    entry = config["experiments"]["manifolds-cost"]
    entry["accuracy"]["estimators"]["lpca"] = config["experiments"]["manifolds"]["accuracy"]["estimators"][
        "lpca"
    ]
    entry["figures"]["cost_error"] |= {"t": 0.02, "estimators": ["flipd", "lpca"]}
    with pytest.raises(InputError) as caught:
        check_config(config)
    assert "cost_error.t: 0.02, but accuracy.t has 0.01, 0.1" in str(caught.value)
    assert "cost_error.estimators: 'lpca' calls no network; leave it out" in str(caught.value)
