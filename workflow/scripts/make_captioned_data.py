"""Make the captioned digits: training set and captions, prompts, three sets of real images."""

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
    options: dict[str, Any],
) -> None:
    """Write images with classes, table, captions, prompts, and per set its images and their table."""
    import numpy as np
    import pandas as pd

    from mmh.io.files import write_arrays, write_table
    from mmh.io.tables import CAPTIONS, IMAGE_SET, PROMPTS, TRAIN
    from mmh.worlds import digits, digits_text

    settings = {key: value for key, value in options.items() if key not in ("world", "prompts", "items")}
    world = digits_text.make(**settings)
    train = world.table["train"].to_numpy(np.int64)
    label = digits.classes(world.table["source"].to_numpy())
    write_arrays(images, **{"image": world.image, "id": train, "class": label})
    write_table(world.table, table, TRAIN)
    write_table(pd.DataFrame({"train": train, "text": world.caption}), captions, CAPTIONS)
    seed = options["seed"]
    write_table(digits_text.prompts(world, n_generic=options["prompts"], seed=seed), prompts, PROMPTS)
    for name, (pixels, rows) in sets.items():
        image, _, items = digits_text.image_set(world, name, n_generic=options["items"], seed=seed)
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
            options=run.params.options,
        )
