"""Take the training set of an experiment from the CIFAR-10 archive."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    archive: Path, images: Path, table: Path, *, options: dict[str, Any], sha256: str | None = None
) -> None:
    """Write the images and the table of one split."""
    from mmh.fetch.file_digest import check_digest
    from mmh.worlds.datasets import read_cifar10, write_training_set

    check_digest(archive, sha256)
    found = read_cifar10(archive, split=options["split"])
    write_training_set(
        found, images, table, n_train=options["n_train"], what=f"{archive} ({options['split']})"
    )


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.archive,
            run.output.images,
            run.output.table,
            options=run.params.options,
            sha256=run.params.untracked.sha256,
        )
