"""Folders of models as people have them: read, or refused at import with what is in their way."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel
from safetensors.torch import load_file, save_file
from tiny_pipeline import write_pipeline

from mmh.compute import rng
from mmh.diffusion.ddim import ddim_scheduler
from mmh.errors import InputError
from mmh.models import importing
from mmh.models.ddpm import model as ddpm_model
from mmh.models.loading import load_model
from mmh.models.trial import try_model

PLAIN = "diffusion_pytorch_model.safetensors"


def image_folder(folder: Path, scheduler: Any = None, **changes: Any) -> Path:
    """A UNet2DModel of 3 x 16 x 16, changed."""
    given = {
        "sample_size": 16,
        "in_channels": 3,
        "out_channels": 3,
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "down_block_types": ("DownBlock2D",) * 2,
        "up_block_types": ("UpBlock2D",) * 2,
    }
    torch.manual_seed(0)
    ddpm_model.save(folder, UNet2DModel(**{**given, **changes}), scheduler or DDPMScheduler(1000))
    return folder


def imported(source: Path, form: dict[str, int] | None = None) -> tuple[Any, dict[str, Any]]:
    """What an import leaves, and what it says."""
    out = source.parent / f"{source.name}-imported"
    options = SimpleNamespace(
        path=str(source), id=None, revision=None, mirrors=None, lora=None, lora_scale=1.0
    )
    importing.make(out, options, offline=True)
    model = load_model(out)
    return model, try_model(model, form, name=str(source))


def edit(file: Path, **changes: Any) -> None:
    content = json.loads(file.read_text())
    file.write_text(json.dumps({k: v for k, v in {**content, **changes}.items() if v is not ...}))


def edited(folder: Path, **changes: Any) -> Path:
    """The same folder with changes in the description of its network."""
    edit(folder / "unet" / "config.json", **changes)
    return folder


@pytest.mark.parametrize(
    "changes", [{}, {"sample_size": [16, 16]}, {"out_channels": 6}, {"num_class_embeds": 3}]
)
def test_a_model_that_samples_is_taken(tmp_path: Path, changes: dict[str, Any]) -> None:
    model, found = imported(image_folder(tmp_path / "theirs", **changes), {"size": 16, "channels": 3})
    assert found["shape"] == [3, 16, 16]
    assert np.isfinite(found["trial"]).all()
    assert model.sample(np.arange(3), seed=0, steps=2, batch_size=3).shape == (3, 3, 16, 16)


def test_a_sigmoid_schedule_samples_as_its_own_table_says(tmp_path: Path) -> None:
    scheduler = DDPMScheduler(100, beta_schedule="sigmoid", clip_sample=False)
    model, _ = imported(image_folder(tmp_path / "theirs", scheduler))
    torch.testing.assert_close(model.scheduler.alphas_cumprod, scheduler.alphas_cumprod)
    ours = model.sample(np.arange(1), seed=0, steps=4, batch_size=1)
    # The update of DDIM, written out over DDPM's own table.
    z = torch.as_tensor(rng.normal(0, "initial-noise", np.arange(1), (3, 16, 16))).float()
    table = scheduler.alphas_cumprod
    for step in (75, 50, 25, 0):
        with torch.no_grad():
            noise = model.unet(z, step).sample
        before = table[step - 25] if step else torch.tensor(1.0)
        clean = (z - (1 - table[step]).sqrt() * noise) / table[step].sqrt()
        z = before.sqrt() * clean + (1 - before).sqrt() * noise
    np.testing.assert_allclose(ours, z.numpy(), atol=1e-4)


ZERO = DDIMScheduler(1000, rescale_betas_zero_snr=True, timestep_spacing="trailing", clip_sample=False)
REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "other size": (
        lambda f: image_folder(f, sample_size=8),
        r"makes 3 x 8 x 8, and the images are 3 x 16 x 16",
    ),
    "not square": (lambda f: image_folder(f, sample_size=[8, 16]), r"makes 3 x 8 x 16, and the images are"),
    "grey": (lambda f: image_folder(f, in_channels=1, out_channels=1), r"makes 1 x 16 x 16, and the images"),
    "6 inputs": (
        lambda f: image_folder(f, in_channels=6),
        r"theirs: unet/config\.json: 6 channels go in and 3 come out",
    ),
    "zero terminal SNR": (lambda f: image_folder(f, ZERO), r"zero terminal SNR.*timestep_spacing to leading"),
    "three sides": (
        lambda f: edited(image_folder(f), sample_size=[8, 8, 8]),
        r"sample_size \[8, 8, 8\]; expected is a number of pixels, or \[height, width\]",
    ),
    "no side": (
        lambda f: edited(image_folder(f), sample_size=None),
        r"names no sample_size; state it in its config.json",
    ),
    "classes by vectors": (
        lambda f: image_folder(f, class_embed_type="identity"),
        r"class_embed_type 'identity'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_model_that_does_not_fit_is_refused_before_it_samples(name: str, tmp_path: Path) -> None:
    make, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        imported(make(tmp_path / "theirs"), {"size": 16, "channels": 3})


def test_a_text_to_image_folder_in_place_of_an_unconditional_one_is_pointed_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"theirs: is a text-to-image model.*block stable-diffusion"):
        imported(write_pipeline(tmp_path / "theirs"), {"size": 8, "channels": 3})


def test_whole_steps_are_taken_and_others_refused(tmp_path: Path) -> None:
    model, _ = imported(image_folder(tmp_path / "theirs", DDPMScheduler(20)))
    drawn = [model.sample(np.arange(1), seed=0, steps=steps, batch_size=1) for steps in (2, 2.0)]
    assert np.array_equal(*drawn)
    for steps in (2.5, 0, 21):
        with pytest.raises(InputError, match=f"DDIM takes 1 to 20 whole steps with this model, got {steps}"):
            model.sample(np.arange(1), seed=0, steps=steps, batch_size=1)


def test_a_sigmoid_schedule_that_was_not_read_from_a_file_is_kept() -> None:
    scheduler = DDPMScheduler(100, beta_schedule="sigmoid")
    table = ddim_scheduler(scheduler.config).alphas_cumprod
    torch.testing.assert_close(table, scheduler.alphas_cumprod, rtol=1e-5, atol=1e-6)


def with_parts(**parts: Any) -> Callable[[Path], None]:
    return lambda folder: edit(folder / "model_index.json", **parts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            with_parts(_class_name="LDMPipeline", vqvae=["diffusers", "VQModel"]),
            r"LDMPipeline with vqvae \(VQModel\)",
        ),
        (
            with_parts(_class_name="ScoreSdeVePipeline"),
            "a ScoreSdeVePipeline, which samples in a way of its own",
        ),
        (with_parts(_class_name=["my_pipeline", "Mine"]), "a Mine, which samples"),
    ],
)
def test_a_pipeline_with_unread_parts_is_refused_by_name(change: Any, message: str, tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "theirs")
    change(folder)
    with pytest.raises(InputError, match=message) as error:
        imported(folder)
    assert str(folder) in str(error.value)
    assert "imported" not in str(error.value)


def test_a_part_that_is_not_there_counts_for_nothing(tmp_path: Path) -> None:
    folder = write_pipeline(tmp_path / "theirs")
    edit(folder / "model_index.json", safety_checker=[None, None], image_encoder=[None, None])
    assert imported(folder)[1]["shape"] == [4, 4, 4]
    edit(folder / "model_index.json", image_encoder=["transformers", "CLIPVisionModelWithProjection"])
    with pytest.raises(InputError, match="image_encoder"):
        imported(folder.rename(tmp_path / "others"))


def test_a_fault_of_a_copy_is_told_of_the_folder_that_was_given(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "theirs")
    (folder / "unet" / PLAIN).write_bytes(b"no tensors")
    with pytest.raises(InputError) as error:
        imported(folder)
    assert str(folder / "unet" / PLAIN) in str(error.value)
    assert "imported" not in str(error.value)
    assert "delete the model folder" not in str(error.value)


def test_an_inpainting_network_is_refused_at_import(tmp_path: Path) -> None:
    folder = write_pipeline(tmp_path / "theirs")
    weights = load_file(folder / "unet" / PLAIN)
    first = weights["conv_in.weight"]
    weights["conv_in.weight"] = torch.cat([first, first[:, :1].repeat(1, 5, 1, 1)], dim=1)
    save_file(weights, folder / "unet" / PLAIN)
    edit(folder / "unet" / "config.json", in_channels=9)
    with pytest.raises(InputError, match="9 channels go in and 4 come out"):
        imported(folder)


def shards(folder: Path, name: str = PLAIN, variant: str = "") -> None:
    """Cut the weights into two files with an index, as diffusers writes them."""
    weights = load_file(folder / name)
    stem, keys = name.removesuffix(".safetensors"), sorted(weights)
    dot = f".{variant}" if variant else ""
    files = {f"{stem}{dot}-0000{i + 1}-of-00002.safetensors": keys[i::2] for i in range(2)}
    for file, part in files.items():
        save_file({key: weights[key] for key in part}, folder / file)
    index = {"metadata": {}, "weight_map": {key: file for file, part in files.items() for key in part}}
    (folder / f"{stem}.safetensors.index{dot}.json").write_text(json.dumps(index))
    (folder / name).unlink()


def variant(folder: Path) -> None:
    (folder / PLAIN).rename(folder / PLAIN.replace(".safetensors", ".fp16.safetensors"))


@pytest.mark.parametrize("change", [shards, variant, lambda folder: shards(folder, variant="fp16")])
def test_shards_and_a_single_variant_are_read(change: Callable[[Path], None], tmp_path: Path) -> None:
    plain, other = (image_folder(tmp_path / name) for name in ("plain", "other"))
    change(other / "unet")
    assert not (other / "unet" / PLAIN).exists()
    samples = [imported(one)[0].sample(np.arange(2), seed=0, steps=2, batch_size=2) for one in (plain, other)]
    np.testing.assert_array_equal(*samples)


def test_what_lies_there_instead_of_weights_is_named(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "theirs")
    (folder / "unet" / PLAIN).rename(folder / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(InputError, match=r"diffusion_pytorch_model\.bin, which are pickles.*save_pretrained"):
        imported(folder)
    (folder / "unet" / "diffusion_pytorch_model.bin").unlink()
    with pytest.raises(InputError, match=r"theirs/unet: holds no .*, only config\.json"):
        imported(folder)


def test_two_variants_leave_a_choice(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "theirs")
    weights = (folder / "unet" / PLAIN).read_bytes()
    variant(folder / "unet")
    (folder / "unet" / PLAIN.replace(".safetensors", ".bf16.safetensors")).write_bytes(weights)
    with pytest.raises(InputError, match=r"2 variants \(bf16, fp16\)"):
        imported(folder)


def test_a_lost_shard_is_named(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "theirs")
    shards(folder / "unet")
    (folder / "unet" / PLAIN.replace(".safetensors", "-00002-of-00002.safetensors")).unlink()
    with pytest.raises(InputError, match="lacks diffusion_pytorch_model-00002-of-00002"):
        imported(folder)


def test_a_tokenizer_of_one_file_is_read(tmp_path: Path) -> None:
    folder = write_pipeline(tmp_path / "theirs")
    first, _ = imported(folder)
    first.tokenizer.save_pretrained(tmp_path / "saved")
    assert (tmp_path / "saved" / "tokenizer.json").is_file()
    for name in ("vocab.json", "merges.txt"):
        (folder / "tokenizer" / name).unlink()
    (folder / "tokenizer" / "tokenizer.json").write_bytes(
        (tmp_path / "saved" / "tokenizer.json").read_bytes()
    )
    second, _ = imported(folder.rename(tmp_path / "one-file"))
    prompts = ["the red plate", "digit seven"]
    torch.testing.assert_close(first.tokens(prompts)[0], second.tokens(prompts)[0])
