"""Estimate LID_* of the training images by local PCA with the paper's two modifications (Appendix C.1)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    images: list[Path],
    out: Path,
    *,
    estimator: str,
    options: dict[str, Any],
    seed: int,
    record: dict[str, Any],
) -> None:
    """Write LID_* of every training image, and the threshold with its pool to the run record."""
    import pandas as pd

    from mmh.io.files import read_images, write_table
    from mmh.io.tables import SCORES
    from mmh.lid.local_pca import local_pca

    x, ids = read_images(images)
    radius = None if options["radius"] == "none" else options["radius"]
    settings = {key: options[key] for key in ("k", "percentile", "bootstrap") if key in options}
    result = local_pca(x.reshape(len(x), -1), radius=radius, seed=seed, ids=ids, **settings)
    record["numerics"] = {
        "method": f"local PCA, k = {options['k']}, radius rule {options['radius']}",
        "dtype": "float64",
        "attention": "none",
        "items": len(ids),
        "non_finite": 0,  # anything else stops the job
    }
    record.update(
        threshold=result.threshold,
        percentile=options["percentile"],
        pool_values=result.pool_used,
        pool_zeros_left_out=result.pool_zero,
        kept_neighbours_median=float(pd.Series(result.kept).median()),
    )
    table = pd.DataFrame({"item": ids, "estimator": estimator, "t": None, "index": None, "sigma": None})
    table["value"] = result.lid.astype(float)
    table["stderr"] = result.stderr
    table["probes"], table["seed"], table["dtype"] = (
        None,
        seed if options.get("bootstrap") else None,
        "float64",
    )
    write_table(table, out, SCORES)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.images,
            run.output.scores,
            estimator=run.wildcards.estimator,
            options=run.params.options,
            seed=run.params.seed,
            record=run.record,
        )
