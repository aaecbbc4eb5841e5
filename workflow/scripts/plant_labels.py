"""Label the retrieved pairs of an embedded world by distance to its planted images."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    matches: Path,
    samples: list[Path],
    train: Path,
    table: Path,
    out: Path,
    distances: Path,
    *,
    options: dict[str, Any],
) -> None:
    """Write a label file with the columns of a person's, for the best match by each metric; and distances."""
    from mmh.io.image_shards import read_images
    from mmh.io.table_files import read_table, write_csv, write_table
    from mmh.io.tables import MATCHES, PLANTED, TRAIN
    from mmh.labels.planted import plant_labels, planted_distances

    best = read_table(matches, MATCHES).query("rank == 1")
    x, ids = read_images(samples)
    images, _ = read_images(train)
    found = planted_distances(x, ids, images, read_table(table, TRAIN), best)
    cuts = {key: options[key] for key in ("exact_distance", "not_distance")}
    write_csv(plant_labels(found, **cuts), out)
    write_table(found, distances, PLANTED)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.matches,
            run.input.samples,
            run.input.train,
            run.input.table,
            run.output.labels,
            run.output.distances,
            options=run.params.options,
        )
