"""Find the closest training images of every sample by SSCD and by calibrated l2."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

ROWS = 8192  # samples searched at once: enough that preparing the training images each time costs little


def main(
    samples: list[Path],
    train: Path,
    samples_embeddings: list[Path],
    train_embeddings: list[Path],
    out: Path,
    *,
    options: dict[str, Any],
    seed: int,
    device: str,
) -> None:
    """Write the table of matches, one row per sample, metric and rank.

    The training images are held once, and the samples some files at a time, so that memory does not grow with
    their number. Embeddings are searched in memory by "Flat", and where they lie by any other index.
    """
    import numpy as np

    from mmh.compute.duplicates import duplicate_groups
    from mmh.errors import InputError
    from mmh.io.image_shards import read_images
    from mmh.io.table_files import write_table
    from mmh.io.tables import MATCHES
    from mmh.retrieval.descriptor_search import INDEX, descriptor_matches
    from mmh.retrieval.search import calibrated_l2, join_matches, matches_table

    images, train_ids = read_images(train)
    groups = duplicate_groups(images)
    how = {key: value for key, value in options.items() if key not in INDEX}
    closest, names = [], []
    for paths in batches(samples):
        x, found = read_images(paths)
        names.append(found)
        closest.append(calibrated_l2(x, images, train_ids=train_ids, groups=groups, device=device, **how))
    del images
    ids = np.concatenate(names)
    if len(np.unique(ids)) != len(ids):
        raise InputError(f"{samples[0]} and the other samples: an id occurs twice; delete them and run again")

    sscd = descriptor_matches(
        samples_embeddings,
        ids,
        train_embeddings,
        train_ids,
        groups,
        options=options,
        folder=out.parent,
        seed=seed,
    )
    results = {"sscd": sscd, "calibrated_l2": join_matches(closest)}
    write_table(matches_table(ids, results), out, MATCHES)


def batches(paths: list[Path]) -> Iterator[list[Path]]:
    """Group files so that each group but the last has at least `ROWS` images."""
    from mmh.io.arrays import read_arrays

    group, rows = [], 0
    for path in paths:
        group.append(path)
        rows += len(read_arrays(path, "id")[0])
        if rows >= ROWS:
            yield group
            group, rows = [], 0
    if group:
        yield group


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.samples,
            run.input.train,
            run.input.samples_embeddings,
            run.input.train_embeddings,
            run.output.matches,
            options=run.params.options,
            seed=run.params.seed,
            device=run.device,
        )
