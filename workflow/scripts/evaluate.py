"""Compute AUC and TPR of every score against the labels, with intervals and gains over the baselines."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    scores: Path,
    labels: Path,
    matches: Path,
    train: Path,
    distances: Path | list[Path],
    out: Path,
    *,
    calibration: int,
    large: list[str],
    options: dict[str, Any],
) -> None:
    """Write ``evaluation.csv``; samples with ids below ``calibration`` chose t0 and are left out.

    Large values of the scores under ``large`` speak for memorization, small ones of all others. ``distances``
    are those that planted labels follow from, nothing where people have labelled.
    """
    from mmh.evaluation.samples import evaluate, oriented
    from mmh.io.table_files import read_table, write_csv
    from mmh.io.tables import ALL_SCORES, LABELS, MATCHES, PLANTED, TRAIN

    table = evaluate(
        oriented(read_table(scores, ALL_SCORES), large),
        read_table(labels, LABELS),
        read_table(matches, MATCHES),
        read_table(train, TRAIN),
        exclude=range(calibration),
        large=large,
        distances=read_table(distances, PLANTED) if isinstance(distances, Path) else None,
        **{name: value for name, value in options.items() if name != "resamples"},  # nothing is drawn
    )
    write_csv(table, out, digits=6)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.scores,
            run.input.labels,
            run.input.matches,
            run.input.train,
            run.input.distances,
            run.output.evaluation,
            calibration=run.params.calibration,
            large=run.params.large,
            options=run.params.options,
        )
