"""What a run needs before its first job starts loads none of the large libraries."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_checking_the_configuration_loads_no_pytorch():
    """Every start of Snakemake checks it: 2.8 s would be PyTorch's alone."""
    code = (
        "import sys; sys.path.insert(0, 'workflow/scripts')\n"
        "import yaml\n"
        "from mmh.config.check import check_config\n"
        "check_config(yaml.safe_load(open('config.yaml')))\n"
        "assert not {'torch', 'diffusers', 'sklearn', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=ROOT)
