"""Measure generations with mitigations, and compare the mitigations."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    inputs: dict[str, Any],
    out: Path,
    table: Path,
    *,
    options: dict[str, Any],
    device: str,
    record: dict[str, Any],
    progress: Any,
) -> None:
    """Write ``mitigated.parquet``, a row for each generation, and ``mitigation.csv``.

    `inputs`: prompts, generations, images, captions, descriptor and clip, as the rule names them.
    """
    from mmh.io.table_files import write_csv, write_table
    from mmh.io.tables import MITIGATED
    from mmh.mitigated.measures import measured
    from mmh.mitigated.reading import instruments, read_truth
    from mmh.mitigated.table import comparison

    truth = read_truth(inputs["prompts"], inputs["images"], inputs["captions"])
    tools, record["classifier"] = instruments(truth, inputs["descriptor"], inputs["clip"], options, device)
    files = inputs["generations"]
    how = {"cut": options["copy_similarity"], "tuned": options["tune"], "report": progress(len(files))}
    found = measured(files, truth, **tools, **how)
    write_table(found, out, MITIGATED)
    write_csv(comparison(found, options["reference"]), table, digits=6)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            vars(run.input),
            run.output.generations,
            run.output.table,
            options=run.params.options,
            device=run.device,
            record=run.record,
            progress=run.progress,
        )
