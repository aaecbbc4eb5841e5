"""Figures of text-to-image models on small tables: files, plotted numbers, choices, identical bytes, no torch."""

import json
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from text_tables import SETS, experiment

from figure_tables import draw_figure
from mmh.detection.curve_scores import curve_scores, is_control
from mmh.errors import InputError
from mmh.evaluation import image_sets as sets
from mmh.io.arrays import read_arrays
from mmh.io.table_files import read_table, write_table
from mmh.io.tables import ALL_SCORES
from mmh.plotting import detection, norms, set_panels
from mmh.plotting.images import walk
from mmh.prompts.lists import read_prompts
from mmh.stats import correlation, roc
from mmh.stats.curves import auc, tpr_at_fpr

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
NAMES = list(SETS)
PAIR = NAMES[:2]
CURVES = ["cfg_norm.first.n1", "cfg_norm.mean.n4", "flipd.low.n4", "text_ngrams"]
ANCHORS = [{"estimator": "cfg_norm.mean.n4", "auc": 0.98, "source": "a paper"}]
SCORED = ("scores", "image_sets", "evaluation")
FIGURES = {
    "metric_histograms": (
        (*SCORED, "counts"),
        {"sets": NAMES, "estimators": ["flipd", "flipd_uncond", "cfg_norm"]},
    ),
    "complexity": ((*SCORED, "counts"), {"sets": NAMES, "estimator": "png"}),
    "score_norms": (
        SCORED[:2],
        {"sets": PAIR, "guided": "guided_norm", "difference": "cfg_difference", "each": 20, "guidance": 7.5},
    ),
    "manifold_walk": (
        ("matches", "prompts", "train", "generations", *SCORED[:2]),
        {"prompt_set": "memorized", "items": "memorized", "estimator": "flipd", "generations": 7},
    ),
    "prompt_detection": (
        ("evaluation", "prompts", "prompt_scores"),
        {"pair": PAIR, "curves": CURVES, "anchors": ANCHORS},
    ),
}

AXES = {"flipd": "dimensions", "flipd_uncond": "dimensions", "cfg_norm": "units of the noise"}
MORE = {
    "metric_histograms": {"axes": AXES, "large": ["cfg_norm"]},
    "prompt_detection": {"steps": [1], "generations": [1, 4], "resamples": 100},
}
PRINTED = {
    "flipd": "FLIPD, conditional",
    "flipd_uncond": "FLIPD, unconditional",
    "cfg_norm": "CFG-vector norm",
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return experiment(tmp_path_factory.mktemp("tables"))


def draw(name, tables, folder, **changed):
    inputs, options = FIGURES[name]
    outputs = [folder / f"{name}.{suffix}" for suffix in ("pdf", "png", "csv")]
    about = {"experiment": "digits-text", "names": PRINTED, "more": MORE.get(name, {})}
    draw_figure(name, [tables[key] for key in inputs], outputs, {**options, **changed}, about)
    return outputs


@pytest.fixture(scope="module")
def drawn(tables, tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    return {name: draw(name, tables, folder) for name in FIGURES}


@pytest.fixture(scope="module")
def numbers(drawn):
    return {name: pd.read_csv(outputs[2], low_memory=False) for name, outputs in drawn.items()}


@pytest.fixture(scope="module")
def other_process(tables, tmp_path_factory):
    """Draw all figures in a process of its own, which must not load torch."""
    folder = tmp_path_factory.mktemp("other")
    paths = {k: [str(p) for p in v] if isinstance(v, list) else str(v) for k, v in tables.items()}
    code = (
        "import sys, importlib, pathlib\n"
        f"sys.path[:0] = [{str(SCRIPTS)!r}, {str(Path(__file__).parent)!r}]\n"
        "from mmh.figures.base import FIGURES as ROWS\n"
        f"assert set({sorted(FIGURES)!r}) < set(ROWS.rows())\n"
        "assert 'numpy' not in sys.modules, 'numpy is imported before the thread counts are set'\n"
        "from test_text_figures import FIGURES, draw\n"
        "for name in FIGURES:\n"
        f"    draw(name, {paths!r}, pathlib.Path({str(folder)!r}))\n"
        "assert 'torch' not in sys.modules, 'torch is imported'\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.mark.parametrize("name", FIGURES)
def test_files_and_bytes(name, drawn, other_process):
    for path in drawn[name]:
        assert path.read_bytes() == (other_process / path.name).read_bytes()
    pdf, png, _ = drawn[name]
    assert pdf.read_bytes().startswith(b"%PDF")
    assert not re.search(rb"CreationDate|/Producer|/Creator", pdf.read_bytes())
    picture = matplotlib.image.imread(png)
    assert picture.shape[1] in (660, 1350)  # one text column or the full block at 200 dpi
    assert picture[..., :3].std() > 0.02


def test_histograms_plot_the_scores_and_the_evaluation(tables, numbers):
    table = numbers["metric_histograms"]
    scores = read_table(tables["scores"], ALL_SCORES).set_index(["estimator", "items", "item"])["value"]
    images = table[table["kind"] == "image"].set_index(["estimator", "set", "item"])["value"].sort_index()
    assert len(images) == 3 * sum(SETS.values())
    np.testing.assert_array_equal(images, scores.reindex(images.index))
    medians = table[table["kind"] == "median"].set_index(["estimator", "set"])
    own = images["flipd", "generic"]
    assert medians.loc[("flipd", "generic"), "median"] == np.median(own)
    assert medians.loc[("flipd", "generic"), ["n", "n_clusters"]].tolist() == [80, 40]
    areas = table[table["kind"] == "auc"].set_index(["estimator", "set"])["auc"]
    assert len(areas) == 6  # neither PNG size nor controls, which are not drawn here
    memorized = images["cfg_norm", "memorized"].to_numpy()
    both = np.concatenate([memorized, images["cfg_norm", "control"].to_numpy()])
    assert areas["cfg_norm", "control"] == pytest.approx(auc(both, np.arange(120) < 60))


def test_complexity_is_in_bits_in_the_table(tables, numbers):
    table = numbers["complexity"]
    scores = read_table(tables["scores"], ALL_SCORES).query("estimator == 'png'")
    assert table.loc[table["kind"] == "image", "value"].sum() == scores["value"].sum()
    assert set(table.loc[table["kind"] == "auc", "set"]) == {"control", "generic"}


def test_lost_images_are_counted_and_a_damaged_count_is_named(tables, tmp_path):
    counts = tables["counts"][0]
    assert set_panels.read_counts([counts]) == {"control": json.loads(counts.read_text())["n"] + 2}
    damaged = tmp_path / "control.counts.json"
    damaged.write_text('{"n": 3}')
    with pytest.raises(InputError, match=r"control\.counts\.json.*run again"):
        set_panels.read_counts([damaged])


@pytest.mark.parametrize(("bits", "unit"), [(900.0, "bits"), (3e4, "kbit"), (2.9e6, "Mbit")])
def test_sizes_are_printed_in_a_unit_of_few_digits(bits, unit):
    factor, name = set_panels.scaled_bits(pd.Series([bits]))
    assert name == unit
    assert 1 <= factor * bits < 1000
    assert factor == {"bits": 1, "kbit": 1e-3, "Mbit": 1e-6}[unit]


def test_a_set_without_a_score_is_no_error_in_a_figure(tables, tmp_path):
    """Other experiments score a set with some estimators only; the figure says that there are no images."""
    scores = read_table(tables["scores"], ALL_SCORES)

    path = tmp_path / "scores.parquet"
    write_table(scores[(scores["items"] != "generic") | (scores["estimator"] != "flipd")], path, ALL_SCORES)
    table = pd.read_csv(draw("metric_histograms", {**tables, "scores": path}, tmp_path)[2])
    images = table[table["kind"] == "image"]
    assert set(images.loc[images["estimator"] == "flipd", "set"]) == {"memorized", "control"}
    assert set(images.loc[images["estimator"] == "cfg_norm", "set"]) == set(NAMES)


def test_score_norms_draws_as_many_of_each_set(tables, numbers):
    table = numbers["score_norms"]
    points = table[table["kind"] == "image"]
    assert points["set"].value_counts().to_dict() == {"memorized": 20, "control": 20}
    scores = read_table(tables["scores"], ALL_SCORES).set_index(["estimator", "items", "item"])["value"]
    for row in points.itertuples():
        assert row.cfg_vector == scores["cfg_difference", row.set, row.item]
        assert row.guided_score == scores["guided_norm", row.set, row.item]
    found = table[table["kind"] == "correlation"].set_index(["which", "set"])
    assert found.loc[("scored", "all"), "n"] == 120
    expected = spearmanr(points["cfg_vector"], points["guided_score"]).statistic
    assert found.loc[("drawn", "all"), "spearman"] == pytest.approx(expected, abs=1e-12)
    assert (found["low"] < found["spearman"]).all()
    assert (found["spearman"] < found["high"]).all()


def test_drawn_images_depend_on_their_set_alone_and_spread_over_families():
    item = np.arange(60)
    table = pd.DataFrame({"items": "a", "item": item, "family": item // 3, "x": 0.0})
    other = table.assign(items="b", family=100 + item)
    drawn = norms.draw_images(pd.concat([table, other]), ["a", "b"], 20, 0)
    assert drawn[drawn["items"] == "a"]["family"].nunique() == 20
    alone = norms.draw_images(table, ["a"], 20, 0)
    assert drawn[drawn["items"] == "a"]["item"].tolist() == alone["item"].tolist()
    assert norms.draw_images(table, ["a"], 20, 1)["item"].tolist() != alone["item"].tolist()
    assert len(norms.draw_images(table, ["a"], 99, 0)) == 60


def test_weighted_correlation_is_that_of_the_repeated_data():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 8, size=30).astype(float)  # with ties
    y = x + rng.integers(0, 9, size=30)
    weight = rng.integers(0, 4, size=(5, 30)).astype(float)
    for row, found in zip(weight, correlation.spearman(x, y, weight), strict=True):
        repeated = np.repeat(np.arange(30), row.astype(int))
        assert found == pytest.approx(spearmanr(x[repeated], y[repeated]).statistic, abs=1e-12)
    assert np.isnan(correlation.spearman(np.ones(4), np.arange(4))[0])


def test_interval_of_a_correlation_covers_the_truth_about_as_often_as_it_says():
    hits = 0
    for seed in range(100):
        x, z = np.random.default_rng(seed).standard_normal((2, 60))
        found = correlation.spearman_interval(x, 0.6 * x + 0.8 * z)
        truth = 6 / np.pi * np.arcsin(0.6 / 2)  # Spearman's of a bivariate normal law
        hits += found.low <= truth <= found.high
    assert 84 <= hits <= 100


def test_the_walk_shows_what_differs_most_of_the_closer_half_and_its_first_generations(tables, numbers):
    table = numbers["manifold_walk"]
    matches = pd.read_parquet(tables["matches"])
    medians = matches.groupby("prompt")["similarity"].median().sort_values(kind="stable")
    image = table[table["kind"] == "training"].iloc[0]
    ranges = {}
    for prompt in sorted(medians.index[29:]):  # from the less similar of the middle two of 60 on
        own = matches[matches["prompt"] == prompt].sort_values("generation")["similarity"].head(7)
        ranges[prompt] = own.max() - own.min()
    assert image["prompt"] == max(ranges, key=ranges.get)
    assert len(set(ranges.values())) > 1
    shown = table[table["kind"] == "generation"]
    assert shown["generation"].tolist() == list(range(7))  # the first ones, not the closest
    own = matches[matches["prompt"] == image["prompt"]].set_index("generation")["similarity"]
    np.testing.assert_array_equal(shown["similarity"], own.reindex(range(7)))
    scores = read_table(tables["scores"], ALL_SCORES)
    lid = scores[(scores["items"] == "memorized") & (scores["estimator"] == "flipd")].set_index("item")[
        "value"
    ]
    assert image["lid"] == lid[int(image["prompt"])]  # the image with that caption has the prompt's number
    assert len(table[table["kind"] == "prompt"]) == 60


def test_the_strip_of_the_walk_spans_the_data(tables, tmp_path, monkeypatch):
    from mmh.plotting import style

    figures = []
    monkeypatch.setattr(style, "save", lambda fig, *paths: figures.append(fig))
    draw("manifold_walk", tables, tmp_path)
    low, high = figures[0].axes[-1].get_xlim()
    values = pd.read_parquet(tables["matches"]).groupby("prompt")["similarity"].median()
    margin = 0.05 * (values.max() - values.min())
    assert (low, high) == pytest.approx((values.min() - margin, values.max() + margin))


def test_controls_that_are_the_same_for_all_prompts_are_said_and_not_drawn(tables, tmp_path, monkeypatch):
    from mmh.plotting import style

    figures = []
    monkeypatch.setattr(style, "save", lambda fig, *paths: figures.append(fig))
    draw("prompt_detection", tables, tmp_path)
    (fig,) = figures
    names = [label.get_text() for label in fig.axes[1].get_yticklabels()]
    assert "text: n-grams" in names
    assert "text: share of digits" not in names
    assert "share of digits" in fig.get_supxlabel().split("the same for all of these prompts: ")[1]
    table = pd.DataFrame({"estimator": ["text_digits", "text_words", "flipd.low.n4"]})
    table = table.assign(auc=0.5, auc_low=[0.5, 0.4, 0.5], auc_high=0.5)
    assert detection.constant(table).tolist() == [True, False, False]  # a detector is always drawn


def test_norms_of_a_few_images_do_not_squeeze_the_others(tables, tmp_path, monkeypatch):
    from mmh.plotting import style

    figures = []
    monkeypatch.setattr(style, "save", lambda fig, *paths: figures.append(fig))
    draw("score_norms", tables, tmp_path)
    ax = figures[0].axes[0]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    figures[0].canvas.draw()
    low, high = ax.get_xlim()
    ticks = [tick.get_text() for tick in ax.get_xticklabels()]
    assert len([text for text in ticks if text and low <= float(text) <= high]) >= 3


def test_the_walk_reads_the_very_pixels(tables):
    """Generations of one prompt lie in several files, here in an order that is not theirs."""
    train, ids = read_arrays(tables["train"], "image", "id")
    np.testing.assert_array_equal(walk.training_image(tables["train"], 1007), train[ids == 1007][0])
    found = walk.generated_images(tables["generations"][::-1], 20, [6, 0, 2])
    for number, picture in zip([6, 0, 2], found, strict=True):
        hits = []
        for path in tables["generations"]:
            image, of, generation = read_arrays(path, "image", "prompt", "generation")
            hits += list(image[(of == 20) & (generation == number)])
        assert len(hits) == 1
        np.testing.assert_array_equal(picture, hits[0])


def test_a_prompt_can_be_chosen_by_hand(tables, tmp_path):
    table = pd.read_csv(draw("manifold_walk", tables, tmp_path, prompt=3)[2])
    image = table[table["kind"] == "training"].iloc[0]
    assert image["prompt"] == 3
    assert image["rule"] == "chosen in the configuration"


def test_the_walk_without_a_lid(tables, tmp_path):
    """An image set that lacks the caption leaves the image without LID, not without figure."""
    table = pd.read_csv(draw("manifold_walk", tables, tmp_path, items="control")[2])
    assert np.isnan(table["lid"].iloc[0])


def test_captions_of_strangers_are_printable():
    lines = walk._lines("a \x00 $x$ \n" + "long " * 200)
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        (
            {"prompt_set": "generic"},
            "no generation of prompt set 'generic' has been compared; sets: memorized",
        ),
        ({"prompt": 99}, "prompt 99 of 'memorized' has no generations"),
    ],
)
def test_walk_errors(changed, text, tables, tmp_path):
    with pytest.raises(InputError, match=text):
        draw("manifold_walk", tables, tmp_path, **changed)


def test_walk_files_that_lack_an_image(tables, tmp_path):
    with pytest.raises(InputError, match="is in none of 1 files"):
        draw("manifold_walk", {**tables, "generations": tables["generations"][:1]}, tmp_path)
    with pytest.raises(InputError, match="holds no image 29, the training image"):
        draw("manifold_walk", {**tables, "train": shifted(tables["train"], tmp_path)}, tmp_path, prompt=29)


def shifted(path, folder):
    from mmh.io.arrays import write_arrays

    image, ids = read_arrays(path, "image", "id")
    write_arrays(folder / "shifted.npz", image=image, id=ids + 5000)
    return folder / "shifted.npz"


def test_curve_agrees_with_the_definition():
    rng = np.random.default_rng(0)
    positive = rng.uniform(size=90) < 0.4
    score = rng.integers(0, 12, size=90) + 3.0 * positive  # with ties
    own = roc.curve(score, positive, np.ones((1, 90)))[0]
    for level, found in zip(roc.LEVELS, own, strict=True):
        assert found == pytest.approx(tpr_at_fpr(score, positive, level))
    weight = rng.integers(0, 3, size=(4, 90)).astype(float)
    for row, found in zip(weight, roc.curve(score, positive, weight), strict=True):
        repeated = np.repeat(np.arange(90), row.astype(int))
        again = roc.curve(score[repeated], positive[repeated], np.ones((1, len(repeated))))[0]
        np.testing.assert_allclose(found, again, atol=1e-12)


def test_bands_hold_the_curve_and_widen_with_families():
    rng = np.random.default_rng(0)
    positive = np.repeat([True, False], 120)
    scores = pd.DataFrame({"a": np.repeat(rng.standard_normal(80), 3) + positive})
    alone = roc.roc_table(scores, positive, np.arange(240), resamples=300)
    together = roc.roc_table(scores, positive, np.arange(240) // 3, resamples=300)
    for table in (alone, together):
        assert (table["low"] <= table["tpr"] + 1e-12).mean() > 0.95
        assert (table["tpr"] <= table["high"] + 1e-12).mean() > 0.95
    # Each family is three prompts of the same score: widths grow by about the root of three.
    width = [(table["high"] - table["low"]).mean() for table in (alone, together)]
    assert width[1] > 1.3 * width[0]


def test_perfect_and_idle_detectors():
    positive = np.repeat([True, False], 50)
    scores = pd.DataFrame({"perfect": positive.astype(float), "idle": np.zeros(100)})
    table = roc.roc_table(scores, positive, np.arange(100), resamples=50).set_index("detector")
    assert (table.loc["perfect", ["tpr", "low", "high"]] == 1.0).all(axis=None)
    assert (table.loc["idle", "tpr"].iloc[:-1] == 0.0).all()  # all or nothing: one threshold
    assert table.loc["idle", "tpr"].iloc[-1] == 1.0


def test_detection_draws_what_was_evaluated(tables, numbers):
    table = numbers["prompt_detection"]
    evaluation = pd.read_csv(tables["evaluation"])
    rows = table[table["kind"] == "auc"].set_index("estimator")
    wanted = evaluation[evaluation["contrast"] == "prompts:memorized-control"].set_index("estimator")
    assert set(rows.index) == set(wanted.index)
    assert rows.index.str.startswith("text_").tolist() == sorted(rows.index.str.startswith("text_"))
    np.testing.assert_allclose(rows["auc"], wanted["auc"].reindex(rows.index))
    assert table.loc[table["kind"] == "anchor", "auc"].tolist() == [0.98]
    assert set(table.loc[table["kind"] == "roc", "detector"]) == set(CURVES)


def test_curves_are_those_of_the_evaluated_scores(tables):
    """Detectors and the text-only control, whose folds are drawn anew, have the AUC of the evaluation."""
    frame = pd.concat(map(pd.read_parquet, tables["prompt_scores"]))
    scores, positive, _ = curve_scores(read_prompts(tables["prompts"]), frame, PAIR, CURVES)
    rows = detection.read_rows(tables["evaluation"], PAIR).set_index("estimator")
    for name in CURVES:
        assert auc(scores[name].to_numpy(), positive) == pytest.approx(rows.loc[name, "auc"])


def test_rows_of_chosen_metrics_keep_the_controls(tables):
    rows = detection.read_rows(tables["evaluation"], PAIR, ["flipd"])
    assert rows["estimator"].tolist()[:3] == ["flipd.low.n1", "flipd.low.n4", "text_ngrams"]
    assert rows["estimator"].iloc[2:].map(is_control).all()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cfg_norm.first.n1", "CFG norm, first step, 1 gen."),
        ("score_norm_squared.mean.n16", "guided norm², all steps, 16 gen."),
        ("cfg_norm.first5.n4", "CFG norm, first 5 steps, 4 gen."),
        ("text_capitalized", "text: share of capitals"),
    ],
)
def test_printed_names_of_detectors(name, words):
    assert detection.printed(name) == words


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"pair": ["memorized", "generic"]}, "no detector of the contrast 'prompts:memorized-generic'"),
        ({"curves": ["cfg.first.n1"]}, "curves: no 'cfg.first.n1'; there are cfg_norm.first.n1"),
        ({"anchors": [{"estimator": "wen", "auc": 1, "source": ""}]}, "anchors: no row 'wen'; there are"),
        ({"curves": ["text_ngrams", "text_words"]}, "at most 4 detectors and one control"),
    ],
)
def test_detection_errors(changed, text, tables, tmp_path):
    with pytest.raises(InputError, match=text):
        draw("prompt_detection", tables, tmp_path, **changed)


@pytest.mark.parametrize(
    ("columns", "text"),
    [({"item": [0, 0]}, "item 0 occurs twice"), ({"family": None}, r"needs the columns \['family'\]")],
)
def test_malformed_image_sets(columns, text, tmp_path):
    table = {"item": [0, 1], "caption": ["a", "b"], "family": [0, 1], "source": ["x", "y"], **columns}
    pd.DataFrame({k: v for k, v in table.items() if v is not None}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match=rf"a.parquet: .*{text}"):
        sets.read_sets([tmp_path / "a.parquet"])


def test_too_many_sets_to_tell_apart():
    with pytest.raises(InputError, match="6 image sets; give 2 to 5"):
        set_panels.set_looks(list("abcdef"))
