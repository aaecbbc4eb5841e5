"""Timings and measured differences; `python -m tests.bench` and `python -m tests.bench.fidelity`.

One thread, set here before NumPy and PyTorch are loaded, because the libraries read it only once.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"
if str(ROOT / "workflow" / "scripts") not in sys.path:
    sys.path.insert(0, str(ROOT / "workflow" / "scripts"))
