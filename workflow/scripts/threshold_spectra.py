"""Count singular values against a percentile pooled over all images (paper Eq. 8, Appendices B.3, C.1)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    spectra: list[Path],
    candidates: Path | None,
    out: Path,
    *,
    estimator: str,
    method: str,
    options: dict[str, Any],
    seed: int,
    record: dict[str, Any],
) -> None:
    """Write LID_theta of every image, and the threshold with its pool to the run record.

    The paper's pool is all generated images. Where only some have spectra, candidates are many times too
    frequent among them, so the pool is the seeded draw of the others (`candidates` lists who is left out).
    """
    import numpy as np
    import pandas as pd

    from mmh.io.files import read_arrays, read_table, write_table
    from mmh.io.tables import CANDIDATES, SCORES
    from mmh.lid.normal_bundle import count_stderr
    from mmh.lid.spectra import count_above, count_below, pooled_threshold

    parts = [read_arrays(path, "spectrum", "id") for path in spectra]
    pooled, ids = (np.concatenate([part[k] for part in parts]) for k in range(2))
    chosen = np.ones(len(ids), dtype=bool)
    if candidates is not None:
        chosen = ~np.isin(ids, read_table(candidates, CANDIDATES)["sample"])
    pool = pooled[chosen]
    threshold = pooled_threshold(pool, options["percentile"])
    record.update(
        threshold=threshold,
        percentile=options["percentile"],
        pool_items=len(pool),
        pool_values=int(pool.size),
        pool_candidates_left_out=int((~chosen).sum()),
    )
    table = pd.DataFrame({"item": ids, "estimator": estimator})
    if method == "jacobian":  # tangent directions stretch: large values; nothing is drawn at random
        for name in ("t", "index", "sigma"):
            table[name] = None
        table["value"] = count_above(pooled, threshold).astype(float)
        table["stderr"], table["probes"], table["seed"] = None, None, None
    else:  # the score is large across the manifold: small values are tangent
        left_out = np.concatenate([read_arrays(path, "left_out")[0] for path in spectra])
        index, sigma = read_arrays(spectra[0], "index", "sigma")
        table["t"], table["sigma"] = options["t"], float(sigma[0])
        table["index"] = None if index[0] < 0 else int(index[0])
        table["value"] = count_below(pooled, threshold).astype(float)
        table["stderr"], table["probes"] = count_stderr(left_out, threshold), options["copies"]
        table["seed"] = seed
    table["dtype"] = "float64"
    table = table[list(SCORES.columns)]
    write_table(table, out, SCORES)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.spectra,
            run.input.candidates or None,  # an empty list where all images have spectra
            run.output.scores,
            estimator=run.wildcards.estimator,
            method=run.params.method,
            options=run.params.options,
            seed=run.params.seed,
            record=run.record,
        )
