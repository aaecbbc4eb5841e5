"""The scripts of a text-to-image experiment on a tiny pipeline folder: files, and that spans do not matter."""

import importlib

import numpy as np
import pandas as pd
import pytest
from tiny_pipeline import write_pipeline

from mmh.compute.complexity import png_bits
from mmh.errors import InputError
from mmh.io.arrays import write_arrays
from mmh.io.image_shards import read_images
from mmh.io.table_files import read_table, write_table
from mmh.io.tables import IMAGE_SET, PROMPT_SCORES, PROMPTS, SCORES
from mmh.lid.flipd import flipd
from mmh.metrics.averages import cfg_norm, flipd_metric
from mmh.metrics.base import METRICS as METRICS_TABLE
from mmh.metrics.base import asked_metrics
from mmh.models.latent import captions
from mmh.models.latent import folder as text_to_image
from mmh.sampling.guided import initial_noise

TEXTS = [
    "the red plate",
    "digit seven",
    "with digit three",
    "plate",
    "the the the red red red plate plate with digit seven",
]


METRICS = {name: options.model_dump() for name, options in asked_metrics({"trace": 1}).items()}


@pytest.fixture
def world(tmp_path):
    """A model, an image set of five with captions, and five prompts of one set after one of another."""
    write_pipeline(tmp_path / "model")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 8, 8), dtype=np.uint8)
    write_arrays(tmp_path / "set.npz", image=pixels, id=np.arange(5))
    table = pd.DataFrame({"item": range(5), "caption": TEXTS, "family": range(5), "source": "test"})
    write_table(table, tmp_path / "set.parquet", IMAGE_SET)
    rows = pd.DataFrame(
        {
            "prompt_set": ["control"] + ["memorized"] * 5,
            "prompt": [0, *range(5)],
            "text": ["plate plate", *TEXTS],
            "family": range(6),
            "train": [None, *range(5)],
        }
    )
    write_table(rows, tmp_path / "prompts.parquet", PROMPTS)
    return tmp_path


def silent(total, unit="step"):
    return lambda done, **values: None


def call(name, *args, **kwargs):
    return importlib.import_module(name).main(*args, **{"device": "cpu", "progress": silent} | kwargs)


def score_images(world, latents, out, method, span, options):
    """Run the step of every estimator of captioned images; give its run record."""
    record = {}
    files = (latents, world / "set.parquet", world / "model", out)
    how = {"method": method, "span": span, "items": "set", "estimator": "name", "options": options}
    call("score_span", *files, load={}, seed=0, record=record, **how)
    return record


def encode(world, span):
    record = {}
    out = world / f"{span}.npz"
    how = {"span": span, "options": {"batch_size": 2}, "record": record}
    call("encode_images", world / "set.npz", world / "model", out, **how)
    return out


def test_latents_are_read_as_images_are(world):
    whole, part = encode(world, "000000-000004"), encode(world, "000003-000004")
    z, _ = read_images(whole)
    assert z.shape == (5, 4, 4, 4)
    some, numbers = read_images(part)
    assert numbers.tolist() == [3, 4]
    assert some.tobytes() == z[3:].tobytes()
    # A set whose last images could not be had ends early, and may leave a span with nothing.
    last, ids = read_images(encode(world, "000004-000009"))
    assert ids.tolist() == [4]
    assert last.tobytes() == z[4:].tobytes()
    nothing, ids = read_images(encode(world, "000010-000019"))
    assert nothing.shape == (0, 4, 4, 4)
    out = world / "png.parquet"
    score_images(world, [whole], out, "decoded-png", "000001-000002", {"batch_size": 2})
    table = read_table(out, SCORES)
    assert table["item"].tolist() == [1, 2]
    model = text_to_image.load_folder(world / "model")
    expected = png_bits(np.moveaxis(model.decode(z[1:3], ids=[1, 2]), 1, -1))
    assert table["value"].tolist() == expected.tolist()


def test_guidance_of_captioned_images(world):
    latents = encode(world, "000000-000004")
    tables = []
    for span in ("000010-000019", "000000-000004", "000002-000003"):
        out, options = world / f"{span}.parquet", {"t": 0.01, "steps": 3, "batch_size": 2}
        record = score_images(world, [latents], out, "cfg-norm", span, options)
        tables.append(read_table(out, SCORES).set_index("item"))
    empty, whole, part = tables
    assert len(empty) == 0
    assert record["numerics"]["truncated_captions"] == 0
    assert whole["value"].nunique() == 5
    assert whole["index"].isna().all()
    assert part["value"].tolist() == whole["value"].loc[[2, 3]].tolist()
    table = read_table(world / "set.parquet", IMAGE_SET)
    write_table(table.assign(caption=None), world / "set.parquet", IMAGE_SET)
    with pytest.raises(InputError, match=r"set.parquet: item 2 has no caption"):
        score_images(world, [latents], out, "cfg-norm", span, options)


def score(world, span, plugins=(), **options):
    record, out, scores = {}, world / f"{span}.npz", world / f"{span}.parquet"
    settings = {"generations": 2, "steps": 10, "guidance": 7.5, "metrics": METRICS, "batch_size": 4} | options
    settings |= {"decode_batch_size": 4}
    how = {"prompt_set": "memorized", "span": span, "options": settings, "seed": 3, "record": record}
    how |= {"plugins": plugins}
    call("score_prompts", world / "prompts.parquet", world / "model", out, scores, **how)
    with np.load(out) as file:
        return dict(file), read_table(scores, PROMPT_SCORES), record["numerics"]


def test_prompts_are_sampled_and_scored(world):
    arrays, table, numerics = score(world, "000000-000004")
    assert numerics["truncated_prompts"] == 1
    assert arrays["image"].shape == (10, 3, 8, 8)
    assert arrays["image"].dtype == np.uint8
    assert arrays["prompt"].tolist() == np.repeat(range(5), 2).tolist()
    assert arrays["generation"].tolist() == [0, 1] * 5
    assert len(set(arrays["seed"].tolist())) == 10
    some, rows, _ = score(world, "000002-000003")
    assert arrays["guidance"].tolist() == [7.5]
    assert len(arrays["index"]) == 10
    for name in set(some) - {"guidance", "index"}:
        assert some[name].tolist() == arrays[name][4:8].tolist(), name
    assert (table["metric"] == "png").sum() == 10
    expected = table[table["prompt"].between(2, 3)].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows, expected, check_exact=True)
    assert len(cfg_norm(table)) == len(flipd_metric(table)) == 5
    with pytest.raises(InputError, match="set memorized lacks prompts of 000004-000005, it has 5"):
        score(world, "000004-000005")


PLUGIN = '''
"""Two metrics of one's own."""

from mmh.options import base as options
from mmh.options.base import Field
from mmh.metrics.base import Metric


class Powered(Metric):
    """Some power of the norm of the noise without a caption, at the steps with t <= .5."""

    name, printed, large, until = "plugged_power", "power", False, 0.5

    class Options(options.Options):
        """Options of the metric."""

        power: float = Field(2.0, gt=0)
        """Exponent."""

    def see(self, step):
        return step.squared(step.empty) ** (self.options.power / 2)


class Brightness(Metric):
    """Mean of the finished image."""

    name, needs = "plugged_brightness", "image"

    def see_images(self, images):
        return images.mean(axis=(1, 2, 3))
'''


def test_a_metric_may_be_one_file_outside_of_the_checkout(world, monkeypatch):
    """Its scores, its detectors with their signs, and its rows of the evaluation."""
    for attribute, value in (("_rows", dict(METRICS_TABLE.rows())), ("_read", True)):
        monkeypatch.setattr(METRICS_TABLE, attribute, value)
    plugin = world / "mine.py"
    plugin.write_text(PLUGIN)
    asked = {"plugged_power": {"power": 1.0}, "plugged_brightness": {}, "cfg_norm": {}}
    arrays, table, _ = score(world, "000000-000004", [plugin], metrics=asked)
    assert list(dict.fromkeys(table["metric"])) == ["cfg_norm", "plugged_power", "plugged_brightness"]
    power = table[table["metric"] == "plugged_power"]
    assert power["t"].max() <= 0.5
    assert len(power) == 2 * 5 * 5
    bright = table[table["metric"] == "plugged_brightness"]["value"].to_numpy()
    np.testing.assert_allclose(bright, arrays["image"].mean((1, 2, 3)))
    other = table.assign(prompt_set="control", value=table["value"] + 1)
    prompts = read_table(world / "prompts.parquet", PROMPTS).query("prompt_set == 'memorized'")
    both = pd.concat([prompts, prompts.assign(prompt_set="control", family=prompts["family"] + 9)])
    write_table(both, world / "both.parquet", PROMPTS)
    files = [world / "a.parquet", world / "b.parquet"]
    for file, part in zip(files, (table, other), strict=True):
        write_table(part, file, PROMPT_SCORES)
    options = {"prompts": {"pairs": [["memorized", "control"]], "generations": [2]}, "resamples": 20}
    importlib.import_module("evaluate_detection").main(
        None, [], world / "both.parquet", files, world / "e.csv", options=options, seed=0, plugins=[plugin]
    )
    rows = pd.read_csv(world / "e.csv").set_index("estimator")
    assert rows.loc["plugged_power.low.n2", "auc"] > 0.5 > rows.loc["plugged_brightness.final.n2", "auc"]


def test_latents_of_a_generation_are_those_of_the_model(world):
    arrays, _, _ = score(world, "000001-000001", generations=1)
    model = text_to_image.load_folder(world / "model")
    noise = initial_noise(3, "memorized", [1], [0], (4, 4, 4))
    expected = model.generate(model.embed([TEXTS[1]]), noise, steps=10)
    np.testing.assert_allclose(arrays["latent"], expected.numpy(), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(arrays["image"], model.decode(arrays["latent"]))


def test_a_caption_or_the_empty_one_conditions_lid(world):
    model = text_to_image.load_folder(world / "model")
    z, ids = read_images(encode(world, "000000-000004"))
    texts = captions.read_captions(world / "set.parquet", ids)
    assert texts == TEXTS
    found = {}
    for condition in captions.CONDITIONS:
        bound = captions.captioned_score(model, texts, condition=condition, ids=ids)
        found[condition] = flipd(bound, z, 0.05, probes=None, ids=ids, batch_size=5)
    assert np.abs(found["caption"] - found["empty"]).min() > 1e-4
    alone = model.score_model().conditioned(model.embed(TEXTS[2:3]))
    assert found["caption"][2] == pytest.approx(
        flipd(alone, z[2:3], 0.05, probes=None, batch_size=1)[0], abs=1e-3
    )
    with pytest.raises(InputError, match="condition must be one of"):
        captions.captioned_score(model, texts, condition="none")
    with pytest.raises(InputError, match="needs images with captions"):
        captions.captioned_score(model, None, condition="caption")


def everything(world, batch_size):
    """Run every script that takes a batch size, with this one; give tables and arrays by file, and records."""
    latents, model = [world / "z.npz"], world / "model"
    records = {}

    def run(name, *files, **how):
        records[name] = {}
        how |= {"span": "000000-000004", "record": records[name]}
        call(name, *files, **how)

    run("encode_images", world / "set.npz", model, latents[0], options={"batch_size": batch_size})
    settings = {
        "flipd": {"t": [0.05, 0.1], "trace": 2, "condition": "caption"},
        "cfg-norm": {"t": 0.01, "steps": 3},
        "score-norm": {"t": 0.02, "of": "guided", "guidance": 7.5},
        "decoded-png": {},
    }
    for name, options in settings.items():
        out, options = world / f"{name}.parquet", options | {"batch_size": batch_size}
        records[name] = score_images(world, latents, out, name, "000000-000004", options)
    options = {"generations": 2, "steps": 10, "guidance": 7.5, "metrics": METRICS, "batch_size": batch_size}
    how = {"prompt_set": "memorized", "seed": 3, "options": options | {"decode_batch_size": batch_size}}
    run(
        "score_prompts",
        world / "prompts.parquet",
        model,
        world / "g.npz",
        world / "prompt_scores.parquet",
        **how,
    )
    names = [f"{name}.parquet" for name in (*settings, "prompt_scores")] + ["z.npz", "g.npz"]
    return {name: (world / name).read_bytes() for name in names}, records


def test_a_batch_that_the_jobs_choose_gives_the_bytes_of_that_number(world, monkeypatch):
    """On a GPU that holds 4 rows: as many are tried, more than there are items, and all jobs record it."""
    given, _ = everything(world, 4)

    def fitting_batch(trial, device, batch_size, items):
        assert batch_size is None
        for rows in (1, 2, 4, 8):
            trial(rows)
        return 4

    monkeypatch.setattr("mmh.compute.blocks.fitting_batch", fitting_batch)
    chosen, records = everything(world, "auto")
    assert chosen == given
    assert {record["numerics"]["batch_size"] for record in records.values()} == {4}
    assert records["score_prompts"]["numerics"]["decode_batch_size"] == 4


@pytest.mark.parametrize("condition", captions.CONDITIONS)
def test_lid_of_a_span_without_images_is_an_empty_table(world, condition):
    nothing, out = [encode(world, "000010-000019")], world / "lid.parquet"
    options = {"t": 0.05, "trace": 1, "condition": condition, "batch_size": 2}
    score_images(world, nothing, out, "flipd", "000010-000019", options)
    assert len(read_table(out, SCORES)) == 0
