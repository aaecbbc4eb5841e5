"""Print the experiments of config.yaml that need no download, as a value of Snakemake's `--config run=`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import yaml

from mmh.plan.inputs.run import Run

if __name__ == "__main__":
    print(f"[{','.join(Run(yaml.safe_load(Path('config.yaml').read_text(encoding='utf-8'))).embedded)}]")
