"""What a UNet job imports, and that nothing else depends on it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mmh.models.ddpm.model import save
from mmh.models.ddpm.network import build, noise_schedule

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
# What the usual import brings along; seconds of processor time: PyTorch's compiler 1.4, transformers 0.6,
# SciPy's statistics 0.8, all other networks 0.6.
HEAVY = {
    "diffusers.models.transformers.transformer_flux",
    "scipy.optimize",
    "scipy.stats._stats_py",
    "sympy",
    "torch._dynamo",
    "torch.distributed.tensor",
    "transformers",
}
USE = """
import hashlib, json, sys
sys.path.insert(0, sys.argv[1])
{before}
import torch
from mmh.models.loading import load_model
model = load_model(sys.argv[2], device="cpu")
score = model.score_model()
digest = hashlib.sha256()
for name, value in model.unet.state_dict().items():
    digest.update(name.encode() + value.numpy().tobytes())
z = torch.randn(2, *score.shape, generator=torch.Generator().manual_seed(0))
with torch.no_grad():
    digest.update(score.eps(z, 0.3).numpy().tobytes())
digest.update(model.sample(range(3), seed=0, steps=3, batch_size=2).tobytes())
found = {{"digest": digest.hexdigest(), "modules": sorted(sys.modules)}}
{after}
print(json.dumps(found))
"""
# Names of a version in which packages have moved, and one that cannot do without what should be optional.
OTHER_VERSION = """
from mmh import light_diffusers
light_diffusers._LATE = ("diffusers.models.moved", "diffusers.moved.unets", "no_such_package.stats")
light_diffusers._OPTIONAL = (
    ("diffusers.utils", "huggingface_hub.utils"), ("diffusers.moved", "transformers.utils.quantization_config")
)
"""
ALL_ELSE = """
import diffusers.hooks, diffusers.models.autoencoders, diffusers.models.unets, scipy, torch._dynamo
from diffusers import StableDiffusionPipeline
from diffusers.models.unets import UNet1DModel
from scipy.stats import norm
from transformers.utils.quantization_config import QuantizationConfigMixin
found["same class"] = diffusers.UNet2DModel is diffusers.models.unets.UNet2DModel is type(model.unet)
found["others"] = [
    one.__name__ for one in (diffusers.hooks.apply_group_offloading, diffusers.models.autoencoders.VQModel)
]
found["scipy"] = [float(norm.cdf(0)), float(scipy.stats.norm.cdf(0)), float(scipy.integrate.trapezoid([0, 2]))]
try:
    diffusers.models.unets.no_such_name
except AttributeError as error:
    found["no such name"] = str(error)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("unet")
    save(path, build(), noise_schedule())
    return path


def use(folder: Path, before: str = "", after: str = "") -> dict[str, Any]:
    """What a process finds that loads the model and draws from it."""
    command = [sys.executable, "-c", USE.format(before=before, after=after), str(SCRIPTS), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def light(folder: Path) -> dict[str, Any]:
    return use(folder, after=ALL_ELSE)


def test_a_unet_comes_without_what_it_does_not_need(light: dict[str, Any]) -> None:
    assert "diffusers.models.unets.unet_2d" in light["modules"]
    assert HEAVY & set(light["modules"]) == set()


def test_all_else_can_be_imported_afterwards(light: dict[str, Any]) -> None:
    assert light["same class"]
    assert light["others"] == ["apply_group_offloading", "VQModel"]
    assert light["scipy"] == [0.5, 0.5, 1.0]
    assert light["no such name"] == "module 'diffusers.models.unets' has no attribute 'no_such_name'"


def test_another_version_is_imported_as_usual_and_gives_the_same_bytes(
    folder: Path, light: dict[str, Any]
) -> None:
    usual = use(folder, before=OTHER_VERSION)
    assert set(usual["modules"]) >= HEAVY
    assert light["digest"] == usual["digest"]


def test_diffusers_is_imported_in_one_place() -> None:
    statement = re.compile(r"^\s*(from|import) diffusers\b", re.MULTILINE)
    importing = [str(path) for path in SCRIPTS.rglob("*.py") if statement.search(path.read_text())]
    assert importing == []  # mmh/light_diffusers.py names it in a string
