"""Find the closest training images of every sample by SSCD and by calibrated l2."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


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
    from mmh.compute.duplicates import duplicate_groups
    from mmh.io.image_shards import read_images
    from mmh.io.table_files import write_table
    from mmh.io.tables import MATCHES
    from mmh.retrieval.calibrated_distance import calibrated_matches
    from mmh.retrieval.descriptor_search import INDEX, descriptor_matches
    from mmh.retrieval.flat_search import searcher
    from mmh.retrieval.matches import matches_table

    images, train_ids = read_images(train)
    groups = duplicate_groups(images)
    how = {key: value for key, value in options.items() if key not in INDEX}
    ids, closest = calibrated_matches(
        samples, images, train_ids=train_ids, groups=groups, device=device, options=how
    )
    del images
    sscd = descriptor_matches(
        samples_embeddings,
        ids,
        train_embeddings,
        train_ids,
        groups,
        options=options,
        folder=out.parent,
        seed=seed,
        device=device,
    )
    flat = options.get("index", "Flat") == "Flat"
    print(f"calibrated l2: {searcher(device)}; embeddings: {searcher(device if flat else 'cpu')}")
    write_table(matches_table(ids, {"sscd": sscd, "calibrated_l2": closest}), out, MATCHES)


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
