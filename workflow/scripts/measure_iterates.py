"""Measure generations on the way of descents, and compare them with those of the prompts as they are."""

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
    """Write ``iterates.parquet``, a row for each generation, and ``optimisation.csv``.

    `inputs`: prompts, generations, images, captions, descriptor and clip, as the rule names them.
    """
    from mmh.io.table_files import write_csv, write_table
    from mmh.io.tables import ITERATED
    from mmh.mitigated.iterated import iterates_table, measured_iterates
    from mmh.mitigated.reading import instruments, read_truth

    truth = read_truth(inputs["prompts"], inputs["images"], inputs["captions"])
    tools, record["classifier"] = instruments(truth, inputs["descriptor"], inputs["clip"], options, device)
    files = inputs["generations"]
    how = {"cut": options["copy_similarity"], "report": progress(len(files))}
    found = measured_iterates(files, truth, **tools, **how)
    write_table(found, out, ITERATED)
    write_csv(iterates_table(found), table, digits=6)


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
