"""Laws by name, estimates at their points, and the errors that are published."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from figure_tables import draw_figure
from mmh.diffusion.schedule import Schedule
from mmh.errors import InputError
from mmh.oracles import accuracy, laws

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
VP = Schedule.linear_vp(0.1, 20.0)
LOLLIPOP = {"kind": "gaussians", "dimensions": [0, 1, 2], "ambient": 5, "separation": 6.0, "items": 24}
SPHERE = {"kind": "sphere", "dimension": 2, "ambient": 5, "radius": 2.0, "items": 12, "spectra_items": 7}
POINTS = {"kind": "points", "points": 6, "ambient": 4, "items": 9}
ESTIMATORS = {
    "flipd": {"method": "flipd", "trace": "exact", "probe": "gaussian"},
    "flipd_2": {"method": "flipd", "trace": 2, "probe": "rademacher"},
    "nb": {"method": "normal-bundle", "copies_per_dimension": 4, "percentile": 10},
    "nb_truth": {"method": "normal-bundle", "copies_per_dimension": 4, "percentile": "truth"},
    "nb_noise": {"method": "normal-bundle-noise", "copies_per_dimension": 40, "fraction": 0.1},
    "lpca": {"method": "local-pca", "neighbours_from": 150, "k": 20, "percentile": 10, "radius": "knn"},
}


@pytest.mark.parametrize("options", [LOLLIPOP, SPHERE, POINTS], ids=lambda options: options["kind"])
def test_points_lie_on_their_law_with_their_dimension(options):
    """The closed form at vanishing noise tells the dimension of each drawn point."""
    law = laws.make(options, VP, seed=3)
    x, lid = law.draw(40, "evaluation")
    assert law.dim == x.shape[1] == options["ambient"]
    expected = {"gaussians": {0, 1, 2}, "sphere": {2}, "points": {0}}[options["kind"]]
    assert set(lid) == expected
    np.testing.assert_allclose(law.oracle.flipd(x, 1e-4), lid, atol=1e-3)


def test_draws_for_different_purposes_differ_and_repeat():
    law = laws.make(SPHERE, VP, seed=0)
    first, other = law.draw(30, "training")[0], law.draw(30, "evaluation")[0]
    np.testing.assert_array_equal(first, laws.make(SPHERE, VP, seed=0).draw(30, "training")[0])
    assert np.linalg.norm(first[:, None] - other[None], axis=2).min() > 1e-3
    assert np.abs(laws.make(SPHERE, VP, seed=1).draw(30, "training")[0] - first).max() > 0.1


def test_an_unknown_law_is_refused():
    with pytest.raises(InputError, match="no kind of law 'torus'"):
        laws.make({"kind": "torus", "ambient": 3}, VP, seed=0)


def test_matching_time_gives_the_asked_noise():
    model = laws.make(SPHERE, Schedule.edm(0.005, 3.0), seed=0).oracle.model
    for ratio in (0.006, 0.2, 3.0):
        assert model.schedule.sigma(laws.matching_time(model, ratio)) == pytest.approx(ratio)
    for ratio in (0.004, 3.1):
        with pytest.raises(InputError, match="trained for noise"):
            laws.matching_time(model, ratio)
    with pytest.raises(InputError, match="edm schedule"):
        laws.matching_time(laws.make(SPHERE, VP, seed=0).oracle.model, 0.1)


@pytest.fixture(scope="module")
def measured():
    """Estimates on the lollipop; its own score under another schedule plays the network."""
    law = laws.make(LOLLIPOP, VP, seed=0)
    twin = laws.make(LOLLIPOP, Schedule.edm(0.005, 3.0), seed=0).oracle.model
    return accuracy.measure(law, LOLLIPOP, ESTIMATORS, [0.01, 0.05], seed=0, learned=twin)


def test_every_estimator_is_asked_at_every_point_and_level(measured):
    counts = measured.groupby(["estimator", "score"], dropna=False).size()
    assert set(counts.index.get_level_values("estimator")) == set(ESTIMATORS)
    assert counts["lpca", "none"] == 24
    assert (counts.drop("lpca") == 48).all()
    assert list(measured.columns) == list(accuracy.POINT_COLUMNS)


def test_exact_estimates_agree_with_the_closed_form(measured):
    law = laws.make(LOLLIPOP, VP, seed=0)
    x, lid = law.draw(24, "evaluation")
    for t in (0.01, 0.05):
        rows = measured.query("estimator == 'flipd' and score == 'exact' and t == @t").sort_values("item")
        np.testing.assert_allclose(rows["value"], law.oracle.flipd(x, t), atol=1e-6)
        np.testing.assert_array_equal(rows["lid"], lid)
        np.testing.assert_allclose(rows["sigma"], VP.sigma(t) / VP.psi(t))


def test_another_schedule_at_the_same_noise_gives_the_same_estimates(measured):
    wide = measured[measured["score"] != "none"].pivot_table(
        index=["estimator", "t", "item"], columns="score", values="value"
    )
    np.testing.assert_allclose(wide["learned"], wide["exact"], atol=1e-6)


def test_thresholds_of_the_normal_bundle(measured):
    small = measured.query("t == 0.01 and score == 'exact'")
    for name in ("nb_truth", "nb_noise"):
        rows = small[small["estimator"] == name]
        np.testing.assert_array_equal(rows["value"], rows["lid"])
    # A pooled percentile fixes the mean, whatever the truth: a tenth of d.
    pooled = small[small["estimator"] == "nb"]
    assert pooled["value"].mean() == pytest.approx(0.1 * 5, abs=1 / 24)


def test_few_points_get_a_normal_bundle_and_a_memorizer_reads_zero():
    law = laws.make(SPHERE, VP, seed=0)
    table = accuracy.measure(law, SPHERE, {"nb_noise": ESTIMATORS["nb_noise"]}, [0.01], seed=0)
    assert list(table["value"]) == [2.0] * 7
    memorizer = accuracy.measure(laws.make(POINTS, VP, seed=0), POINTS, ESTIMATORS, [0.01], seed=0)
    exact = memorizer[memorizer["estimator"].isin(["flipd", "nb_truth", "nb_noise", "lpca"])]
    np.testing.assert_allclose(exact["value"], 0.0, atol=1e-6)


def test_noise_threshold_separates_noise_from_a_quarter_of_it():
    """Pure noise of 4 d copies keeps its smallest variance near (1 - 1/2)^2, above the threshold's fraction."""
    d, copies, sigma = 100, 400, 0.2
    scores = np.random.default_rng(0).standard_normal((copies, d)) / sigma
    values = np.linalg.svd(scores, compute_uv=False)
    assert (values > accuracy.noise_threshold(copies, sigma, 0.1)).all()
    assert (0.2 * values < accuracy.noise_threshold(copies, sigma, 0.1)).all()


def test_summary_is_means_over_points_by_dimension_and_over_all():
    about = {"estimator": "e", "score": "exact", "t": 0.1, "sigma": 0.2}
    points = pd.DataFrame({"item": range(10), "lid": [1] * 4 + [3] * 6, **about})
    points["value"] = [1.5, 0.5, 1.0, 2.0, 3.0, 3.0, 4.0, 2.0, 3.0, 6.0]
    table = accuracy.summarize(points, "law", 8, resamples=400, seed=0)
    everything, low, high = (table.iloc[i] for i in range(3))
    assert np.isnan(everything["lid"])
    assert (low["lid"], high["lid"]) == (1.0, 3.0)
    assert list(table["n"]) == [10, 4, 6]
    assert everything["mae"] == pytest.approx((0.5 + 0.5 + 0 + 1 + 0 + 0 + 1 + 1 + 0 + 3) / 10)
    assert (low["mean"], low["mae"]) == (pytest.approx(1.25), pytest.approx(0.5))
    assert np.isnan(low["mae_low"])
    assert high["mean"] == pytest.approx(3.5)
    assert 2.0 <= high["mean_low"] < 3.5 < high["mean_high"] <= 6.0


def test_interval_covers_the_mean_of_the_law():
    random = np.random.default_rng(1)
    hits = 0
    for trial in range(200):
        mean, low, high = accuracy.mean_interval(random.exponential(2.0, 60), resamples=300, seed=trial)
        assert low < mean < high
        hits += low <= 2.0 <= high
    assert 0.88 <= hits / 200 <= 0.985


ERRORS = [["flipd", "flipd_2"], ["nb_noise", "nb", "nb_truth", "lpca"]]


def draw(table, folder, prefix):
    paths = [folder / f"{prefix}.{suffix}" for suffix in ("pdf", "png", "csv")]
    options = {"estimates": ["flipd", "nb_noise"], "errors": ERRORS}
    draw_figure("estimator_accuracy", [table], paths, options, {"experiment": "manifolds"})
    return paths


def test_the_figure_plots_the_table_and_repeats_to_the_byte(measured, tmp_path):
    points = tmp_path / "lollipop.csv"
    measured.to_csv(points, index=False)
    gather = importlib.import_module("gather_accuracy")
    gather.main([points], tmp_path / "accuracy.csv", ambient={"lollipop": 5}, resamples=200, seed=0)
    table = pd.read_csv(tmp_path / "accuracy.csv")
    assert list(table.columns) == [*accuracy.ROW_KEYS, *accuracy.STATISTICS]
    first = draw(tmp_path / "accuracy.csv", tmp_path, "first")
    code = (
        f"import sys, pathlib; sys.path[:0] = [{str(SCRIPTS)!r}, {str(Path(__file__).parent)!r}]\n"
        "from figure_tables import draw_figure\n"
        f"paths = [pathlib.Path({str(tmp_path)!r}) / f'second.{{s}}' for s in ('pdf', 'png', 'csv')]\n"
        f"options = {{'estimates': ['flipd', 'nb_noise'], 'errors': {ERRORS!r}}}\n"
        f"table = pathlib.Path({str(tmp_path / 'accuracy.csv')!r})\n"
        "draw_figure('estimator_accuracy', [table], paths, options, {'experiment': 'manifolds'})\n"
        "assert 'torch' not in sys.modules, 'torch is imported'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for path in first:
        assert path.read_bytes() == path.with_name(path.name.replace("first", "second")).read_bytes()
    plotted = pd.read_csv(tmp_path / "first.csv")
    assert set(plotted["panel"]) == {0, 1, 2}
    # The learned score is shown for the two estimators of the first column only.
    assert set(plotted.query("score == 'learned'")["estimator"]) == {"flipd", "nb_noise"}
    one = plotted.query("panel == 1 and estimator == 'flipd_2' and t == 0.05").iloc[0]
    same = (
        table[table["lid"].isna()].query("estimator == 'flipd_2' and score == 'exact' and t == 0.05").iloc[0]
    )
    assert (one["estimate"], one["low"], one["high"]) == (same["mae"], same["mae_low"], same["mae_high"])
