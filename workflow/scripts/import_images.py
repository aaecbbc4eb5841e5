"""Take the training set of an experiment from a folder of images."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(folder: Path, images: Path, table: Path, *, options: dict[str, Any]) -> None:
    """Write the images and the table of one folder."""
    from mmh.worlds.datasets import read_image_folder, write_training_set

    found = read_image_folder(folder, size=options["size"], channels=options["channels"])
    write_training_set(found, images, table, n_train=options["n_train"], what=str(folder))


if __name__ == "__main__":
    with job(snakemake) as run:
        main(run.input.folder, run.output.images, run.output.table, options=run.params.options)
