"""Text-to-image folders: what is loaded, embedded, encoded and decoded is what diffusers' pipeline does."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from tiny_pipeline import LENGTH, write_pipeline

from mmh.compute import rng
from mmh.errors import InputError
from mmh.fetch import hub
from mmh.models import loading as models
from mmh.models.latent import folder as text_to_image
from mmh.models.latent.model import TextToImageModel

CAPTIONS = [
    "the red plate with digit three",
    "Seven plate",
    "",
    "the the the red red red plate plate with digit",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_pipeline(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="module")
def model(folder):
    return text_to_image.load_folder(folder)


@pytest.fixture(scope="module")
def pipeline(folder):
    return StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, feature_extractor=None)


@pytest.fixture
def copied(folder, tmp_path):
    """A folder to damage: the weights of the others are mapped into memory."""
    return Path(shutil.copytree(folder, tmp_path / "copied"))


def images(n, side=8):
    return rng.generator(0, "test-images").integers(0, 256, (n, 3, side, side), dtype=np.uint8)


def test_a_text_to_image_folder_is_a_model_folder(folder):
    loaded = models.load_model(folder)
    assert isinstance(loaded, TextToImageModel)
    assert loaded.classes is None
    assert "Attn" in loaded.attention()
    assert loaded.score_model().shape == (4, 4, 4)
    assert loaded.image_shape == (3, 8, 8)
    with pytest.raises(InputError, match="from prompts only"):
        loaded.sample(np.arange(2), seed=0)


def test_captions_are_embedded_as_the_pipeline_does(model, pipeline):
    expected, empty = pipeline.encode_prompt(CAPTIONS, "cpu", 1, True)
    found = model.embed(CAPTIONS, batch_size=3)
    assert found.shape == (4, LENGTH, 16)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(model.null(), empty[:1], rtol=1e-5, atol=1e-6)
    assert (found[0] - found[1]).abs().max() > 0.1  # captions that differ at all


def test_captions_that_are_cut_are_known(model):
    # Ten tokens fit between start and end: the last caption has exactly ten, with one more it is cut.
    exact = CAPTIONS[3]
    tokens, cut = model.tokens([*CAPTIONS, exact + " three", "Zürich"])
    assert cut.tolist() == [False, False, False, False, True, False]
    assert tokens.shape == (6, LENGTH)
    assert tokens[3].equal(tokens[4])


def test_an_embedding_does_not_depend_on_the_other_captions(model):
    together = model.embed(CAPTIONS, batch_size=3, ids=[0, 1, 2, 3])
    alone = model.embed([CAPTIONS[3], CAPTIONS[1]], batch_size=3, ids=[3, 1])
    assert alone[0].equal(together[3])
    assert alone[1].equal(together[1])
    assert model.embed([]).shape[0] == 0


def test_images_are_encoded_to_the_scaled_posterior_mean(model, pipeline):
    pixels = images(5)
    found = model.encode(pixels, batch_size=2)
    vae = pipeline.vae.double()
    with torch.no_grad():
        x = torch.from_numpy(pixels).double() / 127.5 - 1
        mean = vae.encode(x).latent_dist.mean * vae.config.scaling_factor
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, mean.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(model.encode(pixels[[4, 1]], batch_size=2, ids=[4, 1]), found[[4, 1]])
    vae.float()


def test_latents_are_decoded_to_the_pipelines_pixels(model, pipeline):
    z = rng.normal(0, "test-latents", range(5), (4, 4, 4)).numpy()
    found = model.decode(z, batch_size=2)
    with torch.no_grad():
        x = pipeline.vae.decode(torch.from_numpy(z) / pipeline.vae.config.scaling_factor).sample
    expected = pipeline.image_processor.postprocess(x, output_type="np")
    assert found.shape == (5, 3, 8, 8)
    assert np.ptp(found) > 20
    difference = np.moveaxis(found, 1, -1) - 255.0 * expected
    assert np.abs(difference).max() <= 0.5 + 1e-3
    np.testing.assert_array_equal(model.decode(z[[3, 0]], batch_size=2, ids=[3, 0]), found[[3, 0]])


def test_a_generation_is_the_pipelines(model, pipeline):
    """Guided DDIM on the model's own grid, whose scheduler's configuration is that of PNDM."""
    from diffusers import DDIMScheduler

    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    noise = rng.normal(0, "test-noise", range(2), (4, 4, 4))
    options = {"guidance_scale": 7.5, "num_inference_steps": 50, "eta": 0.0}
    expected = pipeline(CAPTIONS[:2], latents=noise, output_type="latent", **options).images
    found = model.generate(model.embed(CAPTIONS[:2]), noise, steps=50, guidance=7.5)
    assert (found[0] - found[1]).abs().max() > 0.1
    torch.testing.assert_close(found, expected, rtol=2e-4, atol=2e-4)


def test_half_precision_keeps_the_image_encoder_in_float32(folder, model):
    half = text_to_image.load_folder(folder, dtype="bfloat16")
    assert half.embed(CAPTIONS[:1]).dtype == torch.bfloat16
    assert half.score_model().dtype == torch.bfloat16
    pixels = images(2)
    np.testing.assert_array_equal(half.encode(pixels), model.encode(pixels))
    large = np.full((1, 4, 4, 4), 1e6)  # beyond float16
    np.testing.assert_array_equal(half.decode(large), model.decode(large))


def test_slicing_and_tiling_change_last_digits_only(folder, model):
    sliced = text_to_image.load_folder(folder, attention_slicing=True, vae_tiling=True)
    assert sliced.attention() != model.attention()
    pixels, c = images(3), model.embed(CAPTIONS[:2])
    np.testing.assert_allclose(sliced.encode(pixels), model.encode(pixels), rtol=1e-4, atol=1e-5)
    z = rng.normal(0, "test-noise", range(2), (4, 4, 4))
    with torch.no_grad():
        here, there = (one.score_model().conditioned(c).eps(z, 0.5) for one in (model, sliced))
    torch.testing.assert_close(there, here, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((1, 3, 8, 8), dtype=np.float32), "uint8"),
        (np.zeros((1, 3, 9, 8), dtype=np.uint8), "needs uint8 images \\(n, 3, 8, 8\\)"),
        (np.zeros((1, 1, 8, 8), dtype=np.uint8), "got uint8 \\(1, 1, 8, 8\\)"),
    ],
)
def test_other_images_are_refused(model, pixels, message):
    with pytest.raises(InputError, match=message):
        model.encode(pixels)


def test_other_latents_are_refused(model):
    with pytest.raises(InputError, match="decodes latents"):
        model.decode(np.zeros((1, 4, 8, 8)))
    with pytest.raises(InputError, match=r"NaN or infinity, among ids \[7\]"):
        model.decode(np.full((1, 4, 4, 4), np.nan), ids=[7])


def test_v_prediction_is_followed(tmp_path):
    folder = write_pipeline(tmp_path / "model", prediction="v_prediction")
    model = text_to_image.load_folder(folder)
    score = model.score_model().conditioned(model.null())
    z = rng.normal(0, "test-noise", range(1), (4, 4, 4))
    with torch.no_grad():
        v = model.unet(z, 500, encoder_hidden_states=model.null()).sample
        expected = score.schedule.psi(0.5) * v + score.schedule.sigma(0.5) * z
        torch.testing.assert_close(score.eps(z, 0.5), expected)


NEEDED = (
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/merges.txt",
    "tokenizer/vocab.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
)


def test_every_missing_or_truncated_file_is_named(copied):
    for name in NEEDED:
        file, content = copied / name, (copied / name).read_bytes()
        file.write_bytes(content[: len(content) // 2])
        if name != "tokenizer/merges.txt":  # half a list of merges is a list of merges
            with pytest.raises(InputError, match="the rule that makes it") as error:
                models.load_model(copied)
            assert "\n" not in str(error.value)
        file.unlink()
        with pytest.raises(InputError, match=r"is missing|lacks|neither model_index\.json"):
            models.load_model(copied)
        file.write_bytes(content)
    models.load_model(copied)


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("model_index.json", {"unet": ["diffusers", "UNet2DModel"]}, "names the unet"),
        ("model_index.json", {"text_encoder": None}, "names the text_encoder None"),
        ("unet/config.json", {"layers_per_block": 2}, "unet/.*does not fit config.json"),
        ("vae/config.json", {"latent_channels": 8}, "vae/.*does not fit config.json"),
        ("text_encoder/config.json", {"hidden_size": 32}, "text_encoder/.*does not fit config.json"),
        ("text_encoder/config.json", {"use_attention_mask": True}, "attention mask"),
        ("scheduler/scheduler_config.json", {"beta_schedule": "unheard"}, "no noise schedule"),
        ("tokenizer/tokenizer_config.json", {"model_max_length": None}, "states no model_max_length"),
        ("tokenizer/tokenizer_config.json", {"model_max_length": 77}, "allows 77 tokens where"),
    ],
)
def test_parts_that_do_not_fit_are_refused(copied, file, changes, message):
    content = json.loads((copied / file).read_text())
    (copied / file).write_text(json.dumps(content | changes))
    with pytest.raises(InputError, match=message):
        text_to_image.load_folder(copied)


def test_an_unknown_dtype_is_refused(folder):
    with pytest.raises(InputError, match="dtype must be one of"):
        text_to_image.load_folder(folder, dtype="float8")


def test_what_is_needed_is_copied_and_no_pickle(copied, tmp_path, pipeline):
    extras = ("unet/diffusion_pytorch_model.fp16.safetensors", "vae/diffusion_pytorch_model.bin")
    for name in extras:
        (copied / name).write_bytes(b"not wanted")
    hub.copy_pipeline(copied, tmp_path / "ours")
    found = {str(file.relative_to(tmp_path / "ours")) for file in (tmp_path / "ours").rglob("*.*")}
    assert set(NEEDED) <= found
    assert not found & set(extras)
    again = StableDiffusionPipeline.from_pretrained(
        tmp_path / "ours", safety_checker=None, feature_extractor=None
    )
    for name, values in pipeline.unet.state_dict().items():
        assert again.unet.state_dict()[name].equal(values)


def test_a_mirror_takes_the_place_of_a_repository_that_is_gone(folder, tmp_path, monkeypatch):
    import huggingface_hub

    asked = []

    def snapshot(name, *, revision, allow_patterns, local_files_only):
        asked.append((name, revision, local_files_only))
        if name != "third/copy":
            raise OSError(f"{name} is gone")
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    mirrors = ["second/copy", "third/copy@v2"]
    taken = hub.fetch_pipeline("first/model", "abc", tmp_path / "ours", mirrors=mirrors, offline=True)
    assert taken == f"third/copy@v2 ({folder.name})"
    assert asked == [("first/model", "abc", True), ("second/copy", "abc", True), ("third/copy", "v2", True)]
    assert (tmp_path / "ours" / "vae" / "config.json").is_file()
    with pytest.raises(InputError, match=r"first/model at .*first/model is gone.*nor can its 1 mirrors"):
        hub.fetch_pipeline("first/model", "abc", tmp_path / "none", mirrors=mirrors[:1])
