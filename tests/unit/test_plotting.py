"""Style, selection of plotted values, densities, layout of pairs."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from figure_tables import digits
from mmh.errors import InputError
from mmh.evaluation import selection
from mmh.evaluation.groups import read_classes
from mmh.evaluation.percentiles import COLUMNS
from mmh.io.arrays import write_arrays
from mmh.io.image_shards import read_images
from mmh.io.table_files import read_table
from mmh.io.tables import ALL_SCORES, LABELS
from mmh.plotting import curve, paired, panels, percentile, style, tables
from mmh.plotting.images import choice, mosaic, pairs
from mmh.plotting.laws import accuracy, plane

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

    def test_ranks_look_like_no_label(self):
        labels = {(look.colour, str(look.line), look.marker) for look in style.LABELS.values()}
        ranks = {
            (look.colour, str(look.line), look.marker)
            for look in [*style.RANKS.values(), *style.LISTS.values()]
        }
        for part in range(3):
            assert not {look[part] for look in labels} & {look[part] for look in ranks}

    @pytest.mark.parametrize("looks", [style.LABELS, style.RANKS, style.LISTS, percentile.CONTRASTS])
    def test_label_colours_differ_in_grey(self, looks):
        grey = sorted(
            np.dot([int(look.colour[i : i + 2], 16) for i in (1, 3, 5)], [0.299, 0.587, 0.114])
            for look in looks.values()
        )
        looks = looks.values()
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

    def test_no_density_below_what_no_value_is_below(self):
        values = np.abs(np.random.default_rng(2).standard_normal(20000))
        grid = np.linspace(-1, 6, 700)
        found = panels.density(values, grid, 0.0)
        assert (found[grid < 0] == 0).all()
        inside = grid >= 0
        # A half-normal law: without reflection the curve would fall to one half at 0.
        assert np.abs(found[inside] - np.exp(-0.5 * grid[inside] ** 2)).max() < 0.08
        plain = panels.density(values, grid)
        assert plain[grid < 0].max() > 0.3

    def test_a_comb_is_smoothed_and_three_modes_are_not(self):
        random = np.random.default_rng(3)
        comb = random.integers(20, 40, 800) / (1.0 + 0.002 * random.standard_normal(800))
        assert panels._peaks(comb, np.linspace(comb.min(), comb.max(), 600), panels.bandwidth(comb)) <= 3
        narrow = 0.9 * comb.std() * len(comb) ** -0.2 / 4
        assert panels._peaks(comb, np.linspace(comb.min(), comb.max(), 600), narrow) > 3
        modes = np.concatenate([place + 0.5 * random.standard_normal(300) for place in (0, 10, 20)])
        silverman = 0.9 * min(modes.std(), np.subtract(*np.quantile(modes, [0.75, 0.25])) / 1.349) * 900**-0.2
        assert panels.bandwidth(modes) == pytest.approx(silverman)

    def test_an_axis_leaves_out_what_lies_far_beyond_and_counts_it(self):
        random = np.random.default_rng(4)
        bulk = random.uniform(0, 10, 400)
        values = np.append(bulk, [60.0, 75.0, -40.0])
        low, high = panels.shown_range([values, bulk])
        assert -4 < low < 0
        assert 10 < high < 14
        assert panels.shown_range([bulk]) == (bulk.min(), bulk.max())
        assert panels.shown_range([np.array([])]) == (0.0, 1.0)
        frame = pd.DataFrame({"estimator": "e", "label": "exact", "value": values})
        summary = selection.medians(frame, ["estimator", "label"])
        fig = panels.density_figure(
            frame, summary, {"e": "e"}, xlabel="x", counted="samples", title="", note=""
        )
        texts = [text.get_text() for text in fig.axes[0].texts]
        assert {"\N{LEFTWARDS ARROW} 1", "2 \N{RIGHTWARDS ARROW}"} <= set(texts)
        assert fig.axes[0].get_xlim()[1] < 20

    def test_curves_come_down_within_the_axis(self):
        frame = pd.DataFrame({"estimator": "e", "label": "exact", "value": np.linspace(-5, 5, 40)})
        summary = selection.medians(frame, ["estimator", "label"])
        fig = panels.density_figure(
            frame, summary, {"e": "e"}, xlabel="x", counted="samples", title="", note=""
        )
        curve = max((line for line in fig.axes[0].lines), key=lambda line: len(line.get_xdata()))
        height = curve.get_ydata() - curve.get_ydata().min()
        assert max(height[0], height[-1]) < 0.05 * height.max()

    def test_missing_label_is_said(self):
        frame = pd.DataFrame({"estimator": "e", "label": "exact", "value": [0.0, 0.0]})
        summary = selection.medians(frame, ["estimator", "label"])
        fig = panels.density_figure(
            frame, summary, {"e": "e"}, xlabel="x", counted="samples", title="", note=""
        )
        texts = [text.get_text() for text in fig.axes[0].texts]
        assert any(text == "not memorized: no samples" for text in texts)
        assert any("$n$ = 2 samples" in text for text in texts)

    def test_warning_is_a_line_of_the_title(self):
        frame = pd.DataFrame({"estimator": "e", "label": "candidates", "value": [0.0, 1.0]})
        summary = selection.medians(frame, ["estimator", "label"])
        fig = panels.density_figure(
            frame,
            summary,
            {"e": "e"},
            style.RANKS,
            xlabel="x",
            counted="samples",
            title="T",
            note="",
            warning=style.UNLABELLED,
        )
        assert fig._suptitle.get_text() == "T\nunlabelled: groups are ranks, not judgements"
        texts = [text.get_text() for text in fig.axes[0].texts]
        assert any("candidates (either distance): $n$ = 2 samples" in text for text in texts)
        assert any(text == "other samples: no samples" for text in texts)


class TestTables:
    def test_calibration_and_unsure_are_left_out(self, world):
        classes = read_classes(world["labels"], world["matches"])
        frame = selection.grouped_samples(world["scores"], classes, ["flipd"], calibration=60)
        labels = read_table(world["labels"], LABELS)
        assert frame["item"].min() >= 60
        assert len(frame) == ((labels["sample"] >= 60) & (labels["label"] != "unsure")).sum()

    def test_unknown_estimator_lists_the_known(self, world):
        with pytest.raises(InputError, match=r"no scores of 'flpd' on 'samples'.*flipd on samples"):
            selection.grouped_samples(world["scores"], pd.DataFrame(), ["flpd"])

    def test_several_levels_are_refused(self, world):
        with pytest.raises(InputError, match="several scores per item"):
            selection.single(read_table(world["scores"], ALL_SCORES), "flipd_curve", "samples")

    def test_matched_images_count_once_per_label(self, world):
        classes = read_classes(world["labels"], world["matches"])
        frame = selection.matched_images(world["scores"], classes, "lpca")
        assert not frame.duplicated(["item", "label"]).any()
        labels = read_table(world["labels"], LABELS)
        assert frame["samples"].sum() == (labels["label"] != "unsure").sum()

    def test_the_jacobian_has_no_noise_level(self):
        frame = pd.DataFrame({"estimator": ["jacobian"] * 2, "t": [np.nan] * 2})
        names = {"jacobian": "Jacobian rank"}
        assert tables.panel_names(frame, ["jacobian"], names) == names

    def test_medians(self):
        frame = pd.DataFrame({"label": ["a"] * 7, "value": np.arange(7.0), "train": [0, 0, 1, 1, 2, 2, 3]})
        row = selection.medians(frame, ["label"], clusters="train").iloc[0]
        assert (row["n"], row["n_clusters"], row["median"]) == (7, 4, 3.0)
        assert (row["lower_quartile"], row["upper_quartile"]) == (1.5, 4.5)
        assert np.isnan([row["low"], row["high"]]).all()  # four clusters do not bound it
        alone = selection.medians(frame, ["label"]).iloc[0]
        assert alone["low"] < 3.0 < alone["high"]


class TestPairs:
    def test_grey_values_are_those_of_the_png(self):
        x = np.array([-1.0, 0.0, 1.0, 1.2]).reshape(1, 1, 2, 2)
        assert mosaic.to_rgb(x)[0, :, :, 0].tolist() == [[0, 128], [255, 255]]

    def test_colours_keep_their_channels(self):
        x = np.array([[1.0, -1.0, 0.0], [-1.7, 1.7, 1.0]]).reshape(2, 3, 1, 1)
        assert mosaic.to_rgb(x)[:, 0, 0].tolist() == [[255, 0, 128], [0, 255, 255]]

    def test_pairs_in_colour_have_a_frame(self):
        red = np.broadcast_to(np.array([1.0, -1.0, -1.0]).reshape(1, 3, 1, 1), (3, 3, 32, 32))
        sheet, foot = mosaic.pair_mosaic(red, np.ones_like(red), 2, captioned=True)
        assert (sheet[1:33, 1:33] == [255, 0, 0]).all()
        assert (sheet[35:67, 1:33] == 255).all()
        for edge in (sheet[0, :34], sheet[67, :34], sheet[:68, 0], sheet[:68, 33], sheet[33:35, :34]):
            assert (edge == 190).all()
        assert (sheet[:, 34:36] == 255).all()
        assert (sheet[83:115, 1:33] == [255, 0, 0]).all()  # the third pair, in the second line
        assert foot[0].tolist() == [16.5, 74.5]

    def test_images_are_read_from_every_shard(self, tmp_path):
        x = np.random.default_rng(0).integers(0, 256, size=(6, 3, 4, 4)).astype(np.uint8)
        paths = [tmp_path / "a.npz", tmp_path / "b.npz"]
        for path, rows in zip(paths, ([5, 1, 3], [0, 2, 4]), strict=True):
            write_arrays(path, image=x[rows], id=np.array(rows))
        write_arrays(tmp_path / "train.npz", x=np.float32(x), id=np.arange(6))
        wanted = pd.Series([4, 1, 4, 5])
        found, matched = choice.images_of(wanted, wanted, paths, tmp_path / "train.npz")
        np.testing.assert_array_equal(found, read_images(paths, wanted.to_numpy())[0])
        np.testing.assert_array_equal(matched, x[wanted])
        assert found.dtype == matched.dtype == np.float32
        with pytest.raises(InputError, match="holds id 6"):
            choice.images_of(pd.Series([6]), pd.Series([0]), paths, tmp_path / "train.npz")

    @pytest.mark.parametrize("sizes", [(3, 0, 1), (300, 300, 300), (1000, 5, 0), (279, 21, 280)])
    def test_pages_hold_every_pair_once_and_are_not_too_high(self, sizes):
        labels = np.repeat(list(style.LABELS), sizes)
        blocks = pd.DataFrame({"label": labels, "metric": "sscd"})
        pieces = pairs.pieces_of(blocks)
        assert [len(p.rows) for p in pieces if p.metric == "sscd"] == [size for size in sizes if size]
        pages = pairs.paginate(pieces)
        assert all(page for page in pages)
        for page in pages:
            assert 0.5 + sum(piece.height for piece in page) <= pairs.PAGE
        cut = [piece for page in pages for piece in page]
        np.testing.assert_array_equal(np.concatenate([p.rows for p in cut]), np.arange(sum(sizes)))
        for piece in cut:
            before = [
                p for p in cut[: cut.index(piece)] if (p.label, p.metric) == (piece.label, piece.metric)
            ]
            assert piece.start == sum(len(p.rows) for p in before)
        if sum(piece.height for piece in pieces) < pairs.PAGE - 0.5:
            assert len(pages) == 1

    def test_continued_pages_say_so(self):
        blocks = pd.DataFrame({"label": "exact", "metric": "sscd", "n": 300}, index=range(300))
        pages = pairs.paginate(pairs.pieces_of(blocks))
        image = np.zeros((300, 1, 8, 8))
        fig = pairs.pairs_figure(pages[1], blocks.iloc[:1], image, image, title="T")
        start = pages[1][0].start
        assert start == len(pages[0][-1].rows)
        assert fig.axes[0].get_title(loc="left").endswith(f": pairs {start + 1} to 300 of 300")

    def test_what_there_are_no_pairs_of_takes_one_line_at_the_end(self):
        blocks = pd.DataFrame({"label": "reconstructive", "metric": "sscd", "n": 3}, index=range(3))
        image = np.zeros((3, 1, 8, 8))
        fig = pairs.pairs_figure(pairs.pieces_of(blocks), blocks.iloc[:1], image, image, title="T")
        fig.canvas.draw()
        first, last = (ax.get_title(loc="left") for ax in fig.axes)
        assert first == "reconstructively memorized, retrieved by SSCD: 3 of 3 pairs, closest first"
        by_l2, none = (
            r"retrieved by calibrated $\ell_2$",
            [label for label in style.LABELS if label != "reconstructive"],
        )
        assert last.startswith(
            f"no pairs: exactly memorized, {by_l2}; exactly memorized, retrieved by SSCD; "
        )
        assert last.count(";") == 2 * len(none)
        titles = [ax._left_title.get_window_extent() for ax in fig.axes]
        assert len({round(title.x0) for title in titles}) == 1
        assert (titles[0].y0 - titles[1].y0) / fig.dpi > 2 * pairs._HEADING

    def test_too_many_pairs_are_refused(self):
        blocks = pd.DataFrame({"label": "exact", "metric": "sscd"}, index=range(10000))
        with pytest.raises(InputError, match=r"per_class: 10000 pairs .* limit is 320; lower it"):
            pairs.pieces_of(blocks)

    def test_mosaic_puts_the_match_below(self):
        black, white = -np.ones((3, 1, 32, 32)), np.ones((3, 3, 32, 32))
        sheet, foot = mosaic.pair_mosaic(black, white, 2)
        assert sheet.shape[1] == 2 * 32 + 4
        assert not sheet[:32, :32].any()
        assert (sheet[34:66, :32] == 255).all()
        assert foot[2, 1] > foot[0, 1]
        assert foot[2, 0] == foot[0, 0]

    def test_cap_and_totals(self, world):
        blocks, totals = choice.labelled_pairs(world["labels"], world["matches"], 5)
        assert (blocks.groupby(["label", "metric"]).size() == 5).all()
        labels = read_table(world["labels"], LABELS)
        counts = totals[totals["metric"] == "sscd"].set_index("label")["n"]
        assert counts["exact"] == (labels["label"] == "exact").sum()
        assert blocks.groupby(["label", "metric"])["score"].apply(lambda s: s.is_monotonic_increasing).all()

    def test_not_memorized_examples_are_the_lowest(self, world):
        classes = read_classes(world["labels"], world["matches"])
        frame = selection.grouped_samples(world["scores"], classes, ["flipd"])
        chosen = choice.choose_examples(frame, 4)
        lowest = frame.loc[frame["label"] == "not_memorized", "value"].min()
        mine = chosen[chosen["label"] == "not_memorized"]
        assert mine["value"].iloc[0] == lowest
        assert not chosen.duplicated(["label", "train"]).any()


class TestNumbers:
    def test_curve_of_separated_classes(self):
        item = np.arange(60)
        label = np.repeat(["exact", "not_memorized"], 30)
        frame = pd.DataFrame(
            {"item": item, "label": label, "cluster": item, "t": 0.1, "value": item.astype(float)}
        )
        numbers = curve.curve_numbers(frame)
        area = numbers[numbers["quantity"] == "auc"].iloc[0]
        assert (area["estimate"], area["n"]) == (1.0, 60)
        assert set(numbers["quantity"]) == {"flipd", "auc", curve.FLAT_FROM}

    def test_curve_without_controls_has_no_auc(self):
        frame = pd.DataFrame({"item": [0], "label": "exact", "cluster": 0, "t": 0.1, "value": 1.0})
        assert set(curve.curve_numbers(frame)["quantity"]) == {"flipd", curve.FLAT_FROM}

    def test_the_rule_looks_at_the_group_that_lies_lowest(self):
        levels = [0.02, 0.05, 0.1, 0.2]
        parts = [
            pd.DataFrame({"item": item, "label": label, "cluster": item, "t": levels, "value": values})
            for item, label, values in (
                (0, "exact", [9.0, 3.0, 2.5, 2.0]),
                (1, "not_memorized", [40.0, 40.0, 40.0, 40.0]),
            )
        ]
        rule = curve.curve_numbers(pd.concat(parts)).set_index("quantity").loc[curve.FLAT_FROM]
        assert (rule["label"], rule["t"], rule["estimate"], rule["n"]) == ("exact", 0.05, 1.0, 1)

    def test_od_mem_shares(self):
        values = pd.DataFrame({"lid_data": [10.0] * 4, "lid_control": [11.0, 9.0, 12, 13], "lid_model": 0.0})
        shares = paired.shares_below(values, 0.0)
        assert (shares["control"].estimate, shares["model"].estimate) == (0.25, 1.0)
        assert paired.shares_below(values, 2.0)["control"].estimate == 0.0

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


class TestPercentiles:
    def table(self):
        """Two contrasts of a sweep over two percentiles."""
        rows, counts = [], (30, 40, 20, "matched group")
        for contrast, shift in (("exact", 0.0), ("reconstructive", 0.1)):
            for percentile_, auc in ((10, 0.6), (70, 0.8)):
                area = (auc - shift, auc - shift - 0.05, auc - shift + 0.05)
                rows.append(
                    ("jacobian", contrast, percentile_, 1.0, *counts, *area, "", 5.0 + percentile_, 9.0)
                )
            area = (0.83 - shift, 0.8 - shift, 0.86 - shift)
            rows.append(("jacobian_log_volume", contrast, np.nan, np.nan, *counts, *area, "", -3.0, -1.0))
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def test_curves_are_the_table(self):
        fig = percentile.percentile_figure(self.table(), 10, estimator="Jacobian rank", title="T")
        upper, lower, foot = fig.axes
        lines = [line.get_xydata().tolist() for line in upper.lines]
        assert [[10.0, 0.6], [70.0, 0.8]] in lines
        assert [[0.0, 0.83], [1.0, 0.83]] in lines  # across the axes
        assert [[10.0, 0.0], [10.0, 1.0]] in lines  # the paper's percentile
        lines = [line.get_xydata().tolist() for line in lower.lines]
        assert [[10.0, 15.0], [70.0, 75.0]] in lines
        assert [[10.0, 9.0], [70.0, 9.0]] in lines
        texts = [text.get_text() for text in foot.texts]
        assert {"0.60 [0.55, 0.65]", "0.80 at 70", "0.83 [0.80, 0.86]", "30 / 40"} <= set(texts)

    def test_paper_percentile_that_was_not_swept(self):
        fig = percentile.percentile_figure(self.table(), 20, estimator="e", title="T")
        assert [text.get_text() for text in fig.axes[2].texts].count("not swept") == 2

    def test_without_labels_the_figure_says_so(self, tmp_path):
        self.table().head(0).to_csv(tmp_path / "p.csv", index=False)
        table = percentile.read_sweep(tmp_path / "p.csv")
        fig = percentile.percentile_figure(table, 10, estimator="e", title="T")
        style.save(fig, tmp_path / "p.pdf", tmp_path / "p.png")
        assert "no labelled samples to compare" in [text.get_text() for text in fig.axes[0].texts]

    def test_other_columns_are_refused(self, tmp_path):
        (tmp_path / "p.csv").write_text("estimator,auc\nnb,1\n")
        with pytest.raises(InputError, match=r"p.csv: expected the columns .*found \['estimator', 'auc'\]"):
            percentile.read_sweep(tmp_path / "p.csv")


def test_an_estimator_is_drawn_alike_in_all_columns():
    errors = [["flipd", "flipd_gaussian_1"], ["nb", "lpca", "other"]]
    looks = accuracy._looks(pd.DataFrame({"estimator": ["flipd", "nb", "more"]}), errors)
    assert set(looks) == {"flipd", "flipd_gaussian_1", "nb", "lpca", "other", "more"}
    assert len(set(looks.values())) == len(looks)
    assert [accuracy._error_title(names).split("\n")[1] for names in errors] == ["FLIPD", "3 estimators"]
    assert accuracy._error_title(["nb", "nb_noise", "lpca"]).endswith("\nNB and local PCA")


def test_figures_need_no_backend_that_a_notebook_names() -> None:
    environment = {**os.environ, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    code = "import sys; sys.path.insert(0, sys.argv[1]); from mmh.plotting import style as s; print(s.plt.get_backend())"
    command = [sys.executable, "-c", code, str(Path(style.__file__).parents[2])]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip().lower() == "agg"


def test_a_density_far_above_its_floor_does_not_reach_down_to_it():
    """Values of 2000 that differ by 1 need no grid of millions of places down to 0."""
    values = 1984.0 + np.linspace(0, 1, 12)
    grid = np.linspace(1984.0, 1985.0, 600)
    np.testing.assert_allclose(panels.density(values, grid, 0.0), panels.density(values, grid), atol=1e-6)
