"""Stable Diffusion v1.5 at full size on a CPU: minutes, so it is run by name only.

`python -m pytest tests/bench/test_text_to_image_size.py`
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.bench.text_to_image import FORWARDS, LARGEST

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_every_score_runs_at_full_size(tmp_path):
    environment = {"PYTHONPATH": f"{ROOT / 'workflow' / 'scripts'}:{ROOT}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.bench.text_to_image", "--out", str(tmp_path)]
    subprocess.run(command, check=True, cwd=ROOT, env=environment)
    details = json.loads((tmp_path / "text_to_image.json").read_text())["details"]
    assert details["parameters_millions"]["unet"] == pytest.approx(859.5, abs=0.1)
    assert details["peak_gib"] <= LARGEST
    assert details["seconds"]["flipd"] <= FORWARDS * details["seconds"]["forward"]
    scores = [details["flipd"], details["cfg_vector_norm"], *details["metrics"].values()]
    assert np.isfinite(scores).all()
    assert details["steps_with_flipd"] == 1
    assert details["image"] == [1, 3, 512, 512]
