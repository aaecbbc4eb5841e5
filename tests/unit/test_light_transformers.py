"""What a text-to-image job imports, and that nothing else depends on it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_pipeline import write_pipeline

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
# What the usual import brings along: PyTorch's compiler, tensors over many machines, SciPy's optimisers.
HEAVY = {"scipy.optimize", "torch._dynamo.convert_frame", "torch._inductor", "torch.distributed.tensor"}
USE = """
import hashlib, json, sys
sys.path.insert(0, sys.argv[1])
{before}
import torch
from mmh.models.loading import load_model
model = load_model(sys.argv[2], device="cpu")
score = model.score_model()
bound = score.conditioned(model.embed(["three plate", "the digit"], ids=[0, 1]))
z = torch.randn(2, *score.shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
noise = bound.eps(z, 0.3)
(slope,) = torch.autograd.grad(noise.square().sum(), z)
digest = hashlib.sha256(noise.detach().numpy().tobytes() + slope.numpy().tobytes())
found = {{"digest": digest.hexdigest(), "modules": sorted(sys.modules)}}
{after}
print(json.dumps(found))
"""
OTHER_VERSION = """
from mmh import light_transformers
light_transformers._QUESTIONS = (("torch.distributed", "is_moved"), ("transformers.utils", "is_gone"))
light_transformers._DECORATORS = ()
"""
ALL_ELSE = """
import torch._dynamo, torch.distributed
from transformers import AutoModelForCausalLM, BertConfig
found["distributed"] = torch.distributed.is_available()
found["compiled"] = torch.compile(lambda x: 2 * x, backend="eager")(torch.ones(2)).tolist()
found["decorators"] = [
    one.__module__ for one in (torch._dynamo.disable, torch._dynamo.allow_in_graph, torch.compiler.disable)
]
found["others"] = [AutoModelForCausalLM.__name__, BertConfig.__name__]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pipeline(tmp_path_factory.mktemp("pipeline"))


def use(folder: Path, before: str = "", after: str = "") -> dict[str, Any]:
    """What a process finds that loads the pipeline and asks for a derivative."""
    command = [sys.executable, "-c", USE.format(before=before, after=after), str(SCRIPTS), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def light(folder: Path) -> dict[str, Any]:
    return use(folder, after=ALL_ELSE)


def test_a_pipeline_comes_without_the_compiler(light: dict[str, Any]) -> None:
    assert "transformers.models.clip.modeling_clip" in light["modules"]
    assert HEAVY & set(light["modules"]) == set()


def test_all_else_can_be_used_afterwards(light: dict[str, Any]) -> None:
    assert light["distributed"]
    assert light["compiled"] == [2.0, 2.0]
    assert light["decorators"] == ["torch._dynamo.decorators"] * 2 + ["torch.compiler"]
    assert light["others"] == ["AutoModelForCausalLM", "BertConfig"]


def test_another_version_is_imported_as_usual_and_gives_the_same_bytes(
    folder: Path, light: dict[str, Any]
) -> None:
    usual = use(folder, before=OTHER_VERSION)
    assert set(usual["modules"]) >= HEAVY
    assert light["digest"] == usual["digest"]


def test_transformers_is_imported_in_one_place() -> None:
    statement = re.compile(r"^\s*(from|import) transformers\b", re.MULTILINE)
    importing = [str(path) for path in SCRIPTS.rglob("*.py") if statement.search(path.read_text())]
    assert importing == []  # mmh/light_transformers.py names it in a string
