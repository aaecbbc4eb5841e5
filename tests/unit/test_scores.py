"""Rows of estimators: what is asked of each, and that the frame does the rest for one in a file of its own."""

from pathlib import Path
from types import SimpleNamespace

import gather_scores
import numpy as np
import pandas as pd
import pytest
import score_set
import score_span
import torch
import yaml

from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.evaluation.samples import oriented
from mmh.io import tables
from mmh.io.arrays import write_arrays
from mmh.io.table_files import read_table, write_table
from mmh.lid.normal_bundle import normal_bundle_groups, normal_bundle_spectrum
from mmh.options.entries import Entry
from mmh.plan.experiment import Experiment
from mmh.plan.plan import Plan
from mmh.plan.work import Work
from mmh.rows import Table, load_plugin
from mmh.scores import base
from mmh.scores.base import SCORES, printed_names
from mmh.scores.flipd import Flipd
from mmh.scores.score_norm import score_norms

# The example of `mmh.scores.base`, and one that a GAN or a text-to-image model could not have.
PLUGIN = base.__doc__.split("asks for:\n\n")[1].replace("\n    ", "\n").lstrip()
SPAN = "000002-000005"


@pytest.fixture
def contrast(tmp_path, monkeypatch):
    """The example, taken up as a plug-in in a table of its own."""
    table = Table(SCORES.what, SCORES.package, SCORES.base)
    monkeypatch.setattr(base, "SCORES", table)
    (tmp_path / "contrast.py").write_text(PLUGIN)
    assert load_plugin(tmp_path / "contrast.py", [table]) == {SCORES.what: ["contrast"]}
    return table["contrast"]


def quiet(total, unit="step"):
    return lambda done, **values: None


def test_an_estimator_in_one_file_gets_a_table_of_its_scores(contrast, tmp_path):
    x = np.random.default_rng(0).uniform(-1, 1, (8, 1, 4, 4)).astype(np.float32)
    write_arrays(tmp_path / "samples.npz", x=x, id=np.arange(8))
    record, out = {}, tmp_path / "scores.parquet"
    score_span.main(
        [tmp_path / "samples.npz"],
        [],
        [],
        out,
        method="contrast",
        span=SPAN,
        items="samples",
        estimator="mine",
        options={"power": 2.0},
        load={},
        seed=0,
        device="cpu",
        record=record,
        progress=quiet,
    )
    table = read_table(out, tables.SCORES)
    assert table["item"].tolist() == [2, 3, 4, 5]
    assert set(table["estimator"]) == {"mine"}
    np.testing.assert_allclose(table["value"], x[2:6].reshape(4, -1).var(axis=1), rtol=1e-5)
    assert table[["t", "index", "sigma", "stderr", "probes", "seed"]].isna().all(axis=None)
    numerics = {"method": "contrast", "dtype": "float32", "items": 4, "batch_size": 64, "non_finite": 0}
    assert record["numerics"] == numerics | {"attention": "none"}


def test_an_estimator_in_one_file_has_files_options_and_a_cost(contrast, monkeypatch):
    monkeypatch.setattr("mmh.plan.experiment.SCORES", base.SCORES)
    options = {"method": "contrast", "items": ["samples"], "shard_size": 500}
    config = {
        "experiments": {
            "mine": {
                "data": {"world": "digits", "size": 8, "channels": 1},
                "model": {"kind": "unet"},
                "sampling": {"n_samples": 700, "shard_size": 700, "calibration": 0},
                "estimators": {"mine": options},
            }
        }
    }
    experiment = Experiment(config, "mine")
    folder = "results/mine/scores/samples/mine"
    assert experiment.score_files == [f"{folder}/000000-000499.parquet", f"{folder}/000500-000699.parquet"]
    assert experiment.large(["mine"]) == []
    assert contrast.Options().model_dump() == {"power": 2.0}
    assert set(contrast.planning().model_fields) == {"items", "subset", "shard_size"}
    wildcards = {"experiment": "mine", "item_set": "samples", "estimator": "mine"}
    needs = [contrast.cost(Work(config, {**wildcards, "span": span})) for span in ("000000-000009", SPAN)]
    assert needs[0].seconds > needs[1].seconds > 0
    assert not contrast.wants_gpu()


def test_the_name_of_a_file_is_that_of_its_method():
    assert {"flipd", "normal-bundle", "jacobian", "local-pca", "png", "ratio", "residual"} < set(
        SCORES.rows()
    )
    for name, row in SCORES.rows().items():
        assert row.__module__ == f"mmh.scores.{name.replace('-', '_')}"


def test_figures_name_estimators_by_their_methods_and_no_two_alike():
    text = {"method": "flipd", "condition": "caption"}
    names = printed_names(
        {
            "flipd": text,
            "empty": text | {"condition": "empty"},
            "again": text,
            "nb": {"method": "normal-bundle"},
            "png": {"method": "png"},
            "nb_png": {"method": "ratio", "numerator": "nb", "denominator": "png"},
            "flipd_residual": {"method": "residual", "of": "nb", "given": "png"},
            "again_residual": {"method": "residual", "of": "norm", "given": "png"},
            "norm": {"method": "score-norm"},
        }
    )
    assert names == {
        "flipd": "FLIPD, conditional",
        "empty": "FLIPD, unconditional",
        "again": "again",
        "nb": "NB",
        "png": "PNG size",
        "nb_png": "NB / PNG size",
        "flipd_residual": "NB, residual on PNG size",
        "again_residual": "again_residual",
        "norm": "norm",
    }


def test_large_values_are_those_of_the_method_unless_the_configuration_says_so():
    config = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())
    plan, wildcards = Plan(config), SimpleNamespace(experiment="digits-text")
    assert plan.evaluation.detection(wildcards)["images"]["large"] == ["cfg_norm", "guided_norm"]
    figure = SimpleNamespace(experiment="digits-text", figure="metric_histograms")
    assert plan.figures.about(figure)["more"]["large"] == ["cfg_norm"]
    assert plan.evaluation.large(SimpleNamespace(experiment="digits")) == ["sharp_share", "error_share"]
    config["experiments"]["digits-text"]["detection"]["images"]["large"] = []
    assert plan.evaluation.detection(wildcards)["images"]["large"] == []


def test_a_score_that_is_large_for_memorized_items_is_turned_round():
    scores = pd.DataFrame({"estimator": ["flipd", "norm"], "value": [1.0, 2.0]})
    assert oriented(scores, ["norm"])["value"].tolist() == [1.0, -2.0]


FLIPD = {"t": 0.1, "trace": "exact", "batch_size": 8}
KRYLOV = {"t": 0.1, "batch_size": 8}


def mistakes(method, plan, options, **sections):
    """What the check of one estimator finds in an experiment on samples of digits, changed by `sections`."""
    entry = {"data": {"world": "digits"}, "model": {"kind": "unet"}, "estimators": {"e": plan | options}}
    entry |= {"sampling": {"n_samples": 9, "calibration": 0}} | sections
    where = "experiments.x.estimators.e"
    row, experiment = SCORES[method], Entry({"experiments": {"x": entry}}, "x")
    found = list(row.check(row.Options.model_validate(options), experiment, where))
    return [message.removeprefix(f"{where}.") for message in found]


@pytest.mark.parametrize(
    ("method", "plan", "options", "sections", "message"),
    [
        ("flipd", {}, FLIPD, {}, None),
        ("flipd", {}, FLIPD | {"probe": "gaussian"}, {}, "probe: the exact trace has no random probes"),
        ("flipd", {"subset": "calibration"}, FLIPD, {}, "subset: sampling.calibration is 0, so it is empty"),
        ("flipd", {"items": ["selected"]}, FLIPD, {}, "items: 'selected' needs the section 'candidates'"),
        ("flipd", {}, FLIPD, {"model": {"kind": "gan"}}, "method: 'flipd' needs a score, a GAN has none"),
        ("jacobian", {}, {"percentile": 10, "chunk": 4}, {}, "method: 'jacobian' needs a GAN's generator"),
        ("decoded-png", {}, {"batch_size": 1}, {}, "method: 'decoded-png' needs a text-to-image model"),
        ("krylov", {}, KRYLOV, {}, None),
        ("krylov", {}, KRYLOV | {"m": 65}, {}, "m: 65 products, but an item has 64 values; at most so many"),
        ("krylov", {}, KRYLOV | {"m": "exact", "probes": 2}, {}, "probes: with m: exact nothing is random"),
        (
            "krylov",
            {},
            KRYLOV | {"probe": "orthogonal", "probes": 65},
            {},
            "probes: 65, but of 64 values there are 64 orthogonal ones",
        ),
        ("krylov", {}, KRYLOV, {"model": {"kind": "gan"}}, "method: 'krylov' needs a score, a GAN has none"),
    ],
)
def test_what_does_not_fit_an_experiment_is_named(method, plan, options, sections, message):
    found = mistakes(method, {"items": ["samples"]} | plan, options, **sections)
    assert [one.startswith(str(message)) for one in found] == ([True] if message else [])


def test_with_a_text_to_image_model_only_captioned_sets_are_scored():
    entry = {"data": {"world": "digits-text"}, "model": {"kind": "text-to-image"}, "image_sets": {"coco": {}}}
    where = "experiments.x.estimators.e"

    def found(method, items, options):
        block = {"e": {"items": [items], **options}}
        experiment = Entry({"experiments": {"x": entry | {"estimators": block}}}, "x")
        row = SCORES[method]
        return list(row.check(row.Options.model_validate(options), experiment, where))

    assert found("flipd", "coco", FLIPD | {"condition": "empty"}) == []
    lacking, several = found("flipd", "coco", FLIPD | {"t": [0.1, 0.2]})
    assert lacking.startswith(f"{where}.condition: missing; caption for LID given the caption")
    assert several == f"{where}.t: a list is for curves on samples; give one noise level"
    (unknown,) = found("cfg-norm", "train", {"t": 0.1, "steps": 3, "batch_size": 1})
    assert unknown == f"{where}.items: 'train' has no captions; use one of coco"
    (refused,) = found("png", "coco", {})
    told, _, names = refused.partition("; use ")
    assert told == f"{where}.method: 'png' is not for text-to-image models"
    assert {"cfg-norm", "decoded-png", "flipd", "score-norm"} <= set(names.split(", "))
    assert not {"png", "local-pca", "jacobian"} & set(names.split(", "))


def test_the_divisor_of_a_ratio_is_there_for_every_item_and_not_zero():
    rows = pd.DataFrame({"items": "samples", "item": [0, 1, 0, 1], "estimator": ["a", "a", "b", "b"]})
    rows["value"], rows["stderr"] = [1.0, 3.0, 2.0, 0.0], 0.5
    row, options = SCORES["ratio"], {"numerator": "a", "denominator": "b"}
    with pytest.raises(InputError, match="q: item 1 of samples has the b score 0, which divides nothing"):
        row.combined(rows, "q", "samples", options)
    with pytest.raises(InputError, match="q: item 1 of samples has no b score"):
        row.combined(rows[:3], "q", "samples", options)
    found, said = row.combined(rows.replace({"value": {0.0: 4.0, 1.0: -1.0}}), "q", "samples", options)
    assert said == {"n": 2, "negative_numerators": 1}
    found, said = row.combined(rows.replace({"value": {0.0: 4.0}}), "q", "samples", options)
    assert said == {"n": 2, "negative_numerators": 0}
    assert found["value"].tolist() == [0.5, 0.75]
    assert found["stderr"].tolist() == [0.25, 0.125]
    assert set(found["estimator"]) == {"q"}


def test_a_ratio_of_a_later_ratio_is_computed_after_it(tmp_path):
    rows = pd.DataFrame(
        {"item": [0, 1, 0, 1], "estimator": ["a", "a", "b", "b"], "value": [1.0, 3.0, 2.0, 4.0]}
    )
    rows = rows.reindex(columns=list(tables.SCORES.columns)).assign(dtype="float64")
    write_table(rows, tmp_path / "scores.parquet", tables.SCORES)
    b = {"method": "ratio", "items": ["samples"], "denominator": "b"}
    ratios = {"abb": {**b, "numerator": "ab"}, "ab": {**b, "numerator": "a"}}
    record = {}

    def gathered():
        gather_scores.main(
            [tmp_path / "scores.parquet"],
            tmp_path / "all.parquet",
            items=["samples"],
            ratios=ratios,
            record=record,
        )
        return read_table(tmp_path / "all.parquet", tables.ALL_SCORES)

    found = gathered()
    assert list(found["estimator"].unique()) == ["a", "b", "ab", "abb"]
    assert found.loc[found["estimator"] == "abb", "value"].tolist() == [0.25, 0.1875]
    assert record["follows"]["abb"] == {"samples": {"n": 2, "negative_numerators": 0}}
    ratios["ab"]["numerator"] = "missing"
    with pytest.raises(InputError, match="ab: gives no value for samples"):
        gathered()
    ratios["ab"]["numerator"] = "abb"
    with pytest.raises(InputError, match="follow from each other: abb, ab"):
        gathered()


def test_a_set_without_spectra_is_scored_from_its_images(tmp_path):
    x = np.random.default_rng(0).uniform(-1, 1, (3, 1, 8, 8)).astype(np.float32)
    write_arrays(tmp_path / "train.npz", x=x, id=np.arange(3))
    out = tmp_path / "png.parquet"
    how = {"method": "png", "estimator": "png", "options": {}, "seed": 0, "record": {}}
    score_set.main([tmp_path / "train.npz"], [], [], out, **how)
    table = read_table(out, tables.SCORES)
    assert (table["value"] % 8 == 0).all()
    assert set(table["dtype"]) == {"uint8"}


HALF = Schedule.linear_vp(0.1, 20.0)


def overflowing(dim):
    """A network whose intermediate values leave float16's range where the first value of z is large."""

    def eps(z, t, *c):
        # 40 * 40 * 50 = 80,000 overflows float16, and float32 does not.
        big = (z[:, :1] * z[:, :1] * 50) / (z[:, :1] * 50)
        return torch.cat([big, z[:, 1:]], dim=1)

    return ScoreModel.from_function(eps, (dim,), HALF, dtype=torch.float16)


def test_spectra_that_half_precision_cannot_hold_are_done_anew_in_float32():
    model, x = overflowing(3), np.array([[0.5, 1.0, -1.0], [60.0, 1.0, -1.0]])
    how = {"copies": 16, "batch_size": 8}
    spectra = normal_bundle_spectrum(model, x, 0.05, **how)
    groups, left_out = normal_bundle_groups(model, x, 0.05, groups=2, **how)
    assert np.isfinite(left_out).all()
    np.testing.assert_allclose(groups, spectra, rtol=1e-6)
    alone = normal_bundle_spectrum(model, x[:1], 0.05, **how)
    assert spectra[0].tobytes() == alone[0].tobytes(), "what half precision held is as before"
    with pytest.raises(InputError, match=r"a score at t=0.05 is not finite: id 1$"):
        normal_bundle_spectrum(model, np.array([[0.5, 1.0, -1.0], [1e30, 1.0, -1.0]]), 0.05, **how)


def test_norms_that_half_precision_cannot_hold_are_done_anew_in_float32():
    model, x = overflowing(3), np.array([[0.5, 1.0, -1.0], [60.0, 1.0, -1.0]])
    c, null = torch.zeros(2, 1, 1), torch.zeros(1, 1, 1)
    found = score_norms(model, x, c, null, t=0.05, ids=[4, 7], batch_size=2)
    expected = HALF.psi(0.05) * np.linalg.norm(x, axis=1) / HALF.sigma(0.05)
    np.testing.assert_allclose(found, expected, rtol=2e-3)
    with pytest.raises(InputError, match="batch_size must be positive"):
        score_norms(model, x, c, null, batch_size=0)


def test_a_trace_says_in_the_run_record_how_it_was_taken():
    options = Flipd.Options(t=0.1, trace=4, probe="rademacher", batch_size=1)
    exact = Flipd.Options(t=0.1, trace="exact", batch_size=1)
    texts = [Flipd.describe(SimpleNamespace(options=one))["method"] for one in (options, exact)]
    assert texts == ["FLIPD, 4 rademacher probes", "FLIPD, exact trace"]
