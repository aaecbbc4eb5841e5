"""Put LID_* and the LID_theta of an experiment and of its control side by side, image by image."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    scores: Path,
    train: Path,
    control_scores: Path,
    control_train: Path,
    out: Path,
    *,
    options: dict[str, Any],
) -> None:
    """Write one row per training image that both models were asked about."""
    from mmh.evaluation.paired import paired_lid
    from mmh.io.table_files import read_table, write_csv
    from mmh.io.tables import ALL_SCORES, TRAIN

    table = paired_lid(
        read_table(scores, ALL_SCORES),
        read_table(control_scores, ALL_SCORES),
        read_table(train, TRAIN),
        read_table(control_train, TRAIN),
        control_items=options["items"],
        model_estimator=options["estimator"],
        data_estimator=options["data_estimator"],
        others=options.get("others", ()),
    )
    write_csv(table, out)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.scores,
            run.input.train,
            run.input.control_scores,
            run.input.control_train,
            run.output.paired,
            options=run.params.options,
        )
