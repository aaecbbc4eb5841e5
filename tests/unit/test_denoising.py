"""A wrong statement about a network is refused by the error of its noise, on images or on its own samples."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import import_model
import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler, UNet2DModel

from mmh.errors import InputError
from mmh.io.arrays import write_arrays
from mmh.models.ddpm import model as ddpm_model
from mmh.models.denoising import relative_error, try_denoising, try_folder

LAWS: dict[str, dict[str, Any]] = {
    "cosine": {"beta_schedule": "squaredcos_cap_v2"},
    "linear": {"beta_schedule": "linear"},
    "scaled": {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    "cosine v": {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"},
    "linear sample": {"beta_schedule": "linear", "prediction_type": "sample"},
}
SIDE = 8
KEYS = ("beta_schedule", "prediction_type")


def scheduler(law: str, steps: int = 1000) -> Any:
    return DDPMScheduler(steps, clip_sample=False, **LAWS[law])


def network(**changes: Any) -> Any:
    torch.manual_seed(0)
    given = {"down_block_types": ("DownBlock2D",), "up_block_types": ("UpBlock2D",), "norm_num_groups": 4}
    return UNet2DModel(SIDE, 3, 3, block_out_channels=(8,), layers_per_block=1, **{**given, **changes})


def ideal(process: Any, variance: float = 0.25) -> Callable[..., Any]:
    """What a network says that was trained on images of one shade, normal with a variance, by this process."""
    table, kind = process.alphas_cumprod.double(), process.config.prediction_type

    def forward(
        self: Any, sample: Any, timestep: Any, class_labels: Any = None, return_dict: bool = True
    ) -> Any:
        level = table[torch.as_tensor(timestep).round().long()].to(sample.dtype).reshape(-1, 1, 1, 1)
        signal, rest = level * variance, (1 - level) / sample[0].numel()
        clean = (
            sample.mean(dim=(1, 2, 3), keepdim=True).expand_as(sample)
            / level.sqrt()
            * signal
            / (signal + rest)
        )
        eps = (sample - level.sqrt() * clean) / (1 - level).sqrt()
        out = {
            "epsilon": eps,
            "v_prediction": level.sqrt() * eps - (1 - level).sqrt() * clean,
            "sample": clean,
        }
        return (out[kind],) if not return_dict else type("Output", (), {"sample": out[kind]})()

    return forward


def shades(n: int = 12) -> np.ndarray:
    drawn = 0.5 * np.random.default_rng(0).standard_normal((n, 1, 1, 1))
    return np.broadcast_to(drawn, (n, 3, SIDE, SIDE)).clip(-1, 1).astype(np.float32)


@pytest.mark.parametrize("stated", LAWS)
@pytest.mark.parametrize("true", LAWS)
def test_what_is_stated_of_a_network_is_refused_if_something_else_fits_better(
    monkeypatch: pytest.MonkeyPatch, true: str, stated: str
) -> None:
    model = ddpm_model.UNetModel(network(), scheduler(stated))
    monkeypatch.setattr(UNet2DModel, "forward", ideal(scheduler(true)))
    if true == stated:
        assert try_denoising(model, shades(), name="theirs")["denoising error"] < 0.2
        return
    changed = sum(scheduler(true).config[key] != scheduler(stated).config[key] for key in KEYS)
    if changed > 1:  # two mistakes: other statements differ in one, so that none need fit
        assert relative_error(model.score_model(), shades()) > 0.5
        return
    with pytest.raises(InputError, match=r"^theirs: with what is stated of it") as error:
        try_denoising(model, shades(), name="theirs")
    wanted = LAWS[true].get("prediction_type", "epsilon"), LAWS[true]["beta_schedule"]
    assert any(part in str(error.value) for part in wanted)
    assert "scheduler_config.json" in str(error.value)


@pytest.mark.parametrize("stated", ["cosine", "linear", "cosine v"])
@pytest.mark.parametrize("true", ["cosine", "linear", "cosine v"])
def test_without_images_its_own_samples_tell_or_warn(
    monkeypatch: pytest.MonkeyPatch, true: str, stated: str
) -> None:
    model = ddpm_model.UNetModel(network(), scheduler(stated))
    monkeypatch.setattr(UNet2DModel, "forward", ideal(scheduler(true)))
    try:
        said = try_denoising(model, name="theirs").get("warning", "")
    except InputError as error:
        said = str(error)
    assert ("samples of its own" in said) == (true != stated)


def test_a_network_without_training_passes_with_a_warning(tmp_path: Path, capsys: Any) -> None:
    folder = tmp_path / "theirs"
    ddpm_model.save(folder, network(), scheduler("cosine"))
    images = ((shades() + 1) * 127.5).astype(np.uint8)
    write_arrays(tmp_path / "train.npz", image=images, id=np.arange(12))
    found = import_model.main(
        tmp_path / "out",
        kind="diffusers",
        options={"path": str(folder)},
        form={"size": SIDE, "channels": 3},
        images=tmp_path / "train.npz",
        offline=True,
    )
    assert found["denoising error"] >= 1
    assert found["denoising tried on"] == "8 training images"
    assert json.loads(json.dumps(found))["warning"] in capsys.readouterr().out


def test_classes_of_the_images_are_told_to_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[list[int]] = []
    inner = ideal(scheduler("cosine"))

    def forward(self: Any, sample: Any, timestep: Any, class_labels: Any, return_dict: bool = True) -> Any:
        told.append(class_labels.tolist())
        return inner(self, sample, timestep, return_dict=return_dict)

    folder = tmp_path / "theirs"
    ddpm_model.save(folder, network(num_class_embeds=3), scheduler("cosine"))
    monkeypatch.setattr(UNet2DModel, "forward", forward)
    labels = np.arange(12)[::-1] % 3
    write_arrays(tmp_path / "train.npz", x=shades(), id=np.arange(12), **{"class": labels})
    assert try_folder(folder, tmp_path / "train.npz", name="theirs")["denoising error"] < 0.2
    assert all(row == labels[:8].tolist() for row in told)
    write_arrays(tmp_path / "train.npz", x=shades(), id=np.arange(12))
    assert (
        try_folder(folder, tmp_path / "train.npz", name="theirs")["denoising tried on"]
        == "samples of its own"
    )


def test_the_first_images_decide_whatever_the_order_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "theirs"
    ddpm_model.save(folder, network(), scheduler("linear"))
    monkeypatch.setattr(UNet2DModel, "forward", ideal(scheduler("linear")))
    found = []
    for order in (np.arange(12), np.arange(12)[::-1]):
        write_arrays(tmp_path / "train.npz", x=shades()[order], id=order)
        found.append(try_folder(folder, tmp_path / "train.npz", name="theirs")["denoising error"])
    assert found[0] == found[1]
