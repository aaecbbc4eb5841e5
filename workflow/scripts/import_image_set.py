"""Make an image set of what could be fetched: pixels, captions, families, and how many were lost."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    listed: Path,
    ledger: Path,
    images: Path,
    table: Path,
    counts: Path,
    *,
    store: Path,
    options: dict[str, Any],
    max_pixels: int,
) -> None:
    """Write the images, their table and the attrition of one set."""
    from mmh.images.image_sets import import_set
    from mmh.io.files import write_json
    from mmh.io.table_files import read_table
    from mmh.io.tables import IMAGE_LIST, LEDGER

    found = import_set(
        read_table(listed, IMAGE_LIST),
        read_table(ledger, LEDGER),
        store,
        images,
        table,
        size=options["size"],
        aspect=options["aspect"],
        n=options.get("n"),
        max_pixels=max_pixels,
    )
    write_json(counts, found)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.table,
            run.input.ledger,
            run.output.images,
            run.output.table,
            run.output.counts,
            store=Path(run.params.store),
            options=run.params.options,
            max_pixels=run.params.untracked.max_pixels,
        )
