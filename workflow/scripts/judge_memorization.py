"""Judge samples or training images: OD-Mem, DD-Mem, not memorized or undecided, from LID_theta and LID_*."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    inputs: dict[str, Any], verdicts: Path, counts: Path, *, options: dict[str, Any], calibration: int = 0
) -> None:
    """Write one row per item and the counts by group."""
    import pandas as pd

    from mmh.evaluation.verdict_table import IMAGE, MATCHED, count_verdicts, paired_verdicts, sample_verdicts
    from mmh.io.table_files import read_table, write_csv, write_table
    from mmh.io.tables import ALL_SCORES, LABELS, MATCHES, TRAIN, VERDICTS

    if "paired" in inputs:
        rule = {key: options[key] for key in ("low", "gap", "errors")}
        table, unit = paired_verdicts(pd.read_csv(inputs["paired"]), **rule), IMAGE
    else:
        unit = MATCHED
        table = sample_verdicts(
            read_table(inputs["scores"], ALL_SCORES),
            read_table(inputs["labels"], LABELS),
            read_table(inputs["matches"], MATCHES),
            read_table(inputs["train"], TRAIN),
            **options,
            calibration=calibration,
        )
    write_table(table, verdicts, VERDICTS)
    write_csv(count_verdicts(table, unit), counts, digits=4)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            vars(run.input),
            run.output.verdicts,
            run.output.counts,
            options=run.params.options,
            calibration=run.params.calibration,
        )
