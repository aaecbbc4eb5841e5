"""Text-to-image scores on a GPU: the numbers of a CPU, bits that repeat, batches that fit."""

import numpy as np
import pytest
import torch
from tiny_pipeline import write_pipeline

from mmh.compute.blocks import blockwise_in_fitting_batches
from mmh.compute.memory import fitting_batch
from mmh.metrics.base import made
from mmh.models.latent import folder as text_to_image
from mmh.prompts.scoring import prompt_scores
from mmh.sampling.guided import ddim_grid
from mmh.scores.cfg_norm import cfg_vector_norm

DEVICE = "cuda"
METRICS = made({"cfg_norm_squared": {}, "cfg_norm": {}, "score_norm_squared": {}, "flipd": {"trace": 2}})
PROMPTS = ["the red plate", "digit seven", "with digit three", "plate"]
AGREEMENT = 1e-3
"""Relative: 10 steps of a float32 network under guidance 7.5."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_pipeline(tmp_path_factory.mktemp("tiny") / "model")


def scored(model, **options):
    how = {"prompt_set": "s", "prompts": [0, 1, 2, 3], "generations": 2, "metrics": METRICS, "batch_size": 4}
    how |= {"grid": ddim_grid(model.scheduler, 10)} | options
    return prompt_scores(model.score_model(), model.embed(PROMPTS), model.null(), **how)


def test_scores_of_prompts_agree_with_the_cpu(folder):
    here, there = (scored(text_to_image.load_folder(folder, device=device)) for device in ("cpu", DEVICE))
    scale = np.abs(here.latents).max()
    np.testing.assert_allclose(there.latents, here.latents, rtol=0, atol=AGREEMENT * scale)
    for name in (metric.name for metric in METRICS):
        scale = np.nanmax(np.abs(here.values[name]))
        np.testing.assert_allclose(there.values[name], here.values[name], rtol=0, atol=AGREEMENT * scale)


def test_scores_of_prompts_repeat_bit_by_bit_and_do_not_depend_on_the_span(folder):
    model = text_to_image.load_folder(folder, device=DEVICE)
    one, same = scored(model), scored(model)
    assert one.latents.tobytes() == same.latents.tobytes()
    for name in (metric.name for metric in METRICS):
        assert one.values[name].tobytes() == same.values[name].tobytes()
    options = {"prompts": [2], "generations": 1, "grid": ddim_grid(model.scheduler, 10)}
    alone = prompt_scores(
        model.score_model(),
        model.embed(PROMPTS)[2:3],
        model.null(),
        **({"prompt_set": "s", "metrics": METRICS, "batch_size": 4} | options),
    )
    assert alone.latents[0].tobytes() == one.latents[4].tobytes()


def test_images_and_captions_agree_with_the_cpu(folder):
    here, there = (text_to_image.load_folder(folder, device=device) for device in ("cpu", DEVICE))
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3, 8, 8), dtype=np.uint8)
    z = here.encode(pixels)
    np.testing.assert_allclose(there.encode(pixels), z, rtol=1e-3, atol=1e-4)
    difference = there.decode(z).astype(int) - here.decode(z)
    assert np.abs(difference).max() <= 1
    norms = [
        cfg_vector_norm(one.score_model(), z, one.embed(PROMPTS[:3]), one.null()) for one in (here, there)
    ]
    np.testing.assert_allclose(norms[1], norms[0], rtol=1e-3)


# bfloat16 has 3 bits less, and the norm is that of a difference of nearly equal noises.
@pytest.mark.parametrize(("dtype", "agreement"), [("float16", 0.1), ("bfloat16", 0.3)])
def test_half_precision_gives_about_the_same_scores(folder, dtype, agreement):
    full = scored(text_to_image.load_folder(folder, device=DEVICE))
    half = scored(text_to_image.load_folder(folder, device=DEVICE, dtype=dtype))
    first = full.values["cfg_norm"][:, 0]
    np.testing.assert_allclose(half.values["cfg_norm"][:, 0], first, rtol=agreement)


def test_the_batch_follows_from_free_memory(folder):
    model = text_to_image.load_folder(folder, device=DEVICE)
    found = scored(model, batch_size=None)
    assert found.batch_size == 8
    half = torch.empty(int(0.5 * torch.cuda.mem_get_info()[0]), dtype=torch.uint8, device=DEVICE)
    work = lambda rows: torch.empty((rows, 2**27), dtype=torch.uint8, device=DEVICE)  # noqa: E731
    with_half = fitting_batch(work, torch.device(DEVICE), None, 1000)
    del half
    torch.cuda.empty_cache()
    assert with_half < fitting_batch(work, torch.device(DEVICE), None, 1000)


def test_a_job_chooses_its_batch_from_free_memory_and_finds_the_same(folder):
    model, ids = text_to_image.load_folder(folder, device=DEVICE), np.arange(40)
    score, c = model.score_model(), model.embed(PROMPTS)
    x = np.random.default_rng(0).standard_normal((40, *score.shape)).astype(np.float32)

    def norms(rows, numbers, size):
        found = cfg_vector_norm(score, x[rows], c[rows % 4], model.null(), ids=numbers, batch_size=size)
        return {"value": found}

    quiet = lambda *_, **__: lambda done: None  # noqa: E731
    how = {"device": score.device, "progress": quiet}
    chosen, size = blockwise_in_fitting_batches("auto", [norms], ids, **how)
    given, _ = blockwise_in_fitting_batches(8, [norms], ids, **how)
    assert size == 64  # all 40
    np.testing.assert_allclose(chosen["value"], given["value"], rtol=1e-3)
