"""Eigenvalues by group and detection step by step: plotted numbers against counts by hand, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from text_tables import SETS, prompt_scores

from figure_tables import draw_figure
from mmh.detection.by_step import Statistic, areas_by_step, metric_by_step, prompt_statistics
from mmh.errors import InputError
from mmh.figures.base import FIGURES
from mmh.io.arrays import write_arrays
from mmh.io.table_files import write_table
from mmh.io.tables import LABELS, MATCHES, TRAIN
from mmh.options.entries import Entry
from mmh.plotting.sharpness import by_step, eigenvalues
from mmh.stats.curves import auc

PAIR = ["memorized", "control"]
ANCHOR = {"metric": "cfg_norm", "generations": 1, "auc": 0.976, "model": "another model", "source": "a paper"}


def spectra_file(folder, items, name, values, sigma):
    path = folder / "spectra" / items / name / "000000-000099.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_arrays(path, spectrum=-np.sort(-values, axis=1), id=np.arange(len(values)), sigma=np.array([sigma]))
    return path


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Prompts with their scores, image sets, and what words alone tell."""
    folder, rng = tmp_path_factory.mktemp("tables"), np.random.default_rng(0)
    paths = {name: folder / f"{name}.parquet" for name in ("prompts", *SETS)}
    parts = []
    for place, (name, n) in enumerate(SETS.items()):
        item = np.arange(n)
        texts = [f"{name} {k}" for k in item]
        of = pd.DataFrame({"prompt_set": name, "prompt": item, "text": texts, "family": 1000 * place + item})
        parts.append(of.assign(train=pd.array(item, dtype="Int64")))
        images = pd.DataFrame({"item": item, "caption": texts, "family": item, "source": "s"})
        images.to_parquet(paths[name])
    pd.concat(parts, ignore_index=True).to_parquet(paths["prompts"])
    paths["prompt_scores"] = [folder / f"scores-{name}.parquet" for name in PAIR]
    for name, path in zip(PAIR, paths["prompt_scores"], strict=True):
        prompt_scores(name, SETS[name], rng).to_parquet(path)
    row = {"estimator": "text_ngrams", "contrast": "prompts:memorized-control", "n_positive": 60}
    row |= {"n_negative": 60, "n_clusters": 60, "unit": "family", "auc": 0.5, "auc_low": 0.4, "auc_high": 0.6}
    other = {**row, "contrast": "memorized-control", "auc": 0.9}  # of images
    paths["evaluation"] = folder / "evaluation.csv"
    pd.DataFrame([other, row]).to_csv(paths["evaluation"], index=False)
    return paths


@pytest.fixture(scope="module")
def spectra(tables, tmp_path_factory):
    """Two sets at two levels: values, plotted numbers, files."""
    folder, rng = tmp_path_factory.mktemp("drawn"), np.random.default_rng(0)
    values = {
        (level, name): 1 + 0.2 * rng.normal(size=(SETS[name], 5)) - 0.2 * (name == "control")
        for level in ("first", "last")
        for name in PAIR
    }
    sigma = {"first": 0.9, "last": 0.2}
    files = {
        level: [spectra_file(folder, name, f"at_{level}", values[level, name], sigma[level]) for name in PAIR]
        for level in sigma
    }
    out = [folder / f"spectra.{suffix}" for suffix in ("pdf", "png", "csv")]
    inputs = [files["first"], files["last"], [tables[name] for name in PAIR], None, None, [], None]
    options = {"first": "at_first", "last": "at_last", "sets": PAIR}
    draw_figure("spectra", inputs, out, options, {"experiment": "e", "more": {"first": 0.98, "last": 0.04}})
    return values, pd.read_csv(out[2]), out


@pytest.fixture(scope="module")
def scores(tables):
    return pd.concat(map(pd.read_parquet, tables["prompt_scores"]), ignore_index=True)


@pytest.fixture(scope="module")
def prompts(tables):
    return pd.read_parquet(tables["prompts"])


class TestSpectra:
    def test_every_eigenvalue_is_in_one_bin(self, spectra):
        values, table, out = spectra
        bins = table[table["kind"] == "histogram"]
        for (place, label), rows in bins.groupby(["place", "label"]):
            mine = -values["first" if place == "high noise" else "last", label].ravel()
            assert rows["count"].sum() == len(mine)
            for row in rows.itertuples():
                assert row.count == ((mine >= row.low) & (mine < row.high)).sum()
            np.testing.assert_allclose(rows["lambda_low"], rows["low"] / rows["sigma"] ** 2)
            assert np.abs(rows["low"] + 1).min() < 1e-12  # the line is the edge of a bin
        assert all(path.stat().st_size > 3000 for path in out)

    def test_the_share_beyond_the_line_is_counted_over_families(self, spectra):
        values, table, _ = spectra
        shares = table[table["kind"] == "share"].set_index(["place", "label"])
        assert len(shares) == 4
        for (place, label), row in shares.iterrows():
            mine = values["first" if place == "high noise" else "last", label]
            hit = mine > 1 + 1e-4
            assert (row["beyond"], row["eigenvalues"], row["images"]) == (hit.sum(), hit.size, len(mine))
            assert row["n_clusters"] == 60
            assert row["share_low"] < row["share"] < row["share_high"]
            assert row["lambda_line"] == pytest.approx(-1 / row["sigma"] ** 2)

    def test_images_that_are_alike_widen_the_interval(self):
        values = np.repeat(1 + 0.2 * np.random.default_rng(0).normal(size=(40, 8)), 2, axis=0)
        widths = []
        for cluster in (np.arange(80), np.arange(80) // 2):
            items = pd.DataFrame({"label": "a", "cluster": cluster})
            level = eigenvalues.Level("here", "e", 0.1, 0.5, items, values)
            row = eigenvalues.shares_beyond(level, ["a"], "family").iloc[0]
            widths.append(row["share_high"] - row["share_low"])
        assert widths[1] > 1.2 * widths[0]

    def test_samples_are_shown_by_label_without_those_that_calibrated(self, tmp_path):
        n, rng = 40, np.random.default_rng(1)
        label = np.where(np.arange(n) % 2, "exact", "not_memorized")
        labels = pd.DataFrame({"sample": np.arange(n), "train": np.arange(n) % 10, "label": label})
        matches = labels[["sample", "train"]].assign(metric="calibrated_l2", rank=1, distance=0.1, score=0.1)
        train = pd.DataFrame(
            {"train": np.arange(10), "source": 0, "population": "p", "group": 0, "copies": 1}
        )
        files = {}
        for name, table, contract in (
            ("labels", labels.assign(raters=1, source="planted"), LABELS),
            ("matches", matches.astype({"rank": "int32"}), MATCHES),
            ("train", train.assign(group=np.arange(10)), TRAIN),
        ):
            files[name] = tmp_path / f"{name}.parquet"
            write_table(table[list(contract.columns)], files[name], contract)
        found = [spectra_file(tmp_path, "selected", name, rng.normal(size=(n, 3)), 0.5) for name in "ab"]
        out = [tmp_path / f"spectra.{suffix}" for suffix in ("pdf", "png", "csv")]
        inputs = [[found[0]], [found[1]], [], files["labels"], files["matches"], [], files["train"]]
        about = {"experiment": "e", "calibration": 10, "more": {"first": 0.9, "last": 0.1}}
        draw_figure("spectra", inputs, out, {"first": "a", "last": "b"}, about)
        shares = pd.read_csv(out[2]).query("kind == 'share'")
        assert shares["images"].tolist() == [15] * 4
        assert set(shares["label"]) == {"exact", "not_memorized"}
        assert set(shares["unit"]) == {"matched group"}
        assert shares["n_clusters"].tolist() == [5] * 4

    def test_what_has_no_eigenvalues_is_refused(self):
        estimators = {
            "flipd": {"method": "flipd", "items": ["a"]},
            "e": {"method": "eigenvalues", "items": ["a"]},
        }
        entry = Entry(
            {"experiments": {"x": {"estimators": estimators, "image_sets": {"a": {}, "b": {}}}}}, "x"
        )
        row = FIGURES["spectra"]
        found = list(row.check(row.Options(first="flipd", last="e", sets=["a", "b"]), entry, "w"))
        assert found[0] == "w.first: 'flipd' is of the method 'flipd'; name one of 'eigenvalues'"
        assert found[1].startswith("w.last: 'e' is not computed on 'b'")
        found = list(row.check(row.Options(first="e", last="e"), entry, "w"))
        assert found[0].startswith("w.first: 'e' is not of samples; name image sets under w.sets")
        assert found[-1].startswith("w.sets: missing, as there are no labels")


class TestByStep:
    def test_an_area_is_that_of_the_mean_over_generations_at_the_step(self, prompts, scores):
        table = areas_by_step(prompts, scores, PAIR, ["cfg_norm", "flipd"], [1, 3])
        assert table.groupby("metric")["step"].apply(lambda s: sorted(set(s))).to_dict() == {
            "cfg_norm": list(range(1, 11)),
            "flipd": [9, 10],  # the steps that it sees
        }
        for row in table.itertuples():
            mine = scores[(scores["metric"] == row.metric) & (scores["step"] == row.step - 1)]
            mine = mine[(mine["generation"] < row.generations) & np.isclose(mine["t"], row.t)]
            means = mine.groupby(["prompt_set", "prompt"])["value"].mean()
            sign = 1 if row.metric == "cfg_norm" else -1
            values = sign * np.concatenate([means[name].to_numpy() for name in PAIR])
            assert row.auc == pytest.approx(auc(values, np.arange(120) < 60))
            assert row.auc_low < row.auc < row.auc_high
            assert (row.n_positive, row.n_negative, row.n_clusters, row.unit) == (60, 60, 60, "family")

    def test_a_statistic_is_of_one_step_or_of_all(self, prompts, scores):
        one, every = Statistic("cfg_norm", 4, 2), Statistic("cfg_norm", None, 2)
        table = prompt_statistics(prompts.sample(frac=1, random_state=0), scores, ["control"], [one, every])
        found = metric_by_step(scores, "cfg_norm", 2)
        own = found.prompts.get_level_values(0) == "control"
        assert set(table["items"]) == {"control"}
        ordered = table.sort_values("family")
        np.testing.assert_allclose(ordered[one.said], found.values[own][:, 3])
        np.testing.assert_allclose(ordered[every.said], found.values[own].mean(axis=1))

    def test_what_is_not_there_is_named(self, prompts, scores):
        with pytest.raises(InputError, match="'flipd' is not taken at step 1, but at 9, 10"):
            prompt_statistics(prompts, scores, PAIR, [Statistic("flipd", 1, 1)])
        with pytest.raises(InputError, match="9 generations asked for, 'cfg_norm' has 4"):
            metric_by_step(scores, "cfg_norm", 9)
        with pytest.raises(InputError, match="prompt set 'laion' is unknown; there are memorized"):
            prompt_statistics(prompts, scores, ["laion"], [Statistic("cfg_norm", 1, 1)])
        with pytest.raises(InputError, match="prompt 0 of 'generic' lacks scores"):
            prompt_statistics(prompts, scores, ["generic"], [Statistic("cfg_norm", 1, 1)])
        with pytest.raises(InputError, match=r"metrics.all: at most 7 metrics can be told apart"):
            by_step.check_metrics({"all": [f"m{k}" for k in range(8)]})

    def test_the_table_holds_every_plotted_number(self, tables, tmp_path):
        out = [tmp_path / f"sharpness_detection.{suffix}" for suffix in ("pdf", "png", "csv")]
        options = {
            "pair": PAIR,
            "metrics": {"CFG vector": ["cfg_norm"], "guided score": ["flipd"]},
            "generations": [1, 4],
            "anchors": [ANCHOR, {**ANCHOR, "auc": 0.941, "rerun": True}],
        }
        inputs = [tables[key] for key in ("evaluation", "prompts", "prompt_scores")]
        draw_figure("sharpness_detection", inputs, out, options, {"experiment": "e"})
        table = pd.read_csv(out[2])
        assert table["kind"].value_counts().to_dict() == {"auc": 2 * (10 + 2), "anchor": 2, "text": 1}
        areas = table[table["kind"] == "auc"]
        assert areas.groupby("metric")["branch"].first().to_dict() == {
            "cfg_norm": "CFG vector",
            "flipd": "guided score",
        }
        text = table[table["kind"] == "text"].iloc[0]
        assert text["auc"] == 0.5
        marks = table[table["kind"] == "anchor"]
        assert marks[["auc", "step", "model"]].to_numpy().tolist() == [
            [0.976, 1, "another model"],
            [0.941, 1, "another model"],
        ]
        assert all(path.stat().st_size > 3000 for path in out)

    def test_options_that_do_not_fit_the_experiment(self):
        entry = Entry(
            {"experiments": {"x": {"prompts": {"generations": 2, "metrics": ["cfg_norm"]}, "detection": {}}}},
            "x",
        )
        row = FIGURES["sharpness_detection"]
        options = row.Options(pair=PAIR, metrics={"a": ["flipd"]}, generations=[1, 4], anchors=[ANCHOR])
        found = list(row.check(options, entry, "w"))
        assert found == [
            "w.metrics: 'flipd', but prompts.metrics has no 'flipd'",
            "w.generations: 4, but prompts.generations is 2",
            "w.pair: ['memorized', 'control'] is not among detection.prompts.pairs",
            "w.anchors: 'cfg_norm' with 1 generations is not drawn; add it to metrics and generations",
        ]
