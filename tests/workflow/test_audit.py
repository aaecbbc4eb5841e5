"""`mmh audit` from files to the page, interrupted on the way, with a model that copies its training images."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from diffusers import DDIMScheduler, UNet2DModel
from PIL import Image

from mmh.command.parser import main
from mmh.models.ddpm.model import save

SIDE, N = 8, 24


def pictures(folder: Path, n: int, seed: int) -> Path:
    folder.mkdir()
    random = np.random.default_rng(seed)
    for number in range(n):
        pixels = random.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
    return folder


class Descriptor(torch.nn.Module):
    """Mean colours of sixteen parts, in place of SSCD."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(x, 4).flatten(1)


@pytest.mark.slow
@pytest.mark.long
def test_an_audit_gives_one_sentence_and_one_page(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    network = UNet2DModel(
        sample_size=SIDE,
        in_channels=1,
        out_channels=1,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
    )
    save(tmp_path / "model", network, DDIMScheduler(num_train_timesteps=100))
    mine, held = pictures(tmp_path / "mine", N, 0), pictures(tmp_path / "held", N, 1)
    out = tmp_path / "out"
    words = ["audit", "--model", str(tmp_path / "model"), "--images", str(mine), "--holdout", str(held)]
    torch.jit.script(Descriptor()).save(str(tmp_path / "sscd.pt"))
    words += ["--out", str(out), "--cores", "2", "--sscd", str(tmp_path / "sscd.pt")]
    assert main([*words, "--dry-run"]) == 0
    config = out / "config.yaml"
    text = config.read_text()
    for key, value in {"n_samples": 40, "shard_size": 40, "steps": 2, "trace": 1, "bootstrap": 2}.items():
        text = re.sub(rf"(\b{key}: )\d+", rf"\g<1>{value}", text)
    config.write_text(text)
    assert main(words) == 0
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
