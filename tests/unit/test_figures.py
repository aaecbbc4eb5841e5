"""Every figure script on small tables: files, plotted numbers, identical bytes, no torch."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from figure_tables import digits, pair_of_models, plane
from mmh.io import read_table

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
COMMON = {"experiment": "digits", "calibration": 60}
FIGURES = {
    "lid_model": (("scores", "labels", "matches"), {"estimators": ["nb", "flipd"]}),
    "lid_complexity": (("scores", "labels", "matches"), {"estimators": ["nb_png", "flipd_png"]}),
    "lid_data": (("scores", "labels", "matches"), {"estimator": "lpca"}),
    "examples": (("scores", "labels", "matches", "shards", "train"), {"estimator": "flipd", "columns": 8}),
    "memorized_pairs": (("labels", "matches", "shards", "train"), {"per_class": 25}),
    "flipd_curve": (("scores", "labels", "matches"), {"estimator": "flipd_curve", "chosen": "flipd"}),
    "lid_paired": (("paired",), {"estimator": "flipd", "data_estimator": "lpca"}),
    "lid_scatter": (("plane_scores", "plane_samples", "plane_train"), {"estimator": "flipd", "shown": 100}),
    "mmh_cartoon": (("cartoon",), {}),
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    (folder / "plane").mkdir()
    paths = digits(folder, n=300, calibration=60)
    paths["shards"] = [paths.pop("first"), paths.pop("second")]
    paths |= pair_of_models(folder)
    paths |= {f"plane_{name}": path for name, path in plane(folder / "plane", n=400).items()}
    paths["cartoon"] = folder / "cartoon.parquet"
    script("compute_cartoon").main(paths["cartoon"], seed=0)
    return paths


def script(name):
    return importlib.import_module(name)


def draw(name, tables, folder, **changed):
    inputs, options = FIGURES[name]
    outputs = [folder / f"{name}.{suffix}" for suffix in ("pdf", "png", "csv")]
    script(f"figure_{name}").main(
        *(tables[key] for key in inputs), *outputs, options={**COMMON, **options, **changed}
    )
    return outputs


@pytest.fixture(scope="module")
def other_process(tables, tmp_path_factory):
    """Draw all figures in a process of its own, which must not load torch."""
    folder = tmp_path_factory.mktemp("other")
    paths = {k: [str(p) for p in v] if isinstance(v, list) else str(v) for k, v in tables.items()}
    code = (
        "import sys, importlib, pathlib\n"
        f"sys.path[:0] = [{str(SCRIPTS)!r}, {str(Path(__file__).parent)!r}]\n"
        f"for name in {sorted(FIGURES)!r}:\n"
        "    importlib.import_module('figure_' + name)\n"
        "assert 'numpy' not in sys.modules, 'numpy is imported before the thread counts are set'\n"
        "from test_figures import FIGURES, draw\n"
        "for name in FIGURES:\n"
        f"    draw(name, {paths!r}, pathlib.Path({str(folder)!r}))\n"
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


def test_lid_model_plots_the_scores(tables, tmp_path):
    numbers = pd.read_csv(draw("lid_model", tables, tmp_path)[2])
    scores = read_table(tables["scores"], "all_scores")
    drawn = (scores["items"] == "samples") & scores["estimator"].isin(["nb", "flipd"])
    wanted = scores[drawn].set_index(["estimator", "item"])["value"]
    found = numbers.set_index(["estimator", "item"])["value"]
    np.testing.assert_array_equal(found, wanted.reindex(found.index))
    assert numbers["item"].min() >= COMMON["calibration"]
    assert set(numbers["label"]) == {"exact", "reconstructive", "not_memorized"}


def test_complexity_is_per_thousand_bits(tables, tmp_path):
    numbers = pd.read_csv(draw("lid_complexity", tables, tmp_path)[2])
    scores = read_table(tables["scores"], "all_scores")
    one = numbers[numbers["estimator"] == "flipd_png"].iloc[0]
    rows = scores[(scores["item"] == one["item"]) & (scores["items"] == "samples")].set_index("estimator")
    assert one["value"] == pytest.approx(1000 * rows.loc["flipd_png", "value"], rel=1e-12)


def test_curve_uses_calibration_samples_only(tables, tmp_path):
    numbers = pd.read_csv(draw("flipd_curve", tables, tmp_path)[2])
    flipd = numbers[(numbers["quantity"] == "flipd") & (numbers["t"] == 0.1)]
    assert flipd["n"].sum() <= COMMON["calibration"]
    assert set(numbers.loc[numbers["quantity"] == "auc", "label"]) == {"exact", "reconstructive"}


def test_paired_plots_its_table(tables, tmp_path):
    numbers = pd.read_csv(draw("lid_paired", tables, tmp_path)[2])
    pd.testing.assert_frame_equal(numbers, pd.read_csv(tables["paired"]))


def test_paired_without_estimator_names(tables, tmp_path):
    script("figure_lid_paired").main(
        tables["paired"], *(tmp_path / f"x.{s}" for s in ("pdf", "png", "csv")), options={}
    )
    assert (tmp_path / "x.pdf").stat().st_size > 1000


def test_cartoon_measures_the_planted_dimensions(tables):
    marked = read_table(tables["cartoon"], "cartoon").query("kind == 'marked'")
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
    from mmh.io import write_table

    labels = read_table(tables["labels"], "labels")
    path = tmp_path / "labels.parquet"
    write_table(labels[labels["label"] == label], path, "labels")
    for name in ("lid_data", "examples", "memorized_pairs", "flipd_curve"):
        draw(name, {**tables, "labels": path}, tmp_path)
