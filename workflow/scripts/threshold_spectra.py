"""Count the singular values under a percentile pooled over all images (paper Eq. 8, Appendix C.1)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    spectra: list[Path],
    out: Path,
    *,
    estimator: str,
    options: dict[str, Any],
    seed: int,
    record: dict[str, Any],
) -> None:
    """Write LID_theta of every image of the pool, and the threshold with its pool to the run record."""
    import numpy as np
    import pandas as pd

    from mmh.io import read_arrays, write_table
    from mmh.lid.normal_bundle import count_stderr
    from mmh.lid.spectra import count_below, pooled_threshold

    parts = [read_arrays(path, "spectrum", "left_out", "id", "index", "sigma") for path in spectra]
    pooled, left_out, ids = (np.concatenate([part[k] for part in parts]) for k in range(3))
    index, sigma = int(parts[0][3][0]), float(parts[0][4][0])
    threshold = pooled_threshold(pooled, options["percentile"])
    record.update(
        threshold=threshold,
        percentile=options["percentile"],
        pool_items=len(ids),
        pool_values=int(pooled.size),
    )
    table = pd.DataFrame({"item": ids, "estimator": estimator, "t": options["t"]})
    table["index"], table["sigma"] = None if index < 0 else index, sigma
    table["value"] = count_below(pooled, threshold).astype(float)
    table["stderr"], table["probes"] = count_stderr(left_out, threshold), options["copies"]
    table["seed"], table["dtype"] = seed, "float64"
    write_table(table, out, "scores")


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.spectra,
            run.output.scores,
            estimator=run.wildcards.estimator,
            options=run.params.options,
            seed=run.params.seed,
            record=run.record,
        )
