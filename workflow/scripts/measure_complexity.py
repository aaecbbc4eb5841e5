"""Measure the PNG size of images in bits: the simple baseline, and the divisor of Fig. 8."""

from pathlib import Path
from typing import TYPE_CHECKING

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(images: list[Path], out: Path, *, estimator: str) -> None:
    """Write the PNG size of every image."""
    import numpy as np
    import pandas as pd

    from mmh.images.complexity import png_bits, to_uint8
    from mmh.io.files import read_images, write_table
    from mmh.io.tables import SCORES

    x, ids = read_images(images)
    table = pd.DataFrame({"item": ids, "estimator": estimator, "t": None, "index": None, "sigma": None})
    table["value"] = png_bits(np.moveaxis(to_uint8(x), 1, -1)).astype(float)
    table["stderr"], table["probes"], table["seed"], table["dtype"] = None, None, None, "uint8"
    write_table(table, out, SCORES)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(run.input.images, run.output.scores, estimator=run.wildcards.estimator)
