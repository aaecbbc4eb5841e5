"""Read the training set of an experiment from a file or folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    source: Path,
    images: Path,
    table: Path,
    *,
    world: str,
    options: dict[str, Any],
    sha256: str | None = None,
    plugins: Sequence[str] = (),
) -> None:
    """Write the images and their table."""
    from mmh.fetch.file_digest import check_digest
    from mmh.rows import load_plugins
    from mmh.worlds.base import WORLDS
    from mmh.worlds.sets.image_set import write_training_set

    load_plugins(plugins, WORLDS)
    row = WORLDS[world]
    if source.is_file():
        check_digest(source, sha256)
    asked = row.read(options)
    found = row.read_file(source, asked)
    what = f"{source} ({options['split']})" if "split" in options else str(source)
    write_training_set(found, images, table, n_train=row.n_train(options), what=what)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.source,
            run.output.images,
            run.output.table,
            world=run.params.world,
            options=run.params.options,
            sha256=run.params.untracked.sha256,
            plugins=run.params.untracked.plugins,
        )
