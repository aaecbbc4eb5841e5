"""Prompts sampled on the way of a descent on their embedding: noises, numbers, table and figure."""

import numpy as np
import pandas as pd
import pytest
import torch
from test_mitigations_embedding import FLIPD, GRID, GUIDANCE, NULL, WEN, linear_model, pair

from mmh.errors import InputError
from mmh.figures.base import FIGURES, About
from mmh.io.arrays import write_arrays
from mmh.io.table_files import read_table, write_csv, write_table
from mmh.io.tables import ITERATED
from mmh.metrics.base import made as metrics
from mmh.mitigated.iterated import iterates_table, measured_iterates
from mmh.mitigated.iterates import iterate_latents
from mmh.mitigated.measures import Truth
from mmh.mitigated.sampling import mitigated_latents
from mmh.mitigations.base import made
from mmh.prompts.scoring import prompt_scores

METRIC = {"trace": "exact"}


def iterates(mitigation, at, prompts=(0, 1, 2)):
    how = {"grid": GRID, "prompt_set": "test", "generations": 2, "guidance": GUIDANCE, "seed": 0}
    how |= {"prompts": list(prompts), "batch_size": 4, "metric": METRIC, "at": at}
    return iterate_latents(linear_model(), pair(prompts), NULL, mitigation, **how)


def others(mitigation=None):
    how = {"grid": GRID, "prompt_set": "test", "generations": 2, "guidance": GUIDANCE, "seed": 0}
    how |= {"prompts": [0, 1, 2], "batch_size": 4}
    if mitigation is None:
        return prompt_scores(linear_model(), pair(), NULL, **how, metrics=metrics({"flipd": METRIC}))
    return mitigated_latents(linear_model(), pair(), NULL, mitigation, **how)["latents"]


@pytest.mark.parametrize(("name", "options"), [("wen", WEN), ("flipd-embedding", FLIPD)])
def test_iterates_begin_at_the_prompts_as_they_are_and_end_at_the_mitigation(name, options):
    last = options["iterations"]
    found, plain = iterates(made(name, options), [0, 1, last]), others()
    np.testing.assert_array_equal(found["latents"][:, 0], plain.latents)
    np.testing.assert_allclose(found["flipd"][:, 0], np.nanmean(plain.values["flipd"], axis=1), rtol=1e-12)
    np.testing.assert_array_equal(found["latents"][:, 2], others(made(name, options)))
    fewer = others(made(name, options | {"iterations": 1}))
    np.testing.assert_array_equal(found["latents"][:, 1], fewer)
    # At first the latents that are held are those that are sampled.
    if name == "flipd-embedding":
        np.testing.assert_allclose(found["watched"][:, 0], found["flipd"][:, 0], rtol=1e-5)


def test_a_generation_that_stops_stays_and_depends_on_no_other():
    stopping = made("wen", WEN | {"iterations": 6, "target": 1e9})
    found = iterates(stopping, [0, 6])
    np.testing.assert_array_equal(found["latents"][:, 0], found["latents"][:, 1])
    flipd = made("flipd-embedding", FLIPD)
    whole, part = iterates(flipd, [0, 2]), iterates(flipd, [0, 2], prompts=[2, 0])
    for key, values in whole.items():
        np.testing.assert_array_equal(part[key][:2], values[4:], err_msg=key)
        np.testing.assert_array_equal(part[key][2:], values[:2], err_msg=key)


AT = [0, 5]


def write_span(folder, name, prompts=8):
    """Two generations of each prompt; after five iterations images are as far from the training image as they can be."""
    n = prompts * 4
    prompt = np.repeat(np.arange(prompts), 4)
    iteration = np.tile(AT, prompts * 2)
    image = np.zeros((n, 3, 8, 8), np.uint8)
    image[iteration == 5] = np.random.default_rng(0).integers(0, 255, image[iteration == 5].shape)
    path = folder / "iterates" / name / "memorized" / "000000-000007.npz"
    path.parent.mkdir(parents=True)
    arrays = {"image": image, "id": np.arange(n), "prompt": prompt, "iteration": iteration}
    arrays |= {"generation": np.tile([0, 0, 1, 1], prompts), "text": np.array(["a plate"] * n)}
    write_arrays(path, **arrays, flipd=10.0 + prompt + 7.0 * (iteration == 5), watched=np.full(n, 3.0))
    return path


@pytest.fixture
def measured_files(tmp_path):
    files = [write_span(tmp_path, name) for name in ("flipd_embedding", "wen")]
    keys = pd.MultiIndex.from_product([["memorized"], range(8)], names=["prompt_set", "prompt"])
    truth = Truth(
        pd.Series(np.arange(8), index=keys),
        pd.Series(np.arange(8) // 2, index=keys),
        np.zeros((8, 3, 8, 8), np.uint8),
        np.arange(8),
    )

    def embedded(images, _):
        bright = images.reshape(len(images), -1).max(axis=1) > 0
        return np.stack([~bright, bright], axis=1).astype(np.float32)

    how = {"agree": lambda images, texts: np.full(len(images), 0.5), "cut": 0.9, "report": lambda n: None}
    return files, measured_iterates(files, truth, embedded, **how)


def test_measures_and_differences_are_those_of_pairs(measured_files, tmp_path):
    _, table = measured_files
    write_table(table, tmp_path / "iterates.parquet", ITERATED)
    assert len(read_table(tmp_path / "iterates.parquet", ITERATED)) == 64
    found = iterates_table(table).set_index(["mitigation", "metric", "iteration"])
    for name in ("wen", "flipd_embedding"):
        assert found.loc[(name, "similarity", 0), "estimate"] == 1
        assert found.loc[(name, "similarity", 5), "estimate"] == 0
        assert found.loc[(name, "flipd", 5), "difference"] == pytest.approx(7)
        assert found.loc[(name, "flipd", 0), "estimate"] == pytest.approx(13.5)
        assert found.loc[(name, "copies", 5), "difference"] == -1
        assert found.loc[(name, "png", 5), "difference"] > 0
        assert np.isnan(found.loc[(name, "png", 0), "difference"])
    assert set(found["n_clusters"]) == {4}


def test_the_figure_shows_numbers_and_images_of_prompts(measured_files, tmp_path):
    files, table = measured_files
    write_csv(iterates_table(table), tmp_path / "optimisation.csv", digits=6)
    figure = FIGURES["embedding_optimisation"]
    out = {kind: tmp_path / f"figure.{kind}" for kind in ("pdf", "png", "csv")}
    more = {"printed": {"wen": "Wen", "flipd_embedding": "FLIPD"}, "watched": ["flipd_embedding"]}
    given = {"table": tmp_path / "optimisation.csv", "generations": files, "about": About("x", more=more)}
    figure.draw(**given, **out, options=figure.Options.model_validate({"prompts": [3, 1]}))
    assert all(path.stat().st_size > 1000 for path in out.values())
    drawn = pd.read_csv(out["csv"], comment="#")
    assert set(drawn["metric"]) == {"flipd", "watched", "similarity", "clip", "png"}
    with pytest.raises(InputError, match="no images of prompt 9"):
        figure.draw(**given, **out, options=figure.Options.model_validate({"prompts": [9]}))


def test_torch_has_its_switches_back():
    before = torch.backends.cuda.flash_sdp_enabled()
    iterates(made("wen", WEN), [0, 1])
    assert torch.backends.cuda.flash_sdp_enabled() == before
