"""A matrix of models that diffusers can write: imported, sampled and measured against formulas written out here.

Fifteen or so cover every pair of settings; all of them: MADE_MODELS=all, about half an hour.
"""

import os
import shutil
from itertools import combinations, product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, PNDMScheduler, UNet2DModel

from mmh.compute import rng
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.lid.flipd import flipd
from mmh.models import importing
from mmh.models.ddpm import model as ddpm_model
from mmh.models.loading import load_model
from mmh.models.trial import try_model

STEPS, LEVELS, T = 5, 100, 0.3
SCHEDULERS = {"DDPM": DDPMScheduler, "DDIM": DDIMScheduler, "PNDM": PNDMScheduler}
FACTORS: dict[str, tuple[Any, ...]] = {
    "prediction": ("epsilon", "v_prediction", "sample"),
    "schedule": ("linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid"),
    "spacing": ("leading", "trailing", "linspace"),
    "scheduler": ("DDPM", "DDIM", "PNDM"),
    "zero_snr": (False, True),
    "weights": ("float32", "fp16", "shards"),
    "classes": (None, 3),
    "size": (8, (8, 16)),
    "variance": (False, True),
}


def writable(case: dict[str, Any]) -> bool:
    """Whether diffusers has such a model: PNDM lacks two settings, and only DDPM has the sigmoid schedule."""
    if case["scheduler"] == "PNDM" and (case["zero_snr"] or case["prediction"] == "sample"):
        return False
    if case["schedule"] == "squaredcos_cap_v2" and case["zero_snr"]:
        return False  # its last level is nearly zero, and rescaling changes nothing
    return case["schedule"] != "sigmoid" or case["scheduler"] == "DDPM"


def every() -> list[dict[str, Any]]:
    cases = (dict(zip(FACTORS, values, strict=True)) for values in product(*FACTORS.values()))
    return [case for case in cases if writable(case)]


def covering(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Greedily, the fewest cases in which every pair of settings occurs that occurs in any."""

    def pairs(case: dict[str, Any]) -> set[Any]:
        return set(combinations(case.items(), 2))

    left = set().union(*map(pairs, cases))
    chosen = []
    while left:
        best = max(cases, key=lambda case: len(pairs(case) & left))
        chosen.append(best)
        left -= pairs(best)
    return chosen


def name_of(case: dict[str, Any]) -> str:
    return "-".join(str(value).replace(" ", "") for value in case.values())


ASKED = every() if os.environ.get("MADE_MODELS") == "all" else covering(every())


def written(folder: Path, case: dict[str, Any]) -> Path:
    """The folder, as diffusers writes it."""
    given: dict[str, Any] = {
        "num_train_timesteps": LEVELS,
        "beta_schedule": case["schedule"],
        "prediction_type": case["prediction"],
        "timestep_spacing": case["spacing"],
    }
    if case["scheduler"] != "PNDM":
        given |= {"clip_sample": False, "rescale_betas_zero_snr": case["zero_snr"]}
    torch.manual_seed(len(name_of(case)))
    network = UNet2DModel(
        sample_size=case["size"],
        in_channels=2,
        out_channels=4 if case["variance"] else 2,
        num_class_embeds=case["classes"],
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=8,
    )
    ddpm_model.save(folder, network, SCHEDULERS[case["scheduler"]](**given))
    if case["weights"] != "float32":
        shutil.rmtree(folder / "unet")
        if case["weights"] == "fp16":
            network.half().save_pretrained(folder / "unet", variant="fp16")
        else:
            network.save_pretrained(folder / "unet", max_shard_size="50KB")
    return folder


def known(folder: Path, case: dict[str, Any]) -> UNet2DModel:
    """The network as diffusers reads it, in float64."""
    variant = "fp16" if case["weights"] == "fp16" else None
    return (
        UNet2DModel.from_pretrained(folder / "unet", variant=variant, torch_dtype=torch.float32)
        .double()
        .eval()
    )


def table_of(case: dict[str, Any]) -> torch.Tensor:
    """Cumulative products of 1 - beta, by diffusers' DDPM."""
    given = {"beta_schedule": case["schedule"], "rescale_betas_zero_snr": case["zero_snr"]}
    return DDPMScheduler(LEVELS, **given).alphas_cumprod.double()


def grid(case: dict[str, Any]) -> list[int]:
    """The noise levels of `STEPS` steps, by the three rules of diffusers."""
    if case["spacing"] == "linspace":
        return [round(float(x)) for x in np.linspace(0, LEVELS - 1, STEPS)[::-1]]
    if case["spacing"] == "leading":
        return [k * (LEVELS // STEPS) for k in range(STEPS)][::-1]
    return [round(LEVELS - k * LEVELS / STEPS) - 1 for k in range(STEPS)]


def parts_of(case: dict[str, Any], raw: torch.Tensor, z: torch.Tensor, level: torch.Tensor) -> Any:
    """Clean image and noise, by what the network predicts."""
    psi, sigma = level.sqrt(), (1 - level).sqrt()
    if case["prediction"] == "epsilon":
        return (z - sigma * raw) / psi, raw
    if case["prediction"] == "v_prediction":
        return psi * z - sigma * raw, psi * raw + sigma * z
    return raw, (z - psi * raw) / sigma


@pytest.mark.parametrize("case", ASKED, ids=name_of)
def test_a_made_model_is_read_sampled_and_measured_as_the_formulas_say(
    case: dict[str, Any], tmp_path: Path
) -> None:
    folder, out = written(tmp_path / "theirs", case), tmp_path / "imported"
    importing.make(
        out,
        SimpleNamespace(path=str(folder), id=None, revision=None, mirrors=None, lora=None, lora_scale=1.0),
        offline=True,
    )
    model = load_model(out)
    blind = case["zero_snr"] and case["prediction"] == "epsilon" and case["spacing"] != "leading"
    if blind:  # sampling starts where the noise says nothing of the image
        with pytest.raises(InputError, match="zero terminal SNR"):
            try_model(model, name="theirs")
        return
    try_model(model, name="theirs")
    network, table, channels = known(folder, case), table_of(case), 2
    shape = (channels, *np.broadcast_to(case["size"], 2))
    ids = np.arange(2)
    more = {"class_labels": torch.as_tensor(ids % case["classes"])} if case["classes"] else {}

    def raw(z: torch.Tensor, step: int, rows: slice = slice(None)) -> torch.Tensor:
        given = {key: value[rows] for key, value in more.items()}
        return network(z, step, **given).sample[:, :channels]

    # Sampling: DDIM without noise, written out.
    z = torch.as_tensor(rng.normal(0, "initial-noise", ids, shape)).double()
    last = table[0] if case["scheduler"] == "PNDM" else torch.tensor(1.0, dtype=torch.float64)
    with torch.no_grad():
        for step in grid(case):
            clean, noise = parts_of(case, raw(z, step), z, table[step])
            if case["scheduler"] == "PNDM":  # it says nothing of clipping, and DDIM's default is to clip
                clean = clean.clamp(-1, 1)
            before = table[step - LEVELS // STEPS] if step >= LEVELS // STEPS else last
            z = before.sqrt() * clean + (1 - before).sqrt() * noise
    found = model.sample(ids, seed=0, steps=STEPS, batch_size=2)
    scale = float(z.abs().max())
    np.testing.assert_allclose(found / scale, z.numpy() / scale, atol=2e-4)
    # FLIPD: d - sigma tr(d eps / d z) + ||eps||^2 at psi x, by the whole Jacobian.
    score = model.score_model()
    assert isinstance(score, ScoreModel)
    step = round(T * LEVELS)
    x = 0.5 * rng.normal(1, "images", ids[:1], shape)
    level = table[step]
    at = torch.as_tensor(x).double() * level.sqrt()

    def noise_at(v: torch.Tensor) -> torch.Tensor:
        return parts_of(case, raw(v, step, slice(0, 1)), v, level)[1]

    jacobian = torch.autograd.functional.jacobian(noise_at, at).reshape(at.numel(), at.numel())
    wanted = (
        at.numel()
        - float((1 - level).sqrt() * jacobian.detach().trace())
        + float(noise_at(at).detach().square().sum())
    )
    bound = score.conditioned(np.zeros(1, dtype=np.int64)) if case["classes"] else score
    value = flipd(bound, x, T, probes=None, batch_size=1)[0]
    assert value == pytest.approx(wanted, rel=1e-4, abs=1e-2)


def test_every_pair_of_settings_is_covered() -> None:
    """Of two factors every combination that diffusers can write; and the set is small."""
    chosen, cases = covering(every()), every()
    for first, second in combinations(FACTORS, 2):
        assert {(c[first], c[second]) for c in chosen} == {(c[first], c[second]) for c in cases}
    assert len(chosen) <= 20
