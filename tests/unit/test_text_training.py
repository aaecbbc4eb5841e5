"""Training of the small text-to-image model and of CLIP, and the folders that they are saved as."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from mmh.compute import optimisation
from mmh.errors import InputError
from mmh.models.latent import clip, training, word_tokenizer
from mmh.models.latent import vae as vae_
from mmh.worlds.sets import caption_words, captioned_digits

VAE = {"block_out_channels": (8, 8), "batch_size": 8}
SMALL = {"block_out_channels": (16,), "heads": 2, "text_width": 16, "text_layers": 1, "batch_size": 4}
CLIP = {"width": 32, "layers": 1, "dimension": 16, "batch_size": 8}
WORLD = {"n_memorized": 3, "copies": 2, "n_control": 3, "n_generic": 12, "n_generic_keys": 2}


@pytest.fixture(scope="module")
def world():
    return captioned_digits.make(**WORLD)


@pytest.fixture(scope="module")
def words(world):
    return caption_words.vocabulary(world.caption)


@pytest.fixture(scope="module")
def tokenizer(words, tmp_path_factory):
    return word_tokenizer.save(tmp_path_factory.mktemp("tokenizer"), words, length=12)


@pytest.fixture(scope="module")
def x(world):
    return world.image.astype(np.float32) / 127.5 - 1


@pytest.fixture(scope="module")
def vae(x):
    return vae_.train(x, seed=1, steps=12, log_every=5, **VAE)


@pytest.fixture(scope="module")
def z(x, vae):
    return vae_.latents(vae[0], torch.from_numpy(x)).numpy()


@pytest.fixture(scope="module")
def trained(z, world, tokenizer):
    return training.train(z, world.caption, tokenizer, seed=1, steps=6, log_every=4, **SMALL)


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def equal(one, other):
    return all(torch.equal(value, weights(other)[name]) for name, value in weights(one).items())


def test_minimise_finds_a_minimum_and_averages_the_weights():
    """For a quadratic, against a loop over the averages written out here."""
    goal = torch.tensor([1.0, -2.0])
    weight = torch.nn.Parameter(torch.zeros(2))
    average = torch.nn.Parameter(torch.zeros(2), requires_grad=False)
    expected, seen = torch.zeros(2), []

    def loss(step):
        nonlocal expected
        if step:  # the weights after `step` steps
            keep = min(0.9, step / (9 + step))
            expected = keep * expected + (1 - keep) * weight.detach()
        return ((weight - goal) ** 2).sum()

    history = optimisation.minimise(
        loss,
        [weight],
        steps=200,
        learning_rate=0.1,
        averages=[average],
        ema_decay=0.9,
        weight_decay=0.0,
        log_every=60,
        progress=lambda step, loss: seen.append((step, loss)),
    )
    loss(200)
    torch.testing.assert_close(weight.detach(), goal, atol=0.05, rtol=0)
    torch.testing.assert_close(average.detach(), expected, atol=1e-5, rtol=0)
    assert history.step.tolist() == [60, 120, 180, 200]
    assert seen == list(zip(history.step, history.loss, strict=True))
    assert history.learning_rate.iloc[0] == pytest.approx(0.05 * (1 + np.cos(np.pi * 59 / 200)))
    assert history.learning_rate.is_monotonic_decreasing


def test_a_loss_that_is_not_finite_stops_the_training():
    weight = torch.nn.Parameter(torch.zeros(1))
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        optimisation.minimise(lambda _: weight.sum() * torch.nan, [weight], steps=3, learning_rate=1e-3)


def test_vae_halves_the_side_and_its_latents_have_unit_deviation(vae, x, z):
    assert z.shape == (len(x), 4, 4, 4)
    assert z.std(ddof=1) == pytest.approx(1.0, rel=1e-4)
    scale = vae[0].config.scaling_factor
    means = vae[0].encode(torch.from_numpy(x)).latent_dist.mean.numpy()
    np.testing.assert_allclose(z, means * scale, atol=1e-5)
    assert not vae[0].training


def test_vae_learns_to_return_its_images(x):
    vae, history = vae_.train(x, seed=0, steps=100, learning_rate=5e-3, **VAE)
    images = torch.from_numpy(x)
    latents = vae_.latents(vae, images) / vae.config.scaling_factor
    error = (vae.decode(latents).sample - images).square().mean().item()
    assert error < 0.3 * images.var().item()
    assert history.loss.iloc[-1] < 0.5 * history.loss.iloc[0]


def test_training_is_deterministic_and_seeded(x, z, vae, world, tokenizer, trained):
    torch.manual_seed(99)  # the global generator must not matter
    state = torch.get_rng_state()
    again = vae_.train(x, seed=1, steps=12, log_every=5, **VAE)
    assert equal(vae[0], again[0])
    pd.testing.assert_frame_equal(vae[1], again[1])
    unet, encoder, _, history = training.train(
        z, world.caption, tokenizer, seed=1, steps=6, log_every=4, **SMALL
    )
    assert equal(trained[0], unet)
    assert equal(trained[1], encoder)
    pd.testing.assert_frame_equal(trained[3], history)
    assert history.step.tolist() == [4, 6]
    other = training.train(z, world.caption, tokenizer, seed=2, steps=1, **SMALL)
    assert not equal(trained[0], other[0])
    assert torch.equal(state, torch.get_rng_state())


def test_text_encoder_is_trained_with_the_unet(trained, tokenizer):
    start = training.build_text_encoder(tokenizer, width=16, layers=1, seed=1)
    moved = (weights(start)[name] - value for name, value in weights(trained[1]).items())
    assert max(difference.abs().max().item() for difference in moved) > 1e-4


@pytest.mark.parametrize("empty_share", [0.0, 1.0])
def test_empty_captions_take_the_share_that_is_asked_for(z, world, tokenizer, empty_share):
    """Only tokens that occur get a gradient: without weight decay's pull the others keep their ratios."""
    _, encoder, _, _ = training.train(
        z, world.caption, tokenizer, seed=1, steps=3, empty_share=empty_share, ema_decay=0.0, **SMALL
    )
    start = training.build_text_encoder(tokenizer, width=16, layers=1, seed=1)
    name = "text_model.embeddings.token_embedding.weight"
    name = name if name in weights(start) else name.removeprefix("text_model.")
    before, after = weights(start)[name], weights(encoder)[name]
    ratio = after / before
    word = tokenizer.convert_tokens_to_ids("plate</w>")
    decayed_alike = (ratio[word] - ratio[tokenizer.convert_tokens_to_ids("q")]).abs().max() < 1e-4
    assert decayed_alike == (empty_share == 1.0)


def test_scheduler_is_stable_diffusions():
    scheduler = training.noise_schedule()
    # Published table: abar_981 .005776, and psi, sigma at index 50 (.97549, .22005).
    abar = scheduler.alphas_cumprod.double().numpy()
    assert abar[981] == pytest.approx(0.005776, abs=1e-6)
    assert np.sqrt(abar[50]) == pytest.approx(0.97549, abs=5e-6)
    assert np.sqrt(1 - abar[50]) == pytest.approx(0.22005, abs=5e-6)
    scheduler.set_timesteps(50)
    assert scheduler.timesteps.tolist() == list(range(981, 0, -20))
    assert scheduler.config.prediction_type == "epsilon"


def test_folder_is_a_stable_diffusion_pipeline(tmp_path, vae, trained, words, tokenizer, world):
    from diffusers import StableDiffusionPipeline

    unet, encoder, scheduler, _ = trained
    training.save(tmp_path, vae=vae[0], text_encoder=encoder, unet=unet, scheduler=scheduler, words=words)
    assert not list(tmp_path.rglob("*.bin"))  # safetensors only
    pipeline = StableDiffusionPipeline.from_pretrained(
        tmp_path, safety_checker=None, local_files_only=True, use_safetensors=True
    )
    pipeline.set_progress_bar_config(disable=True)
    for kept, loaded in (
        (vae[0], pipeline.vae),
        (unet, pipeline.unet),
        (encoder, pipeline.text_encoder),
    ):
        assert equal(kept, loaded)
    assert pipeline.vae.config.scaling_factor == vae[0].config.scaling_factor
    assert type(pipeline.tokenizer).__name__ == "CLIPTokenizer"
    prompt = world.caption[0]
    with torch.no_grad():
        ours = encoder(training.tokens(tokenizer, [prompt, ""])).last_hidden_state
    theirs = pipeline.encode_prompt(prompt, "cpu", 1, True)
    torch.testing.assert_close(torch.cat(theirs), ours)
    noise = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    options = {"guidance_scale": 7.5, "num_inference_steps": 4, "latents": noise, "output_type": "np"}
    image = pipeline(prompt, **options).images
    assert image.shape == (1, 8, 8, 3)
    assert np.isfinite(image).all()


def test_latents_and_captions_must_fit(z, world, tokenizer):
    with pytest.raises(InputError, match="18 captions"):
        training.train(z[:-1], world.caption[:18], tokenizer, seed=0, **SMALL)
    with pytest.raises(InputError, match="shape"):
        training.train(z[:, :, :2], world.caption, tokenizer, seed=0, **SMALL)
    with pytest.raises(InputError, match="shape"):
        vae_.train(np.zeros((2, 1, 8, 8), np.float32), seed=0)


def test_contrastive_loss_is_cross_entropy_and_spreads_over_equal_captions():
    logits = torch.tensor([[2.0, 0.5, -1.0], [0.0, 1.0, 3.0], [1.0, 1.0, 0.0]], dtype=torch.float64)
    p, q = logits.log_softmax(1), logits.log_softmax(0)
    different = clip.contrastive_loss(logits, torch.eye(3, dtype=torch.bool))
    torch.testing.assert_close(different, -(p.diag().mean() + q.diag().mean()) / 2)
    same = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    by_image = -((p[:2, :2].sum() / 2) + p[2, 2]) / 3
    by_caption = -((q[:2, :2].sum() / 2) + q[2, 2]) / 3
    torch.testing.assert_close(clip.contrastive_loss(logits, same), (by_image + by_caption) / 2)


def test_clip_learns_which_caption_belongs_to_an_image(tokenizer, words, x, world, tmp_path):
    from PIL import Image
    from transformers import CLIPModel, CLIPProcessor

    rows = [0, 2, 4, 6, 7, 8]  # distinct images whose captions differ
    texts = [world.caption[i] for i in rows]
    model, history = clip.train(
        x[rows], texts, tokenizer, seed=0, steps=250, learning_rate=3e-3, log_every=50, **CLIP
    )
    assert history.loss.iloc[-1] < 0.7 * history.loss.iloc[0]
    clip.save(tmp_path, model, words)
    loaded = CLIPModel.from_pretrained(tmp_path, local_files_only=True).eval()
    assert equal(model, loaded)
    processor = CLIPProcessor.from_pretrained(tmp_path, local_files_only=True)
    pictures = [Image.fromarray(world.image[i].transpose(1, 2, 0)) for i in rows]
    given = processor(text=texts, images=pictures, return_tensors="pt", padding="max_length")
    np.testing.assert_allclose(given.pixel_values.numpy(), x[rows], atol=1e-5)
    with torch.no_grad():
        best = loaded(**given).logits_per_image.argmax(dim=1)
    assert (best == torch.arange(len(rows))).double().mean() > 0.8


def test_clip_training_is_seeded_and_exchanges_words(tokenizer, x, world):
    keys = sorted({caption_words.key_of(text) for text in world.caption})
    settings = {**CLIP, "seed": 0, "steps": 4, "log_every": 2}
    runs = [
        clip.train(x, world.caption, tokenizer, exchanged=exchanged, **settings)
        for exchanged in (keys, keys, ())
    ]
    assert equal(runs[0][0], runs[1][0])
    pd.testing.assert_frame_equal(runs[0][1], runs[1][1])
    assert not runs[0][1].loss.equals(runs[2][1].loss)
    with pytest.raises(InputError, match="more than one token"):
        clip.train(x, world.caption, tokenizer, exchanged=["zzzzzz"], **settings)
    with pytest.raises(InputError, match="give one for each"):
        clip.train(x, world.caption[1:], tokenizer, **settings)


def test_scripts_make_the_world_and_train_on_it(tmp_path):
    import make_captioned_data
    import train_clip
    import train_model

    from mmh.io.arrays import read_arrays
    from mmh.io.table_files import read_table
    from mmh.io.tables import CAPTIONS, IMAGE_SET, PROMPTS

    names = ("train.npz", "train.parquet", "captions.parquet", "prompts.parquet")
    images, table, captions, prompts = (tmp_path / name for name in names)
    sets = {name: (tmp_path / f"{name}.npz", tmp_path / f"{name}.parquet") for name in captioned_digits.SETS}
    options = {**WORLD, "seed": 0, "prompts": 4, "items": 5}
    make_captioned_data.main(images, table, captions, prompts, sets, world="digits-text", options=options)
    image, ids, label = read_arrays(images, "image", "id", "class")
    assert len(image) == len(ids) == len(label) == len(read_table(captions, CAPTIONS)) == 21
    rows = read_table(prompts, PROMPTS)
    assert set(rows.prompt_set) == set(captioned_digits.SETS)
    for pixels, items in sets.values():
        assert len(read_arrays(pixels, "image")[0]) == len(read_table(items, IMAGE_SET))

    calls: list[tuple[int, int]] = []

    def progress(total):
        return lambda done, **_: calls.append((done, total))

    common = {"seed": 0, "progress": progress}
    train_model.main(
        {"images": images, "table": table, "captions": captions},
        tmp_path / "model",
        tmp_path / "training.csv",
        kind="text-to-image",
        options={
            **{"tokens": 12, "heads": 2, "text_width": 16, "text_layers": 1, "num_train_timesteps": 1000},
            **{"steps": 3, "batch_size": 4, "learning_rate": 1e-3, "ema_decay": 0.99, "empty_share": 0.1},
            "block_out_channels": [16],
            "vae": {
                **{"steps": 2, "batch_size": 8, "learning_rate": 2e-3, "kl_weight": 1e-5},
                **{"block_out_channels": [8, 8], "latent_channels": 4},
            },
        },
        **common,
    )
    assert calls == [(2, 5), (5, 5)]
    history = pd.read_csv(tmp_path / "training.csv")
    assert list(history) == ["part", "step", "loss", "learning_rate"]
    assert history.part.tolist() == ["vae", "unet"]
    index = json.loads((tmp_path / "model" / "model_index.json").read_text())
    assert index["_class_name"] == "StableDiffusionPipeline"
    train_clip.main(
        images,
        table,
        captions,
        tmp_path / "clip",
        tmp_path / "clip.csv",
        options={"tokens": 12, **CLIP, "steps": 2},
        **common,
    )
    assert (tmp_path / "clip" / "model.safetensors").is_file()
