"""Make the training set of an embedded world, with its planted truth."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(images: Path, table: Path, *, options: dict[str, Any]) -> None:
    """Write the images and the table of one world."""
    import numpy as np

    from mmh.io import write_arrays, write_table
    from mmh.worlds.catalogue import make

    x, rows = make(options["world"], **{key: value for key, value in options.items() if key != "world"})
    write_arrays(images, x=x, id=rows["train"].to_numpy(np.int64))
    write_table(rows, table, "train")


if __name__ == "__main__":
    with job(snakemake) as run:
        main(run.output.images, run.output.table, options=run.params.options)
