"""Make the training set of an embedded world, with its planted truth."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    images: Path, table: Path, *, world: str, options: dict[str, Any], plugins: Sequence[str] = ()
) -> None:
    """Write the images, with their classes if the world has any, and the table of one world."""
    import numpy as np

    from mmh.io.arrays import write_arrays
    from mmh.io.table_files import write_table
    from mmh.io.tables import TRAIN
    from mmh.rows import load_plugins
    from mmh.worlds.base import WORLDS

    load_plugins(plugins, WORLDS)
    row = WORLDS[world]
    x, rows = row.make(row.read(options))
    label = row.classes(rows)
    extra = {} if label is None else {"class": label}
    write_arrays(images, x=x, id=rows["train"].to_numpy(np.int64), **extra)
    write_table(rows, table, TRAIN)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.output.images,
            run.output.table,
            world=run.params.world,
            options=run.params.options,
            plugins=run.params.untracked.plugins,
        )
