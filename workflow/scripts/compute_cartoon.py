"""Measure LID in the six situations of the manifold memorization hypothesis, on closed-form laws."""

from pathlib import Path
from typing import TYPE_CHECKING

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(out: Path, *, seed: int) -> None:
    """Write the table that the figure `mmh_cartoon` draws.

    Parameters
    ----------
    out : path
        Parquet file to write.
    seed : int
        Root seed of the training points.
    """
    from mmh.io.table_files import write_table
    from mmh.oracles import cartoon

    write_table(cartoon.measure(seed), out, cartoon.CARTOON)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(run.output.cartoon, seed=run.params.seed)
