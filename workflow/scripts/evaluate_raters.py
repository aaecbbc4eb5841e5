"""Evaluate every score against each rater's labels, and with unsure labels counted either way."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    scores: Path,
    votes: Path,
    labels: Path,
    matches: Path,
    train: Path,
    out: Path,
    *,
    calibration: int,
    large: list[str],
    options: dict[str, Any],
    seed: int,
) -> None:
    """Write ``evaluation_raters.csv``; samples with ids below ``calibration`` chose t0 and are left out.

    Large values of the scores under ``large`` speak for memorization, small ones of all others.
    """
    from mmh.evaluation.label_noise import evaluate_raters
    from mmh.evaluation.samples import oriented
    from mmh.io.table_files import read_table, write_csv
    from mmh.io.tables import ALL_SCORES, LABELS, MATCHES, TRAIN, VOTES

    table = evaluate_raters(
        oriented(read_table(scores, ALL_SCORES), large),
        read_table(votes, VOTES),
        read_table(labels, LABELS),
        read_table(matches, MATCHES),
        read_table(train, TRAIN),
        exclude=range(calibration),
        seed=seed,
        **options,
    )
    write_csv(table, out, digits=6)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.scores,
            run.input.votes,
            run.input.labels,
            run.input.matches,
            run.input.train,
            run.output.evaluation,
            calibration=run.params.calibration,
            large=run.params.large,
            options=run.params.options,
            seed=run.params.seed,
        )
