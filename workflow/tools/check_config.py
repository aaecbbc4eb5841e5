"""Check the configuration alone: every mistake with its file, and lines of what YAML cannot read.

Usage: python workflow/tools/check_config.py [options of snakemake]

Snakemake reads the files of `--configfile` before anything else, and names no line of one that is no YAML.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from mmh.config.check import check_config
from mmh.config.files import ConfigFiles
from mmh.errors import InputError


def main() -> int:
    """Say whether the configuration is sound; exit status 1 if it is not."""
    try:
        files = ConfigFiles.of_options(Path("config.yaml"), sys.argv[1:])
        config = check_config(files.merged(), files)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    every, run = len(config["experiments"]), len(config["run"])
    print(f"the configuration is sound: {every} experiments, {run} of them under run")
    return 0


if __name__ == "__main__":
    sys.exit(main())
