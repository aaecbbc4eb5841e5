"""List the images of a set: read its files, pick rows, draw a subset by the seed."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    files: Sequence[Path],
    captions: Sequence[Path],
    out: Path,
    *,
    options: dict[str, Any],
    seed: int,
    digests: dict[str, str | None],
) -> None:
    """Write the rows of one set, in the order in which they are drawn."""
    from mmh.fetch.file_digest import check_digest
    from mmh.images.image_lists import draw_rows, list_table, pick_captions, read_captions, read_list
    from mmh.io.table_files import write_table
    from mmh.io.tables import IMAGE_LIST

    for path in [*files, *captions]:
        check_digest(path, digests.get(path.name))
    fields = {name: options[name] for name in ("columns", "header", "where") if options.get(name)}
    rows = [row for path in files for row in read_list(path, **fields)]
    for path in captions:
        rows = pick_captions(rows, read_captions(path), what=str(path))
    drawn = draw_rows(rows, options.get("draw"), seed)
    print(f"{len(drawn)} of {len(rows)} rows")
    write_table(list_table(drawn), out, IMAGE_LIST)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.files,
            run.input.captions,
            run.output.table,
            options=run.params.options,
            seed=run.params.seed,
            digests=run.params.untracked.digests,
        )
