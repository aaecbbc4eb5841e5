"""Style, selection of plotted values, densities, layout of pairs."""

import numpy as np
import pandas as pd
import pytest

from figure_tables import digits
from mmh.errors import InputError
from mmh.io import read_table
from mmh.plotting import curve, paired, pairs, panels, plane, style, tables

GRID = np.linspace(-1.0, 11.0, 600)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return digits(tmp_path_factory.mktemp("world"), n=300, calibration=60)


class TestStyle:
    def test_interval_keeps_equal_decimals(self):
        assert style.interval(27.44, 26.9, 28.04) == "27.4 [26.9, 28.0]"

    def test_interval_of_counts_has_no_decimals(self):
        assert style.interval(0.0, 0.0, 0.0) == "0 [0, 0]"
        assert style.interval(4.0, 4.0, 5.0) == "4 [4, 5]"

    def test_interval_has_no_negative_zero(self):
        assert style.interval(-0.001, -0.02, 0.004, 2) == "0.00 [\N{MINUS SIGN}0.02, 0.00]"

    def test_interval_without_bounds_says_so(self):
        assert style.interval(-3.0, np.nan, np.nan) == "\N{MINUS SIGN}3 [too few]"

    def test_heading_joins_what_is_given(self):
        assert style.heading("5c", "LID", "digits") == "Fig. 5c · digits: LID"
        assert style.heading(None, "LID") == "LID"

    def test_user_settings_do_not_reach_the_figure(self, tmp_path):
        import matplotlib

        def draw(name):
            fig = style.figure(2.0, 1.0)
            fig.subplots().plot([0, 1], [1, 0])
            paths = tmp_path / f"{name}.pdf", tmp_path / f"{name}.png"
            style.save(fig, *paths)
            return [path.read_bytes() for path in paths]

        before = draw("before")
        matplotlib.rcParams.update({"lines.linewidth": 9.0, "font.size": 30.0, "axes.grid": True})
        assert draw("after") == before

    def test_label_colours_differ_in_grey(self):
        grey = sorted(
            np.dot([int(look.colour[i : i + 2], 16) for i in (1, 3, 5)], [0.299, 0.587, 0.114])
            for look in style.LABELS.values()
        )
        looks = style.LABELS.values()
        assert np.diff(grey).min() > 8 or len({str(look.line) for look in looks}) == len(looks)
        assert len({look.marker for look in looks}) == len(looks)


class TestDensity:
    def test_identical_values_give_a_narrow_peak_in_place(self):
        curve_ = panels.density(np.zeros(20), GRID)
        assert abs(GRID[curve_.argmax()]) < 0.02
        assert curve_.max() == 1.0
        assert (curve_ > 0.5).sum() <= 5

    def test_single_value(self):
        assert np.isfinite(panels.density(np.array([3.0]), GRID)).all()

    def test_outlier_does_not_widen_a_point_mass(self):
        values = np.append(np.full(50, 0.03), 9.7)
        curve_ = panels.density(values, GRID)
        assert (curve_ > 0.5).sum() <= 5
        assert curve_[np.abs(GRID - 9.7).argmin()] > 0.01

    def test_counts_give_a_smooth_curve(self):
        values = np.random.default_rng(0).poisson(5, size=2000).clip(0, 10).astype(float)
        inner = panels.density(values, GRID)[(GRID > 3) & (GRID < 7)]
        assert inner.min() > 0.4

    def test_agrees_with_the_normal_density(self):
        values = 5 + np.random.default_rng(1).standard_normal(20000)
        expected = np.exp(-0.5 * (GRID - 5) ** 2)
        assert np.abs(panels.density(values, GRID) - expected).max() < 0.06

    def test_missing_label_is_said(self):
        frame = pd.DataFrame({"estimator": "e", "label": "exact", "value": [0.0, 0.0]})
        summary = tables.medians(frame, ["estimator", "label"])
        fig = panels.density_figure(
            frame, summary, {"e": "e"}, xlabel="x", counted="samples", title="", note=""
        )
        texts = [text.get_text() for text in fig.axes[0].texts]
        assert any(text == "not memorized: no samples" for text in texts)
        assert any("$n$ = 2 samples" in text for text in texts)


class TestTables:
    def test_calibration_and_unsure_are_left_out(self, world):
        frame = tables.labelled_samples(
            world["scores"], world["labels"], world["matches"], ["flipd"], calibration=60
        )
        labels = read_table(world["labels"], "labels")
        assert frame["item"].min() >= 60
        assert len(frame) == ((labels["sample"] >= 60) & (labels["label"] != "unsure")).sum()

    def test_unknown_estimator_lists_the_known(self, world):
        with pytest.raises(InputError, match=r"no scores of 'flpd' on 'samples'.*flipd on samples"):
            tables.labelled_samples(world["scores"], world["labels"], world["matches"], ["flpd"])

    def test_several_levels_are_refused(self, world):
        with pytest.raises(InputError, match="several scores per item"):
            tables.single(read_table(world["scores"], "all_scores"), "flipd_curve", "samples")

    def test_matched_images_count_once_per_label(self, world):
        frame = tables.matched_images(world["scores"], world["labels"], world["matches"], "lpca")
        assert not frame.duplicated(["item", "label"]).any()
        labels = read_table(world["labels"], "labels")
        assert frame["samples"].sum() == (labels["label"] != "unsure").sum()

    def test_medians(self):
        frame = pd.DataFrame({"label": ["a"] * 7, "value": np.arange(7.0), "train": [0, 0, 1, 1, 2, 2, 3]})
        row = tables.medians(frame, ["label"], clusters="train").iloc[0]
        assert (row["n"], row["n_clusters"], row["median"]) == (7, 4, 3.0)
        assert (row["lower_quartile"], row["upper_quartile"]) == (1.5, 4.5)
        assert row["low"] <= 3.0 <= row["high"]


class TestPairs:
    def test_grey_values_are_those_of_the_png(self):
        x = np.array([-1.0, 0.0, 1.0, 1.2]).reshape(1, 1, 2, 2)
        assert pairs.to_rgb(x)[0, :, :, 0].tolist() == [[0, 128], [255, 255]]

    def test_mosaic_puts_the_match_below(self):
        black, white = -np.ones((3, 1, 32, 32)), np.ones((3, 3, 32, 32))
        sheet, foot = pairs.pair_mosaic(black, white, 2)
        assert sheet.shape[1] == 2 * 32 + 4
        assert not sheet[:32, :32].any()
        assert (sheet[34:66, :32] == 255).all()
        assert foot[2, 1] > foot[0, 1]
        assert foot[2, 0] == foot[0, 0]

    def test_cap_and_totals(self, world):
        blocks, totals = pairs.labelled_pairs(world["labels"], world["matches"], 5)
        assert (blocks.groupby(["label", "metric"]).size() == 5).all()
        labels = read_table(world["labels"], "labels")
        counts = totals[totals["metric"] == "sscd"].set_index("label")["n"]
        assert counts["exact"] == (labels["label"] == "exact").sum()
        assert blocks.groupby(["label", "metric"])["score"].apply(lambda s: s.is_monotonic_increasing).all()

    def test_not_memorized_examples_are_the_lowest(self, world):
        frame = tables.labelled_samples(world["scores"], world["labels"], world["matches"], ["flipd"])
        chosen = pairs.choose_examples(frame, 4)
        lowest = frame.loc[frame["label"] == "not_memorized", "value"].min()
        mine = chosen[chosen["label"] == "not_memorized"]
        assert mine["value"].iloc[0] == lowest
        assert not chosen.duplicated(["label", "train"]).any()


class TestNumbers:
    def test_curve_of_separated_classes(self):
        item = np.arange(60)
        label = np.repeat(["exact", "not_memorized"], 30)
        frame = pd.DataFrame(
            {"item": item, "label": label, "train": item, "t": 0.1, "value": item.astype(float)}
        )
        numbers = curve.curve_numbers(frame)
        area = numbers[numbers["quantity"] == "auc"].iloc[0]
        assert (area["estimate"], area["n"]) == (1.0, 60)
        assert set(numbers["quantity"]) == {"flipd", "auc"}

    def test_curve_without_controls_has_no_auc(self):
        frame = pd.DataFrame({"item": [0], "label": "exact", "train": 0, "t": 0.1, "value": 1.0})
        assert set(curve.curve_numbers(frame)["quantity"]) == {"flipd"}

    def test_od_mem_shares(self):
        values = pd.DataFrame({"lid_data": [10.0] * 4, "lid_control": [11.0, 9.0, 12, 13], "lid_model": 0.0})
        shares = paired.verdicts(values, 0.0)
        assert (shares["control"].estimate, shares["model"].estimate) == (0.25, 1.0)
        assert paired.verdicts(values, 2.0)["control"].estimate == 0.0

    def test_paired_table_without_a_column_is_refused(self, tmp_path):
        (tmp_path / "paired.csv").write_text("item,lid_data,lid_model\n0,1.0,2.0\n")
        with pytest.raises(InputError, match=r"paired.csv: needs rows .* lacks \['lid_control'\]"):
            paired.read_values(tmp_path / "paired.csv")

    def test_regions_add_up(self):
        samples = pd.DataFrame({"region": ["arc"] * 8 + ["centre"] * 2, "value": np.arange(10.0)})
        table = plane.region_table(samples)
        assert table["n"].sum() == 10
        assert table.loc[table["region"] == "arc", "share"].item() == 0.8
        assert np.isnan(table.loc[table["region"] == "isolated", "median"].item())
