"""Every figure script on small tables: files, plotted numbers, identical bytes, no torch."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from figure_tables import colour, digits, draw_figure, pair_of_models, plane
from mmh.errors import InputError
from mmh.io.table_files import read_table
from mmh.io.tables import ALL_SCORES, LABELS, MATCHES, TRAIN
from mmh.oracles.cartoon import CARTOON

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
COMMON = {"experiment": "digits", "calibration": 60}
LABELLED = ("scores", "labels", "matches", "candidates")
GROUPED = (*LABELLED, "groups")
FIGURES = {
    "lid_model": (GROUPED, {"estimators": ["nb", "flipd"]}),
    "lid_complexity": (GROUPED, {"estimators": ["nb_png", "flipd_residual"]}),
    "lid_data": (GROUPED, {"estimator": "lpca"}),
    "examples": ((*LABELLED, "shards", "train"), {"estimator": "flipd", "columns": 8}),
    "memorized_pairs": ((*LABELLED[1:], "shards", "train"), {"per_class": 25}),
    "flipd_curve": (
        ("scores", "labels", "matches", "groups"),
        {"estimator": "flipd_curve", "chosen": "flipd"},
    ),
    "lid_paired": (("paired",), {}),
    "lid_scatter": (("plane_scores", "plane_samples", "plane_train"), {"estimator": "flipd", "shown": 100}),
    "mmh_cartoon": (("cartoon",), {}),
    "copies_by_radius": (("balls",), {"excess": 3.0}),
    "duplicates_by_size": (("duplicates",), {}),
    "definitions": (("definitions",), {}),
    "percentile_curve": (("percentiles",), {"estimator": "nb", "percentiles": [10, 50, 90]}),
    "auc_by_cut": (("cuts",), {"cuts": [0.5, 1.0], "gaps": [[0.5, 2.0]]}),
    "auc_by_image": (
        ("scores", "labels", "matches", "groups", "train"),
        {"estimators": ["flipd", "nb"], "most": 15},
    ),
}
MORE = {
    "lid_model": {"number": "5c", "axes": {}},
    "lid_complexity": {"number": "8a", "axes": {"flipd_residual": "residual (dimensions)"}},
    "memorized_pairs": {"number": "12-15"},
    "lid_paired": {"estimator": "FLIPD", "data_estimator": "LPCA"},
    "auc_by_image": {"large": []},
    "lid_scatter": {"concentration": 2.0, "centre_weight": 0.3},
}
# Experiments without labels: here a GAN's, in colour.
UNLABELLED = {
    "lid_model": {"estimators": ["jacobian"]},
    "lid_complexity": {"estimators": ["jacobian_png"]},
    "lid_data": {"estimator": "lpca"},
    "examples": {"estimator": "jacobian", "columns": 8},
    "memorized_pairs": {"per_class": 30},
}
TOP = 40


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    (folder / "plane").mkdir()
    paths = digits(folder, n=300, calibration=60)
    paths["shards"] = [paths.pop("first"), paths.pop("second")]
    paths |= pair_of_models(folder)
    paths |= {f"plane_{name}": path for name, path in plane(folder / "plane", n=400).items()}
    (folder / "colour").mkdir()
    unlabelled = colour(folder / "colour", top=TOP)
    unlabelled["shards"] = [unlabelled.pop("shard")]
    paths |= {f"colour_{name}": path for name, path in unlabelled.items()}
    paths["candidates"] = []
    paths["percentiles"] = folder / "percentiles.csv"
    swept(paths["labels"]).to_csv(paths["percentiles"], index=False)
    paths["cuts"] = folder / "cuts.csv"
    cut(paths).to_csv(paths["cuts"], index=False)
    paths["cartoon"] = folder / "cartoon.parquet"
    script("compute_cartoon").main(paths["cartoon"], seed=0)
    for name, table in copying().items():
        paths[name] = folder / f"{name}.csv"
        table.to_csv(paths[name], index=False)
    return paths


def copying():
    """Tables of copies by mass and of definitions, of a few made-up samples."""
    radii, marks = [0.02, 0.05, 0.5], ["", "inner", "outer"]
    ball = {"train": 0, "lid_data": 1, "radius": radii, "mark": marks, "samples": 1000}
    balls = [
        pd.DataFrame({"place": place, **ball, "inside": inside, "mass": [0.001, 0.003, 0.03]})
        for place, inside in (("isolated", [0, 20, 21]), ("arc", [1, 3, 30]))
    ]
    sizes = {"n": [2, 9], "sets": 50}
    duplicates = [
        pd.DataFrame({"law": law, **sizes, "with_duplicates": found, "elsewhere": 0, "exact": exact})
        for law, found, exact in (("with atom", [5, 40], [0.09, 0.8]), ("without atom", [0, 0], [0.0, 0.0]))
    ]
    columns = [
        "definition",
        "compared_with",
        "statistic",
        "group",
        "limit",
        "n",
        "count",
        "value",
        "low",
        "high",
    ]
    rows = [
        ("LID (flipd)", "", "share found", "exact", 15.0, 9, 8, 0.9, 0.5, 1.0),
        ("AuthPct", "all", "share found", "exact", 1.0, 9, 0, 0.0, 0.0, 0.3),
        ("AuthPct", "all", "share found", "not_memorized", 1.0, 20, 10, 0.5, 0.3, 0.7),
        ("AuthPct", "all", "AUC", "exact", 1.0, 29, None, 0.2, 0.1, 0.4),
        ("Meehan et al.", "law", "C_T", "all", None, 29, None, -3.0, -4.0, -2.0),
    ]
    found = pd.DataFrame(rows, columns=columns).assign(n_clusters=3)
    return {"balls": pd.concat(balls), "duplicates": pd.concat(duplicates), "definitions": found}


def swept(labels):
    """A sweep over made-up spectra, in which samples 0..99 have the more small values the more they are copies."""
    from mmh.evaluation.percentiles import sweep

    rng = np.random.default_rng(0)
    table = read_table(labels, LABELS).query("sample < 100").rename(columns={"train": "cluster"})
    scale = np.where(table["label"] == "not_memorized", 1.0, 0.5)[:, None]
    spectra = -np.sort(-scale * rng.uniform(0.1, 4.0, size=(len(table), 16)), axis=1)
    options = {"estimator": "nb", "side": "below", "percentiles": [10, 50, 90]}
    return sweep(spectra, table["sample"].to_numpy(), table, **options)


def cut(paths):
    """AUCs at some cuts, of made-up distances that are the larger the less a sample is a copy."""
    from mmh.evaluation.cuts import Planted

    rng = np.random.default_rng(0)
    found = read_table(paths["labels"], LABELS)
    near = found["label"].isin(["exact", "reconstructive"])
    close = np.where(found["label"] == "reconstructive", "reconstructive", "exact")
    distance = rng.gamma(4.0, np.where(near, 0.1, 0.6))
    world = Planted(
        read_table(paths["scores"], ALL_SCORES),
        read_table(paths["matches"], MATCHES),
        read_table(paths["groups"], TRAIN),
        found[["sample", "train"]].assign(close=close, distance=distance, gap=np.nan),
        exact_distance=0.8,
        not_distance=1.2,
        estimators=["flipd", "nb", "lpca", "flipd_residual"],
        baselines=["png"],
        exclude=range(COMMON["calibration"]),
    )
    return world.vary_cuts([[0.3, 0.3], [0.5, 0.5], [1.0, 1.0], [2.0, 2.0], [0.5, 2.0]])


def script(name):
    return importlib.import_module(name)


def draw_unlabelled(name, tables, folder, **changed):
    colours = {key.removeprefix("colour_"): path for key, path in tables.items() if key.startswith("colour_")}
    return draw(name, colours, folder, calibration=0, **{**UNLABELLED[name], **changed})


def draw(name, tables, folder, **changed):
    inputs, options = FIGURES[name]
    outputs = [folder / f"{name}.{suffix}" for suffix in ("pdf", "png", "csv")]
    about = {**COMMON, "more": MORE.get(name, {})}
    about |= {key: changed.pop(key) for key in ("calibration", "names") if key in changed}
    draw_figure(name, [tables[key] for key in inputs], outputs, {**options, **changed}, about)
    return outputs


def test_a_score_in_another_unit_has_its_own_axis_and_no_number_of_the_paper(tables, tmp_path, monkeypatch):
    from mmh.plotting import style

    drawn = []
    monkeypatch.setattr(style, "save", lambda fig, *paths: drawn.append(fig))
    monkeypatch.setitem(MORE, "lid_model", {"number": "5c", "axes": {"flipd": "bits"}})
    draw("lid_model", tables, tmp_path)
    labels = {ax.get_title(): ax.get_xlabel() for ax in drawn[0].axes}
    assert "bits" in labels.values()
    assert any("dimensions" in label for label in labels.values())
    assert "5c" not in drawn[0].get_suptitle()


@pytest.fixture(scope="module")
def other_process(tables, tmp_path_factory):
    """Draw all figures in a process of its own, which must not load torch."""
    folder = tmp_path_factory.mktemp("other")
    (folder / "unlabelled").mkdir()
    paths = {k: [str(p) for p in v] if isinstance(v, list) else str(v) for k, v in tables.items()}
    code = (
        "import sys, importlib, pathlib\n"
        f"sys.path[:0] = [{str(SCRIPTS)!r}, {str(Path(__file__).parent)!r}]\n"
        "from mmh.figures.base import FIGURES as ROWS\n"
        f"assert set({sorted(FIGURES)!r}) < set(ROWS.rows())\n"
        "assert 'numpy' not in sys.modules, 'numpy is imported before the thread counts are set'\n"
        "from test_figures import FIGURES, UNLABELLED, draw, draw_unlabelled\n"
        "for name in FIGURES:\n"
        f"    draw(name, {paths!r}, pathlib.Path({str(folder)!r}))\n"
        "for name in UNLABELLED:\n"
        f"    draw_unlabelled(name, {paths!r}, pathlib.Path({str(folder / 'unlabelled')!r}))\n"
        "assert 'torch' not in sys.modules, 'torch is imported'\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.mark.parametrize("name", FIGURES)
def test_files_and_bytes(name, tables, other_process, tmp_path):
    outputs = draw(name, tables, tmp_path)
    for path in outputs:
        assert path.read_bytes() == (other_process / path.name).read_bytes()
    pdf, png, csv = outputs
    assert pdf.read_bytes().startswith(b"%PDF")
    assert not re.search(rb"CreationDate|/Producer|/Creator", pdf.read_bytes())
    picture = matplotlib.image.imread(png)
    assert picture.shape[1] in (660, 1350)  # one text column or the full block at 200 dpi
    assert picture[..., :3].std() > 0.02
    assert len(pd.read_csv(csv)) > 0


@pytest.mark.parametrize("name", UNLABELLED)
def test_unlabelled_files_and_bytes(name, tables, other_process, tmp_path):
    outputs = draw_unlabelled(name, tables, tmp_path)
    for path in outputs:
        assert path.read_bytes() == (other_process / "unlabelled" / path.name).read_bytes()
    assert outputs[0].read_bytes().startswith(b"%PDF")
    assert matplotlib.image.imread(outputs[1])[..., :3].std() > 0.02
    numbers = pd.read_csv(outputs[2])
    assert set(numbers["note"]) == {"unlabelled: groups are ranks, not judgements"}
    assert "label" not in numbers
    assert not set(numbers["group"]) & {"exact", "reconstructive", "not_memorized"}


@pytest.mark.parametrize("name", UNLABELLED)
def test_candidates_change_nothing_where_there_are_labels(name, tables, other_process, tmp_path):
    listed = {**tables, "candidates": tables["colour_candidates"]}
    for path in draw(name, listed, tmp_path):
        assert path.read_bytes() == (other_process / path.name).read_bytes()


def test_neither_labels_nor_candidates(tables, tmp_path):
    bare = {**tables, "colour_candidates": []}
    with pytest.raises(InputError, match=r"labels.parquet: nobody has labelled .* section `candidates`"):
        draw_unlabelled("lid_model", bare, tmp_path)


def lists(tables):
    """Samples of both lists, from the matches alone."""
    first = read_table(tables["colour_matches"], MATCHES).query("rank == 1")
    return {
        m: set(first[first["metric"] == m].nsmallest(TOP, "score")["sample"])
        for m in first["metric"].unique()
    }


def test_unlabelled_densities_count_a_candidate_once(tables, other_process):
    numbers = pd.read_csv(other_process / "unlabelled" / "lid_model.csv")
    scores = read_table(tables["colour_scores"], ALL_SCORES).query("estimator == 'jacobian'")
    assert not numbers["item"].duplicated().any()
    assert set(numbers["item"]) == set(scores["item"])  # all that have a score, and no other
    np.testing.assert_array_equal(
        numbers.set_index("item")["value"], scores.set_index("item")["value"].reindex(numbers["item"])
    )
    either = set.union(*lists(tables).values())
    assert set(numbers.loc[numbers["group"] == "candidates", "item"]) == either & set(scores["item"])


def test_unlabelled_complexity_is_per_thousand_bits(tables, other_process):
    numbers = pd.read_csv(other_process / "unlabelled" / "lid_complexity.csv")
    scores = read_table(tables["colour_scores"], ALL_SCORES).query("estimator == 'jacobian_png'")
    wanted = 1000 * scores.set_index("item")["value"].reindex(numbers["item"])
    np.testing.assert_allclose(numbers["value"], wanted, rtol=1e-12)


def test_unlabelled_data_lid_is_that_of_the_matches(tables, other_process):
    numbers = pd.read_csv(other_process / "unlabelled" / "lid_data.csv")
    first = read_table(tables["colour_matches"], MATCHES).set_index(["metric", "sample"])["train"]
    found = lists(tables)
    near = {first["calibrated_l2", s] for s in found["calibrated_l2"]}
    near |= {first["sscd", s] for s in found["sscd"] - found["calibrated_l2"]}
    mine = numbers[numbers["group"] == "candidates"]
    assert set(mine["item"]) == near
    assert mine["samples"].sum() == len(set.union(*found.values()))
    assert numbers["samples"].sum() == 240


def test_unlabelled_pairs_are_both_lists_and_what_comes_next(tables, other_process):
    numbers = pd.read_csv(other_process / "unlabelled" / "memorized_pairs.csv")
    first = read_table(tables["colour_matches"], MATCHES).query("rank == 1")
    found = lists(tables)
    for metric in ("sscd", "calibrated_l2"):
        by_score = first[first["metric"] == metric].sort_values("score")
        mine = numbers[(numbers["group"] == metric)]
        assert mine["sample"].tolist() == by_score["sample"].head(30).tolist()
        assert mine["train"].tolist() == by_score["train"].head(30).tolist()
        assert mine["place"].tolist() == list(range(1, 31))
        rest = by_score[~by_score["sample"].isin(set.union(*found.values()))]
        mine = numbers[(numbers["group"] == "others") & (numbers["metric"] == metric)]
        assert mine["sample"].tolist() == rest["sample"].head(30).tolist()
    both = numbers[numbers["group"] != "others"].groupby("sample").size()
    assert both.max() == 2


def test_unlabelled_examples_have_scores_and_the_lowest_others(tables, other_process):
    numbers = pd.read_csv(other_process / "unlabelled" / "examples.csv")
    scores = read_table(tables["colour_scores"], ALL_SCORES).query("estimator == 'jacobian'")
    found = lists(tables)
    for metric, samples in found.items():
        mine = numbers[numbers["group"] == metric]
        assert len(mine) == 8
        assert set(mine["item"]) <= samples & set(scores["item"])
    rest = scores[~scores["item"].isin(set.union(*found.values()))]
    others = numbers[numbers["group"] == "others"]
    assert others["value"].tolist() == sorted(rest["value"])[:8]


def test_colour_images_are_drawn_in_their_colours(tables, other_process):
    for name in ("examples", "memorized_pairs"):
        png, csv = (other_process / "unlabelled" / f"{name}.{suffix}" for suffix in ("png", "csv"))
        picture = (matplotlib.image.imread(png)[..., :3] * 255).round().astype(int)
        drawn = {tuple(row) for row in np.unique(picture.reshape(-1, 3), axis=0)}
        shards = np.load(tables["colour_shards"][0])
        item = pd.read_csv(csv)["item" if name == "examples" else "sample"]
        for value in shards["x"][item.to_numpy(), :, 0, 0]:
            # 1.5 is clipped to white, not wrapped around.
            assert tuple(np.where(value > 0, 255, 0)) in drawn


def test_pairs_of_one_experiment_fill_pages(tables, tmp_path):
    pdf, png, csv = draw_unlabelled("memorized_pairs", tables, tmp_path, per_class=240)
    numbers = pd.read_csv(csv)
    # 40 + 40 candidates; 60 samples are in a list, so 180 others by each distance.
    assert len(numbers) == 2 * TOP + 2 * (240 - TOP - TOP // 2)
    pages = len(re.findall(rb"/Type /Page\b", pdf.read_bytes()))
    boxes = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", pdf.read_bytes())
    assert pages == len(boxes) == 2
    assert all(float(height) <= 72 * 11 for _, height in boxes)
    assert matplotlib.image.imread(png).shape[0] > 200 * 11


def test_lid_model_plots_the_scores(tables, tmp_path):
    numbers = pd.read_csv(draw("lid_model", tables, tmp_path)[2])
    scores = read_table(tables["scores"], ALL_SCORES)
    drawn = (scores["items"] == "samples") & scores["estimator"].isin(["nb", "flipd"])
    wanted = scores[drawn].set_index(["estimator", "item"])["value"]
    found = numbers.set_index(["estimator", "item"])["value"]
    np.testing.assert_array_equal(found, wanted.reindex(found.index))
    assert numbers["item"].min() >= COMMON["calibration"]
    assert set(numbers["label"]) == {"exact", "reconstructive", "not_memorized"}


def test_ratios_are_per_thousand_bits_and_residuals_as_they_are(tables, tmp_path):
    numbers = pd.read_csv(draw("lid_complexity", tables, tmp_path)[2])
    scores = read_table(tables["scores"], ALL_SCORES)
    for name, factor in (("nb_png", 1000), ("flipd_residual", 1)):
        one = numbers[numbers["estimator"] == name].iloc[0]
        rows = scores[(scores["item"] == one["item"]) & (scores["items"] == "samples")].set_index("estimator")
        assert one["value"] == pytest.approx(factor * rows.loc[name, "value"], rel=1e-12)


def test_a_residual_has_an_axis_of_its_own_beside_ratios(tables, tmp_path, monkeypatch):
    from mmh.plotting import style

    drawn = []
    monkeypatch.setattr(style, "save", lambda fig, *paths: drawn.append(fig))
    draw("lid_complexity", tables, tmp_path)
    axes = [ax.get_xlabel() for ax in drawn[0].axes]
    assert any("per 1000 bits" in label for label in axes)
    assert "residual (dimensions)" in axes
    assert "8a" in drawn[0].get_suptitle()


def test_curve_uses_calibration_samples_only(tables, tmp_path):
    numbers = pd.read_csv(draw("flipd_curve", tables, tmp_path)[2])
    flipd = numbers[(numbers["quantity"] == "flipd") & (numbers["t"] == 0.1)]
    assert flipd["n"].sum() <= COMMON["calibration"]
    assert set(numbers.loc[numbers["quantity"] == "auc", "label"]) == {"exact", "reconstructive"}


def test_paired_plots_its_table(tables, tmp_path):
    numbers = pd.read_csv(draw("lid_paired", tables, tmp_path)[2])
    pd.testing.assert_frame_equal(numbers, pd.read_csv(tables["paired"]))


def test_paired_names_its_estimators_and_counts_by_its_margin(tables, tmp_path, monkeypatch):
    from mmh.plotting import style

    figures, save = [], style.save
    monkeypatch.setattr(style, "save", lambda fig, *paths: (figures.append(fig), save(fig, *paths)))
    for options in ({}, {"margin": 20}):
        outputs = [tmp_path / f"x.{suffix}" for suffix in ("pdf", "png", "csv")]
        draw_figure("lid_paired", [tables["paired"]], outputs, options, {"more": MORE["lid_paired"]})
        pd.testing.assert_frame_equal(pd.read_csv(outputs[2]), pd.read_csv(tables["paired"]))
    values = pd.read_csv(tables["paired"])
    seen = []
    for fig, margin in zip(figures, (0, 20), strict=True):
        right = fig.axes[1]
        seen.append((right.get_xlabel().split("$")[-1], right.get_ylabel().split("$")[-1]))
        # The share in the legend is that of the images that fall short by the margin, 0 where none is given.
        shares = [re.search(r": (\d+) %", text.get_text())[1] for text in right.get_legend().get_texts()]
        short = [
            (values[f"lid_{name}"] + margin < values["lid_data"]).mean() for name in ("control", "model")
        ]
        assert shares == [f"{100 * share:.0f}" for share in short]
    assert seen == [(", LPCA (dimensions)", ", FLIPD (dimensions)")] * 2


def test_cartoon_measures_the_planted_dimensions(tables):
    marked = read_table(tables["cartoon"], CARTOON).query("kind == 'marked'")
    first = marked.drop_duplicates("panel").set_index("panel")
    model = {"a": 0, "b": 1, "c": 2, "d": 0, "e": 1}
    truth = {"a": 2, "b": 2, "c": 2, "d": 0, "e": 1, "f": 2}
    for panel, lid in model.items():
        assert first.loc[panel, "lid_model"] == pytest.approx(lid, abs=0.1)
    for panel, lid in truth.items():
        assert first.loc[panel, "lid_data"] == pytest.approx(lid, abs=0.1)
    assert np.isnan(first.loc["f", "lid_model"])
    assert marked["lid_model"].iloc[-1] == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("label", ["exact", "not_memorized"])
def test_one_label_alone(label, tables, tmp_path):
    """Worlds without copies, or with nothing else, still get their figures."""
    from mmh.io.table_files import write_table
    from mmh.io.tables import LABELS

    labels = read_table(tables["labels"], LABELS)
    path = tmp_path / "labels.parquet"
    write_table(labels[labels["label"] == label], path, LABELS)
    for name in ("lid_data", "examples", "memorized_pairs", "flipd_curve", "auc_by_image"):
        draw(name, {**tables, "labels": path}, tmp_path)
    assert pd.read_csv(tmp_path / "auc_by_image.csv").empty  # one class has no AUC


def test_cuts_are_drawn_as_they_are_tabled(tables, tmp_path):
    """The CSV is the table; a panel per score, a line per contrast, and the configured cuts are marked."""
    from mmh.plotting import cuts

    table = pd.read_csv(tables["cuts"])
    pd.testing.assert_frame_equal(pd.read_csv(draw("auc_by_cut", tables, tmp_path)[2]), table)
    fig = cuts.cut_figure(table, {"flipd": "FLIPD"}, "")
    panels = {ax.get_title(): ax for ax in fig.axes if ax.get_title()}
    assert list(panels) == ["FLIPD", "nb", "lpca (of the match)", "flipd_residual", "png"]
    rows = table.query("estimator == 'nb' and contrast == 'exact'")
    one = rows[rows["exact_distance"] == rows["not_distance"]]
    lines = [line.get_xydata() for line in panels["nb"].lines]
    assert any(np.array_equal(line, one[["exact_distance", "auc"]]) for line in lines if len(line) == 4)
    gap = rows.query("exact_distance == 0.5 and not_distance == 2").iloc[0]
    assert any(np.array_equal(line, [[0.5, gap.auc], [2.0, gap.auc]]) for line in lines)
    assert [line[0, 0] for line in lines if np.array_equal(line[:, 1], [0, 1])] == [0.8, 1.2]
    plt.close(fig)


def test_images_stand_in_the_order_of_their_auc(tables, tmp_path):
    from mmh.plotting import by_image

    numbers = pd.read_csv(draw("auc_by_image", tables, tmp_path)[2])
    assert list(numbers["estimator"].unique()) == ["flipd", "nb"]
    first = numbers[numbers["estimator"] == "flipd"].assign(auc=np.linspace(0.4, 1.0, len(numbers) // 2))
    table = pd.concat([first, numbers[numbers["estimator"] == "nb"]])
    drawn = by_image.drawn(table, 5)
    most = first["n_positive"].nlargest(5, keep="all")
    assert drawn["n_positive"].isin(most).all()
    areas = first.set_index("cluster")["auc"].reindex(drawn["cluster"])
    assert areas.is_monotonic_decreasing
    # The lines across are the AUCs of all copies of a kind together.
    labels = read_table(tables["labels"], LABELS).set_index("sample")["label"]
    scores = read_table(tables["scores"], ALL_SCORES).query("items == 'samples' and estimator == 'nb'")
    kept = scores[scores["item"] >= COMMON["calibration"]].set_index("item")["value"]
    exact, other = (kept[labels.reindex(kept.index) == name] for name in ("exact", "not_memorized"))
    pairs = exact.to_numpy()[:, None] - other.to_numpy()
    mine = numbers.query("estimator == 'nb' and label == 'exact'")
    fig = by_image.image_figure(numbers, drawn, np.zeros((5, 1, 8, 8)), ["flipd", "nb"], {}, "")
    lines = [line.get_xdata() for line in fig.axes[1].lines if len(set(line.get_xdata())) == 1]
    together = ((pairs < 0) + 0.5 * (pairs == 0)).mean()
    assert np.average(mine["auc"], weights=mine["n_positive"]) == pytest.approx(together)
    assert any(line[0] == pytest.approx(together) and len(line) == 2 for line in lines)
    assert [text.get_text() for text in fig.axes[0].get_yticklabels()] == [
        str(n) for n in drawn["n_positive"]
    ]
    plt.close(fig)
