"""The improved-diffusion checkpoint: conversion against a forward pass written from the layout, and refusals."""

import hashlib
import json
import pickle
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import iddpm_reference as reference
import numpy as np
import pytest
import torch
from diffusers import UNet2DModel

from mmh.errors import InputError
from mmh.models.denoising import relative_error, try_denoising
from mmh.models.improved import published as iddpm
from mmh.models.improved.flags import Flags, inferred_size
from mmh.models.improved.model import Architecture, load_folder
from mmh.models.improved.published import load_iddpm

SMALL = reference.SMALL
LAYOUT = {"size": 32, "heads": 4, "learned": True, "scale_shift": True}


def save(state, path):
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def small_state():
    return reference.random_state(**SMALL)


@pytest.fixture(scope="module")
def small_file(small_state, tmp_path_factory):
    return save(small_state, tmp_path_factory.mktemp("small") / "small.pt")


@pytest.fixture(scope="module")
def small(small_file):
    return load_iddpm(small_file)


def errors(state, network, dtype, *, n=2, times=lambda t: t):
    """Largest difference between converted and reference network, relative to the largest output."""
    x, t = reference.inputs(n, dtype)
    with torch.no_grad():
        expected = reference.forward(state, x, t)
        network = network.double() if dtype == torch.float64 else network.float()
        found = network(x, timestep=times(t), return_dict=False)[0]
    network.float()
    return float((found - expected).abs().max() / expected.abs().max()), float(expected.abs().max())


def test_the_published_layout_gives_the_reference_output(tmp_path):
    state = reference.random_state(**reference.FULL)
    assert len(state) == 446
    assert sum(value.numel() for value in state.values()) == 52_546_438
    model = load_iddpm(save(state, tmp_path / "full.pt"))
    assert model.architecture == Architecture((128, 256, 256, 256), 3, (False, True, True, False))
    assert sum(value.numel() for value in model.unet.parameters()) == 52_546_438
    assert model.unet.config.attention_head_dim == 64
    assert not model.unet.training
    single, largest = errors(state, model.unet, torch.float32)
    assert 1 < largest < 4
    assert single <= 8e-6
    assert errors(state, model.unet, torch.float64, n=1)[0] <= 1e-10


@pytest.mark.parametrize(
    "options",
    [
        SMALL,
        {"widths": (32,), "blocks": 1, "attention": ()},
        {"widths": (32, 96, 64, 64), "blocks": 1, "attention": (2, 3)},
        {"widths": (32, 32), "blocks": 3, "attention": (0, 1)},
    ],
    ids=str,
)
def test_other_widths_of_the_layout_are_inferred(options, tmp_path):
    state = reference.random_state(**options, seed=3)
    model = load_iddpm(save(state, tmp_path / "model.pt"))
    assert model.architecture.widths == options["widths"]
    assert model.architecture.blocks == options["blocks"]
    assert [i for i, here in enumerate(model.architecture.attention) if here] == list(options["attention"])
    assert errors(state, model.unet, torch.float64)[0] <= 1e-10
    assert errors(state, model.unet, torch.float32)[0] <= 8e-6


def test_time_features_are_cosines_then_sines_of_the_stated_frequencies():
    t = np.array([0.25, 312.5, 999.75])
    phases = t[:, None] * 10000.0 ** (-np.arange(64) / 64)
    expected = np.concatenate([np.cos(phases), np.sin(phases)], axis=1)
    np.testing.assert_allclose(reference.time_features(torch.tensor(t), 128), expected, atol=1e-4)


def cut_in_three(network, state):
    """Read the joint projection as all queries, all keys, all values."""
    for key, value in state.items():
        if ".qkv." in key:
            name, leaf = key.rsplit(".qkv.", 1)
            module = {source: here for here, source in iddpm._modules(architecture(state)).items()}[name]
            for projection, third in zip(("to_q", "to_k", "to_v"), value.chunk(3), strict=True):
                target = network.get_submodule(f"{module}.{projection}").get_parameter(leaf)
                target.data.copy_(third.reshape(target.shape))
    return network


def architecture(state):
    return iddpm._infer("file", {key: tuple(value.shape) for key, value in state.items()}, Flags())


def rebuilt(**changes):
    def build(network, state):
        other = UNet2DModel.from_config({**network.config, **changes}).eval()
        other.load_state_dict(network.state_dict(), strict=False)
        return other

    return build


MISTAKES = {
    "qkv cut in three blocks": (cut_in_three, 1e-1),
    "head dim 8": (rebuilt(attention_head_dim=8), 1e-1),
    "freq_shift 1": (rebuilt(freq_shift=1), 1e-1),
    "sines first": (rebuilt(flip_sin_to_cos=False), 1e-1),
    "padding 0": (rebuilt(downsample_padding=0), 1e-1),
    "no norm in the middle": (rebuilt(attn_norm_num_groups=None), 1e-1),
    "norm_eps 1e-6": (rebuilt(norm_eps=1e-6), 1e-5),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_the_comparison_sees_a_mistake_in_the_settings(name, small_state, small_file):
    make, least = MISTAKES[name]
    wrong = make(load_iddpm(small_file).unet, small_state)
    assert errors(small_state, wrong, torch.float64)[0] > least


@pytest.mark.parametrize(
    ("times", "least"), [(lambda t: 4 * t, 1e-1), (lambda t: t.round(), 1e-2)], ids=["unscaled", "rounded"]
)
def test_the_comparison_sees_a_mistake_in_the_time(times, least, small_state, small):
    assert errors(small_state, small.unet, torch.float64, times=times)[0] > least


def test_the_score_model_has_the_schedule_the_time_scale_and_three_outputs(small, small_state):
    score = small.score_model()
    assert score.shape == (3, 32, 32)
    assert score.schedule.sigma(1e-5) ** 2 == pytest.approx(9.866e-6, rel=1e-4)
    assert score.schedule.psi(1.0) ** 2 == pytest.approx(1.518e-10, rel=1e-3)
    assert score.schedule.sigma(0.1) == pytest.approx(0.16744, abs=5e-6)
    assert score.schedule.psi(0.1) == pytest.approx(0.98588, abs=5e-6)
    x, _ = reference.inputs(2)
    for t, level in ((0.1, 400), (0.00075, 3), (1.0, 3999)):
        with torch.no_grad():
            expected = reference.forward(small_state, x, torch.full((2,), level / 4))[:, :3]
            torch.testing.assert_close(score.eps(x, t), expected, rtol=0, atol=2e-5)


def test_the_score_model_works_in_double_precision(small_file, small_state):
    model = load_iddpm(small_file)
    model.unet.double()
    x, _ = reference.inputs(2, torch.float64)
    with torch.no_grad():
        expected = reference.forward(small_state, x, torch.full((2,), 0.75))[:, :3]
        found = model.score_model().eps(x, 0.00075)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)


def test_a_folder_gives_the_same_network_back(small, small_file, tmp_path):
    small.save(tmp_path / "model")
    again = load_folder(tmp_path / "model")
    assert again.architecture == small.architecture
    assert again.sha256 == hashlib.sha256(small_file.read_bytes()).hexdigest()
    assert again.schedule == small.schedule
    assert again.time_scale == 0.25
    assert not again.unet.training
    assert again.attention() == small.attention() == "AttnProcessor2_0"
    before, after = small.unet.state_dict(), again.unet.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(before[key], after[key]) for key in before)
    options = {"seed": 1, "batch_size": 2, "respacing": "4"}
    assert again.sample([0, 1], **options).tobytes() == small.sample([0, 1], **options).tobytes()
    small.save(tmp_path / "other")
    for file in (tmp_path / "model").rglob("*"):
        if file.is_file():
            twin = tmp_path / "other" / file.relative_to(tmp_path / "model")
            assert file.read_bytes() == twin.read_bytes()


def test_the_folder_is_a_diffusers_pipeline_of_the_right_process(small, tmp_path):
    from diffusers import DDPMPipeline

    small.save(tmp_path)
    pipeline = DDPMPipeline.from_pretrained(tmp_path, local_files_only=True)
    x, t = reference.inputs(1)
    with torch.no_grad():
        assert torch.equal(pipeline.unet(x, timestep=t).sample, small.unet(x, timestep=t).sample)
    assert len(pipeline.scheduler.alphas_cumprod) == 4000
    assert pipeline.scheduler.config.variance_type == "learned_range"
    levels = small.schedule.psi((np.arange(4000) + 0.25) / 4000) ** 2
    np.testing.assert_allclose(pipeline.scheduler.alphas_cumprod, levels, rtol=1e-3, atol=1e-7)


def test_the_script_writes_the_folder_and_says_what_it_found(small, small_file, tmp_path, capsys):
    from convert_model import main

    found = main(
        small_file, tmp_path / "model", kind="iddpm", options={"source": "small.pt"}, sha256=small.sha256
    )
    assert found.pop("denoising error") >= 1
    assert found.pop("denoising tried on") == "samples of its own"
    assert "no better than a scaled input" in found.pop("warning")
    assert json.loads(json.dumps(found)) == {
        "sha256": hashlib.sha256(small_file.read_bytes()).hexdigest(),
        "architecture": {"widths": [32, 64, 64], "blocks": 2, "attention": [False, True, False], **LAYOUT},
        "parameters": sum(np.prod(shape) for shape in reference.layout(**SMALL).values()),
        "attention": "AttnProcessor2_0",
        "assumed": "image_size 32, num_heads 4, 4000 diffusion_steps of the cosine schedule, the time rescaled "
        "to 1000; the file does not say, and other flags have the same tensors. The size: attention begins at "
        "16 pixels by default",
    }
    assert small.sha256 in capsys.readouterr().out
    assert load_folder(tmp_path / "model").architecture == small.architecture


@pytest.mark.parametrize(
    ("widths", "attention", "size"),
    [
        ((128, 256, 256, 256), (False, True, True, False), 32),
        ((32, 64, 96, 128), (False, False, True, True), 64),
        ((32, 32, 64, 64, 128, 128), (False,) * 4 + (True,) * 2, 256),
        ((32, 32, 32, 32), (False, False, True, True), 64),
        ((32, 64), (False, True), 32),
        ((32, 32), (False, False), 32),
    ],
)
def test_the_size_is_what_widths_or_else_attention_say(widths, attention, size):
    assert inferred_size(widths, attention)[0] == size


def test_declared_flags_are_taken_kept_and_said(small_state, tmp_path):
    from convert_model import main

    flags = {"image_size": 16, "num_heads": 2, "diffusion_steps": 1000, "noise_schedule": "linear"}
    file = save(
        {**small_state, "out.2.weight": torch.zeros(3, 32, 3, 3), "out.2.bias": torch.zeros(3)},
        tmp_path / "m",
    )
    found = main(file, tmp_path / "model", kind="iddpm", options={"source": "m", **flags})
    assert "image_size 16, num_heads 2, 1000 diffusion_steps of the linear schedule" in found["assumed"]
    assert found["assumed"].endswith("The size: declared")
    model = load_folder(tmp_path / "model")
    assert model.flags == Flags(**flags)
    assert model.architecture.learned is False
    assert model.unet.config.attention_head_dim == 32
    assert model.sample([0], seed=0, batch_size=1, respacing="3").shape == (1, 3, 16, 16)
    # The repository's linear law: betas from .0001 to .02 at 1000 levels, with the level as the time.
    levels = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    score = model.score_model()
    np.testing.assert_allclose(score.schedule.psi((np.arange(1, 1000)) / 1000) ** 2, levels[1:], rtol=1e-12)
    assert model.time_scale == 1.0
    refused("3 heads do not divide", load_iddpm, file, flags=Flags(num_heads=3))
    refused("too many for 2 pixels", load_iddpm, file, flags=Flags(image_size=2))


def test_time_that_is_added_to_features_is_known_by_its_shape(small_state, tmp_path):
    state = {k: v[: len(v) // 2] if "emb_layers" in k else v for k, v in small_state.items()}
    model = load_iddpm(save(state, tmp_path / "added.pt"))
    assert model.architecture.scale_shift is False
    assert model.unet.config.resnet_time_scale_shift == "default"


def test_the_scores_of_other_flags_are_those_of_a_conversion_with_them(small, small_file):
    others = dict(small.others())
    assert set(others) == {
        "noise_schedule: linear",
        "rescale_timesteps: false",
        "noise_schedule: linear, rescale_timesteps: false",
        *(f"num_heads: {heads}" for heads in (1, 2, 8)),
    }
    z = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for said, score in others.items():
        changes = dict(part.split(": ") for part in said.split(", "))
        kinds = {"num_heads": int, "rescale_timesteps": lambda text: text == "true"}
        flags = Flags(**{key: kinds.get(key, str)(value) for key, value in changes.items()})
        again = load_iddpm(small_file, flags=flags).score_model()
        assert torch.equal(score.eps(z, 0.3), again.eps(z, 0.3)), said


def ideal(flags, variance=0.25):
    """The noise predictor of images of one shade, normal with a variance, as a network of these flags has it."""
    table = (
        flags.schedule().psi(np.maximum(np.arange(flags.diffusion_steps), 0.25) / flags.diffusion_steps) ** 2
    )

    def forward(self, x, timestep, return_dict):
        level = torch.as_tensor(table)[(timestep / flags.time_scale).round().long().clamp(0, len(table) - 1)]
        level = level.to(x.dtype)[:, None, None, None]
        signal, rest = level * variance, (1 - level) / x[0].numel()
        clean = x.mean(dim=(1, 2, 3), keepdim=True) * signal / (signal + rest)
        eps = (x - clean) / (1 - level).sqrt()
        return (torch.cat([eps, torch.zeros_like(eps)], dim=1),)

    return forward


TRUE = {
    "noise_schedule: cosine": Flags(),
    "noise_schedule: linear": Flags(noise_schedule="linear"),
    "rescale_timesteps: false": Flags(rescale_timesteps=False),
}


@pytest.mark.parametrize(
    ("true", "stated", "at_hand"),
    [
        *((true, stated, True) for true in TRUE for stated in TRUE if "cosine" in true + stated),
        *((true, "noise_schedule: cosine", False) for true in TRUE),
    ],
)
def test_flags_are_refused_if_others_denoise_better(small, monkeypatch, true, stated, at_hand):
    model = replace(small, flags=TRUE[stated])
    monkeypatch.setattr(UNet2DModel, "forward", ideal(TRUE[true]))
    shades = 0.5 * np.random.default_rng(0).standard_normal((8, 1, 1, 1))
    images = np.broadcast_to(shades, (8, 3, 32, 32)).astype(np.float32) if at_hand else None
    if true == stated:
        found = try_denoising(model, images, name="theirs")
        assert found["denoising error"] < 0.05
        assert "warning" not in found
        return
    if not at_hand:  # by wrong flags it may draw nothing that tells flags apart, and is warned of
        try:
            said = try_denoising(model, name="theirs").get("warning", "")
        except InputError as error:
            said = str(error)
        assert "samples of its own" in said
        return
    message = refused("^theirs: with what is stated of it", try_denoising, model, images, name="theirs")
    assert "training images" in message
    if TRUE[stated] == Flags():
        assert f"with {true} it would be" in message


def test_the_error_of_scaling_the_input_is_one(small, monkeypatch):
    def forward(self, x, timestep, return_dict):
        level = torch.as_tensor(table)[(timestep * 4).round().long()].to(x.dtype)[:, None, None, None]
        return (x * (1 - level).sqrt() / (0.25 * level + 1 - level),)

    table = Flags().schedule().psi(np.maximum(np.arange(4000), 0.25) / 4000) ** 2
    monkeypatch.setattr(UNet2DModel, "forward", forward)
    images = 0.5 * np.random.default_rng(0).standard_normal((8, 3, 32, 32)).astype(np.float32)
    assert relative_error(small.score_model(), images) == pytest.approx(1, abs=0.02)
    with pytest.raises(InputError, match="the model makes 3 x 32 x 32, and the images are 3 x 16 x 16"):
        try_denoising(small, images[:, :, :16, :16], name="theirs")


def test_tensors_that_share_memory_can_be_saved(small_state, tmp_path):
    state = {**small_state, "out.0.bias": small_state["out.0.weight"]}
    load_iddpm(save(state, tmp_path / "shared.pt")).save(tmp_path / "model")
    norm = load_folder(tmp_path / "model").unet.conv_norm_out
    assert torch.equal(norm.weight, state["out.0.weight"])
    assert torch.equal(norm.bias, state["out.0.weight"])


def test_images_are_clipped_float32_and_depend_on_seed_and_id(small):
    options = {"seed": 1, "batch_size": 2, "respacing": "3"}
    images = small.sample(np.arange(3), **options)
    assert images.shape == (3, 3, 32, 32)
    assert images.dtype == np.float32
    assert np.abs(images).max() <= 1
    assert small.sample([2, 0], **options).tobytes() == images[[2, 0]].tobytes()
    assert not np.array_equal(small.sample([0], **{**options, "sampler": "ddim"}), images[:1])
    assert small.latents([0], seed=1) == {}


def test_the_network_is_told_the_original_level_times_a_quarter(small, monkeypatch):
    heard = []

    def listen(x, timestep, return_dict):
        heard.append(timestep)
        return (torch.zeros(len(x), 6, 32, 32),)

    monkeypatch.setattr(small.unet, "forward", listen)
    small.sample([0], seed=0, batch_size=2, respacing="10")
    # Nine strides of 3999 / 9 = 444.33 from 0, rounded.
    levels = [3999, 3555, 3110, 2666, 2222, 1777, 1333, 889, 444, 0]
    assert [t.tolist() for t in heard] == [[level / 4] * 2 for level in levels]
    assert all(t.is_floating_point() for t in heard)
    heard.clear()
    shorter = replace(small, flags=Flags(diffusion_steps=2000))
    shorter.sample([0], seed=0, batch_size=1, respacing="3")
    assert [t.tolist() for t in heard] == [[999.5], [500.0], [0.0]]


# Refusals


class Code:
    def __reduce__(self):
        return (eval, ("1 + 1",))


def written(path, content):
    path.write_bytes(content)
    return path


def archive(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme.txt", "nothing of the kind")
    return path


WRONG_FILES = {
    "text": lambda path, good: written(path, b"<!DOCTYPE html><html>404</html>"),
    "empty": lambda path, good: written(path, b""),
    "truncated": lambda path, good: written(path, good.read_bytes()[:-5000]),
    "half": lambda path, good: written(path, good.read_bytes()[: good.stat().st_size // 2]),
    "another archive": lambda path, good: archive(path),
    "a pickle with code": lambda path, good: written(path, pickle.dumps(Code(), protocol=2)),
    "a checkpoint with code": lambda path, good: save({"input_blocks.0.0.weight": Code()}, path),
    "a list": lambda path, good: save([torch.zeros(1)], path),
    "a tensor": lambda path, good: save(torch.zeros(1), path),
    "a wrapped state dict": lambda path, good: save({"state_dict": torch.load(good)}, path),
    "a number": lambda path, good: save({"input_blocks.0.0.weight": 1}, path),
    "another network": lambda path, good: save({"conv.weight": torch.zeros(4, 3, 3, 3)}, path),
    "nothing": lambda path, good: save({}, path),
    "no file": lambda path, good: path,
    "a folder": lambda path, good: path.mkdir() or path,
}


def refused(match, call, *arguments, **options):
    with pytest.raises(InputError, match=match) as error:
        call(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", WRONG_FILES)
def test_a_wrong_file_is_named_in_one_line(name, small_file, tmp_path):
    file = WRONG_FILES[name](tmp_path / "bad.pt", small_file)
    message = refused(r"bad\.pt .*state dict", load_iddpm, file)
    assert str(file) in message


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    witness = tmp_path / "witness"

    class Toucher:
        def __reduce__(self):
            return (open, (str(witness), "w"))

    save({"input_blocks.0.0.weight": Toucher()}, tmp_path / "bad.pt")
    refused("nothing of it was run", load_iddpm, tmp_path / "bad.pt")
    assert not witness.exists()


def test_another_digest_is_refused(small_file):
    digest = hashlib.sha256(small_file.read_bytes()).hexdigest()
    assert load_iddpm(small_file, sha256=digest.upper()).sha256 == digest
    refused(digest, load_iddpm, small_file, sha256="0" * 64)


MIDDLE = "middle_block.1.qkv.weight"
DAMAGE = {
    "missing": (lambda s: s.pop(MIDDLE), rf"lacks the tensor {MIDDLE} of shape \(192, 64, 1\)"),
    "misshapen": (
        lambda s: s.update({MIDDLE: s[MIDDLE][..., 0]}),
        rf"{MIDDLE} of shape \(192, 64\), expected \(192, 64, 1\)",
    ),
    "left over": (lambda s: s.update({"label_emb.weight": torch.zeros(10, 128)}), r"label_emb\.weight"),
    "three outputs of six": (
        lambda s: s.update({"out.2.weight": s["out.2.weight"][:3]}),
        r"out\.2\.bias of shape \(6,\), expected \(3,\)",
    ),
    "four outputs": (
        lambda s: s.update({"out.2.weight": s["out.2.weight"][:4]}),
        r"out\.2\.weight of shape \(4, 32, 3, 3\), expected \(6, 32, 3, 3\)",
    ),
    "four channels": (
        lambda s: s.update({"input_blocks.0.0.weight": torch.zeros(32, 4, 3, 3)}),
        r"input_blocks\.0\.0\.weight of shape \(32, 4, 3, 3\), expected \(32, 3, 3, 3\)",
    ),
    "half precision": (lambda s: s.update({MIDDLE: s[MIDDLE].half()}), rf"{MIDDLE} in torch.float16"),
    "no numbers": (lambda s: s.update({MIDDLE: s[MIDDLE].to("meta")}), rf"{MIDDLE} in .* dense"),
    "sparse": (lambda s: s.update({MIDDLE: s[MIDDLE].to_sparse()}), rf"{MIDDLE} in .* dense"),
    "not finite": (lambda s: s[MIDDLE].view(-1)[5].fill_(float("nan")), rf"{MIDDLE} with .*not finite"),
    "no shift": (
        lambda s: s.update({"middle_block.0.emb_layers.1.weight": torch.zeros(64, 128)}),
        r"middle_block\.0\.emb_layers\.1\.weight of shape \(64, 128\), expected \(128, 128\)",
    ),
    "a bias short": (
        lambda s: s.update({"time_embed.0.bias": torch.zeros(7)}),
        r"time_embed\.0\.bias of shape \(7,\), expected \(128,\)",
    ),
    "no attention behind one block": (
        lambda s: [s.pop(key) for key in list(s) if key.startswith("input_blocks.5.1.")],
        r"lacks the tensor input_blocks\.5\.1\.\S+ of shape",
    ),
    "no first block": (
        lambda s: s.pop("input_blocks.1.0.in_layers.2.weight"),
        r"lacks the tensor input_blocks\.1\.0\.in_layers\.2\.weight",
    ),
    "a scalar": (
        lambda s: s.update({"input_blocks.0.0.weight": torch.tensor(1.0)}),
        r"input_blocks\.0\.0\.weight of shape \(\)",
    ),
    "prefixed": (
        lambda s: [s.update({f"module.{key}": s.pop(key)}) for key in list(s)],
        r"lacks the tensor input_blocks\.0\.0\.weight",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_state_dict_that_does_not_fit_is_refused_by_tensor(name, small_state, tmp_path):
    change, match = DAMAGE[name]
    state = {key: value.clone() for key, value in small_state.items()}
    change(state)
    refused(rf"bad\.pt .*{match}", load_iddpm, save(state, tmp_path / "bad.pt"))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"widths": (64, 32, 32), "blocks": 1, "attention": (0,)}, r"64 channels in input_blocks\.1\.1\.qkv"),
        ({"widths": (32,) * 7, "blocks": 1, "attention": ()}, r"7 levels, up to input_blocks\.13\.0"),
    ],
)
def test_layouts_that_the_network_cannot_have_are_refused(options, match, tmp_path):
    refused(match, load_iddpm, save(reference.random_state(**options), tmp_path / "bad.pt"))


@pytest.mark.parametrize("width", [48, 16])
def test_widths_that_the_norms_do_not_divide_are_refused(width, small_state, tmp_path):
    state = {**small_state, "input_blocks.0.0.weight": torch.zeros(width, 3, 3, 3)}
    refused(rf"\({width}, 3, 3, 3\).*32", load_iddpm, save(state, tmp_path / "bad.pt"))


def test_an_input_narrower_than_the_first_level_is_refused(small_state, tmp_path):
    state = {**small_state, "input_blocks.0.0.weight": torch.zeros(64, 3, 3, 3)}
    refused("of width 32, expected 64", load_iddpm, save(state, tmp_path / "bad.pt"))


@pytest.fixture
def folder(small, tmp_path):
    small.save(tmp_path / "model")
    return tmp_path / "model"


def rewrite(file, **changes):
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.parametrize(
    "name", ["process.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors"]
)
def test_a_missing_or_truncated_file_of_the_folder_is_named(name, folder):
    file = folder / name
    content = file.read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"[1]"):
        file.write_bytes(damaged)
        assert str(file) in refused("convert_model", load_folder, folder)
    file.unlink()
    assert str(file) in refused("is missing.*convert_model", load_folder, folder)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"kind": "other"}, "'other'"),
        ({"flags": None}, "TypeError"),
        ({"flags": {"diffusion_steps": "many"}}, "TypeError"),
        ({"flags": {"noise": 3}}, "wrong one"),
        ({"architecture": {"widths": [32, 64, 64], "blocks": 2}}, "attention"),
        ({"architecture": {"widths": [], "blocks": 2, "attention": [], **LAYOUT}}, "IndexError"),
        (
            {"architecture": {"widths": [32, 64, 64], "blocks": 3, "attention": [0, 1, 0], **LAYOUT}},
            "config.json has layers_per_block 2 where process.json needs 3",
        ),
    ],
)
def test_a_process_that_does_not_fit_is_refused(changes, match, folder):
    rewrite(folder / "process.json", **changes)
    refused(match, load_folder, folder)


@pytest.mark.parametrize("key", ["freq_shift", "attn_norm_num_groups", "attention_head_dim", "act_fn"])
def test_another_setting_of_the_network_is_refused(key, folder):
    rewrite(folder / "unet" / "config.json", **{key: 1})
    refused(f"config.json has {key} 1 where", load_folder, folder)


def test_weights_of_another_network_are_refused(folder, small):
    from safetensors.torch import save_file

    tensors = {key: value.clone() for key, value in small.unet.state_dict().items()}
    tensors["conv_in.weight"] = torch.zeros(32, 4, 3, 3)
    save_file(tensors, folder / "unet" / "diffusion_pytorch_model.safetensors")
    refused(r"conv_in\.weight of shape \(32, 4, 3, 3\)", load_folder, folder)


def test_the_package_imports_neither_loader_before_it_is_asked_for():
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]; import mmh.checkpoints as c\n"
        "assert 'torch' not in sys.modules\n"
        "assert c.load_iddpm.__module__ == 'mmh.models.improved.published'\n"
        "assert 'mmh.models.stylegan.published' not in sys.modules"
    )
    scripts = str(Path(iddpm.__file__).parents[3])
    subprocess.run([sys.executable, "-c", code, scripts], check=True)
