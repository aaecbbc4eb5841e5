"""Put the errors of all estimators on all laws into one table, with intervals."""

from pathlib import Path
from typing import TYPE_CHECKING

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(points: list[Path], out: Path, *, ambient: dict[str, int], resamples: int, seed: int) -> None:
    """Write `accuracy.csv`.

    Parameters
    ----------
    points : list of path
        Tables of `measure_accuracy`, one per law.
    out : path
        CSV file to write, with the columns of `mmh.oracles.accuracy.summarize`.
    ambient : dict
        Name of each law, in the order of `points`, to the dimension of its space.
    resamples : int
        Bootstrap resamples of the points.
    seed : int
        Root seed of the bootstrap.
    """
    import pandas as pd

    from mmh.io.table_files import write_csv
    from mmh.oracles.accuracy import summarize

    tables = [
        summarize(pd.read_csv(path), law, d, resamples=resamples, seed=seed)
        for path, (law, d) in zip(points, ambient.items(), strict=True)
    ]
    write_csv(pd.concat(tables, ignore_index=True), out)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.points,
            run.output.accuracy,
            ambient=run.params.ambient,
            resamples=run.params.resamples,
            seed=run.params.seed,
        )
