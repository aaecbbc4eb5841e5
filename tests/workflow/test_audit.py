"""`mmh audit` from files to the page, of every kind of model: one with classes, a GAN's pickle, one with a LoRA."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import stylegan2_pickles
import torch
from diffusers import DDIMScheduler, UNet2DModel
from PIL import Image
from safetensors.torch import save_file
from tiny_pipeline import write_pipeline

from mmh.command.parser import main
from mmh.models.ddpm.model import save
from mmh.models.stylegan.generator import Generator

SIDE, N = 8, 24
SMALL = {"n_samples": 40, "shard_size": 40, "steps": 2, "trace": 1, "bootstrap": 2, "generations": 2}


def pictures(
    folder: Path, n: int, seed: int, *, side: int = SIDE, colours: int = 1, classes: int = 0
) -> Path:
    random = np.random.default_rng(seed)
    for number in range(n):
        place = folder / f"class {number % classes}" if classes else folder
        place.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (side, side, colours), dtype=np.uint8)
        Image.fromarray(pixels.squeeze()).save(place / f"{number:02d}.png")
    return folder


def unet(folder: Path, classes: int | None = None) -> Path:
    network = UNet2DModel(
        sample_size=SIDE,
        in_channels=1,
        out_channels=1,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        num_class_embeds=classes,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
    )
    save(folder, network, DDIMScheduler(num_train_timesteps=100))
    return folder


def audited(out: Path, *words: object) -> Path:
    """Ask with as few samples as there can be; gives the folder of the answer."""
    command = ["audit", *map(str, words), "--out", str(out), "--cores", "2"]
    assert main([*command, "--dry-run"]) == 0
    text = (out / "config.yaml").read_text()
    for key, value in SMALL.items():
        text = re.sub(rf"(\b{key}: )\d+", rf"\g<1>{value}", text)
    (out / "config.yaml").write_text(text)
    assert main(command) == 0
    return out


class Descriptor(torch.nn.Module):
    """Mean colours of sixteen parts, in place of SSCD."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(x, 4).flatten(1)


@pytest.mark.slow
@pytest.mark.long
def test_an_audit_gives_one_sentence_and_one_page(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model, mine, held = unet(tmp_path / "model"), tmp_path / "mine", tmp_path / "held"
    pictures(mine, N, 0)
    pictures(held, N, 1)
    torch.jit.script(Descriptor()).save(str(tmp_path / "sscd.pt"))
    words = ("--model", model, "--images", mine, "--holdout", held, "--sscd", tmp_path / "sscd.pt")
    out = audited(tmp_path / "out", *words)
    said = capfd.readouterr().out
    table = pd.read_csv(out / "audit.csv")
    page = (out / "audit.html").read_text()
    sentence = re.search(r'<p class="answer[^>]*>([^<]+)</p>', page)
    assert sentence is not None
    assert sentence[1] in said
    assert sorted(table["file"]) == [f"{number:02d}.png" for number in range(N)]
    assert table["p"].between(1 / (N + 1), 1).all()
    assert {"lid_model", "lid_data", "verdict", "sscd", "p_sscd"} <= set(table)
    assert table["sscd"].between(-1, 1.000001).all()
    assert "Samples beyond the 40 that were drawn" in page
    assert "by the copy descriptor" in page


@pytest.mark.slow
@pytest.mark.long
def test_of_a_model_with_classes_each_image_is_scored_given_its_own(tmp_path: Path) -> None:
    mine, held = (pictures(tmp_path / name, N, seed, classes=3) for seed, name in enumerate(("mine", "held")))
    words = ("--model", unet(tmp_path / "model", 3), "--images", mine, "--holdout", held)
    table = pd.read_csv(audited(tmp_path / "out", *words) / "audit.csv")
    assert set(table["file"].str.split("/").str[0]) == {"class 0", "class 1", "class 2"}
    assert table[["lid_model", "p_lid", "p_close"]].notna().all(axis=None)


@pytest.mark.slow
@pytest.mark.long
def test_a_pickled_gan_is_asked_by_its_samples(tmp_path: Path) -> None:
    torch.manual_seed(0)
    generator = Generator(z_dim=16, w_dim=16, c_dim=10, channel_base=256, channel_max=16)
    record = stylegan2_pickles.network(
        generator.state_dict(), stylegan2_pickles.training_keywords(generator.config), "raise SystemExit(1)"
    )
    pickled = stylegan2_pickles.dumps(stylegan2_pickles.published(record, "raise SystemExit(1)"))
    (tmp_path / "gan.pkl").write_bytes(pickled)
    mine, held = (
        pictures(tmp_path / name, N, seed, side=32, colours=3) for seed, name in enumerate(("mine", "held"))
    )
    words = ("--model", tmp_path / "gan.pkl", "--images", mine, "--holdout", held)
    out = audited(tmp_path / "out", *words)
    table = pd.read_csv(out / "audit.csv")
    assert "p_close" in table
    assert "lid_model" not in table
    assert (
        "LID: this kind of model has no score, so samples alone decide." in (out / "audit.html").read_text()
    )


@pytest.mark.slow
@pytest.mark.long
def test_prompts_of_a_model_with_a_lora_and_a_profile(tmp_path: Path) -> None:
    layer = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    weights = {f"{layer}.lora_A.weight": torch.ones(2, 8), f"{layer}.lora_B.weight": torch.ones(8, 2)}
    save_file(weights, tmp_path / "lora.safetensors")
    (tmp_path / "profile").mkdir()
    (tmp_path / "profile" / "profile.yaml").write_text("rerun-incomplete: true\n")
    (tmp_path / "p.txt").write_text("three red plate\nseven red digit\nthe plate with seven\n")
    out = audited(
        tmp_path / "out",
        *("--model", write_pipeline(tmp_path / "sd"), "--prompts", tmp_path / "p.txt"),
        *("--lora", tmp_path / "lora.safetensors", "--profile", tmp_path / "profile"),
    )
    record = json.loads((out / "results/audit/model.json").read_text())["lora"]
    assert record["layers"] == {"unet": 1, "text_encoder": 0}
    assert f"lora.safetensors, scale 1, sha256 {record['sha256']}" in (out / "audit.html").read_text()
    assert len(pd.read_csv(out / "audit.csv")) == 3
