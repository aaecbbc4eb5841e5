"""Stable Diffusion v1.5 at full size on a CPU: minutes, so it is run by name only.

`python -m pytest tests/bench/test_text_to_image_size.py`
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.bench import sharpness_size
from tests.bench.text_to_image import FORWARDS, LARGEST

ROOT = Path(__file__).parents[2]


def measured(module, folder):
    """Details that a module of `tests.bench` writes, from a process of its own: its peak memory is among them."""
    environment = {"PYTHONPATH": f"{ROOT / 'workflow' / 'scripts'}:{ROOT}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", f"tests.bench.{module}", "--out", str(folder)]
    subprocess.run(command, check=True, cwd=ROOT, env=environment)
    return json.loads((folder / f"{module}.json").read_text())["details"]


@pytest.mark.slow
def test_every_score_runs_at_full_size(tmp_path):
    details = measured("text_to_image", tmp_path)
    assert details["parameters_millions"]["unet"] == pytest.approx(859.5, abs=0.1)
    assert details["peak_gib"] <= LARGEST
    assert details["seconds"]["flipd"] <= FORWARDS * details["seconds"]["forward"]
    scores = [details["flipd"], details["cfg_vector_norm"], *details["metrics"].values()]
    assert np.isfinite(scores).all()
    assert details["steps_with_flipd"] == 1
    assert details["image"] == [1, 3, 512, 512]


@pytest.mark.slow
def test_sharpness_of_a_prompt_runs_at_full_size(tmp_path):
    """One curvature and one Krylov pass at step 1: memory, network rows, and what holds of every symmetric matrix."""
    details = measured("sharpness_size", tmp_path)
    assert max(details["peak_gib"].values()) <= sharpness_size.LARGEST
    assert details["rows"] == {"sampling alone": 2, "curvature": 2 + 4, "krylov, m = 3": 2}
    found, dim = details["krylov"], details["dim"]
    assert dim == 16384
    assert np.isfinite([*found.values(), *details["curvature"].values()]).all()
    mean = -(dim - found["lid_trace"]) / dim / details["sigma"] ** 2  # of the spectrum, by the same probe
    assert found["lambda_min"] < mean < found["lambda_max"]
    assert 0 < found["lhsd"] < dim
    assert details["curvature"]["curvature"] > 0
