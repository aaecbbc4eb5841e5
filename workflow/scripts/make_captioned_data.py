"""Make an embedded captioned world: training set and captions, prompts, sets of real images."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    images: Path,
    table: Path,
    captions: Path,
    prompts: Path,
    sets: dict[str, tuple[Path, Path]],
    *,
    world: str,
    options: dict[str, Any],
    plugins: Sequence[str] = (),
) -> None:
    """Write images with classes, table, captions, prompts, and per set its images and their table."""
    import numpy as np
    import pandas as pd

    from mmh.io.arrays import write_arrays
    from mmh.io.table_files import write_table
    from mmh.io.tables import CAPTIONS, IMAGE_SET, PROMPTS, TRAIN
    from mmh.rows import load_plugins
    from mmh.worlds.base import WORLDS

    load_plugins(plugins, WORLDS)
    row = WORLDS[world]
    made = row.make_captioned(row.read(options))
    train = made.table["train"].to_numpy(np.int64)
    write_arrays(images, **{"image": made.image, "id": train, "class": made.label})
    write_table(made.table, table, TRAIN)
    write_table(pd.DataFrame({"train": train, "text": made.caption}), captions, CAPTIONS)
    write_table(made.prompts, prompts, PROMPTS)
    for name, (pixels, rows) in sets.items():
        image, items = made.sets[name]
        write_arrays(pixels, image=image, id=items["item"].to_numpy(np.int64))
        write_table(items, rows, IMAGE_SET)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.output.images,
            run.output.table,
            run.output.captions,
            run.output.prompts,
            {
                name: (getattr(run.output, name), getattr(run.output, f"{name}_table"))
                for name in ("memorized", "control", "generic")
            },
            world=run.params.world,
            options=run.params.options,
            plugins=run.params.untracked.plugins,
        )
