"""Find the closest training images of every sample by SSCD and by calibrated l2."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job import job

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
) -> None:
    """Write the table of matches, one row per sample, metric and rank."""
    import numpy as np

    from mmh.io import read_arrays, read_images, write_table
    from mmh.retrieval import calibrated_l2, duplicate_groups, matches_table, search_embeddings

    x, ids = read_images(samples)
    images, train_ids = read_images(train)

    def embeddings(paths: list[Path], wanted: np.ndarray) -> np.ndarray:
        parts = [read_arrays(path, "embedding", "id") for path in paths]
        rows, found = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
        return rows[np.argsort(found)[np.searchsorted(np.sort(found), wanted)]]

    results = {
        "sscd": search_embeddings(
            embeddings(samples_embeddings, ids),
            embeddings(train_embeddings, train_ids),
            options["top"],
            groups=duplicate_groups(images),
            train_ids=train_ids,
        ),
        "calibrated_l2": calibrated_l2(x, images, train_ids=train_ids, **options),
    }
    write_table(matches_table(ids, results), out, "matches")


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.samples,
            run.input.train,
            run.input.samples_embeddings,
            run.input.train_embeddings,
            run.output.matches,
            options=run.params.options,
        )
