"""Evaluate a spectral estimator of LID for each percentile of its pooled threshold, and its log-volume."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    spectra: list[Path],
    labels: Path,
    matches: Path,
    train: Path,
    out: Path,
    *,
    estimator: str,
    calibration: int,
    options: dict[str, Any],
) -> None:
    """Write ``percentiles.csv``; without any label it has its header alone.

    Parameters
    ----------
    spectra : list of path
        Shards with `spectrum` (n, d), descending, and `id`.
    labels, matches, train : path
        `labels.parquet`, `matches.parquet`, `data/train.parquet`.
    out : path
        File to write.
    estimator : str
        Name in the rows.
    calibration : int
        The first sample ids, which are not evaluated; their spectra stay in the pool.
    options : dict
        `side`: above or below; `percentiles`: list; optionally `structural_zeros`.
    """
    import numpy as np
    import pandas as pd

    from mmh.evaluation.percentiles import sweep
    from mmh.evaluation.samples import labelled_scores
    from mmh.io.arrays import read_arrays
    from mmh.io.table_files import read_table, write_csv
    from mmh.io.tables import LABELS, MATCHES, TRAIN

    parts = [read_arrays(path, "spectrum", "id") for path in spectra]
    values, ids = (np.concatenate([part[k] for part in parts]) for k in range(2))
    table = labelled_scores(
        pd.DataFrame(),
        read_table(labels, LABELS),
        read_table(matches, MATCHES),
        read_table(train, TRAIN),
        estimators=[],
        exclude=range(calibration),
    )
    write_csv(sweep(values, ids, table, estimator=estimator, **options), out, digits=6)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.spectra,
            run.input.labels,
            run.input.matches,
            run.input.train,
            run.output.percentiles,
            estimator=run.params.estimator,
            calibration=run.params.calibration,
            options=run.params.options,
        )
