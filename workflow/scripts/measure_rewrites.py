"""Measure generations of rewritten prompts, and compare the choices of words."""

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
    seed: int,
    device: str,
    record: dict[str, Any],
    progress: Any,
) -> None:
    """Write ``rewriting.parquet``, a row for each generation, and ``rewriting.csv``.

    `inputs`: prompts, rewrites, generations, images, captions, descriptor and clip, as the rule names them.
    """
    from mmh.io.table_files import read_table, write_csv, write_table
    from mmh.io.tables import REWRITES, REWRITTEN
    from mmh.mitigated.reading import instruments, read_truth
    from mmh.mitigated.rewrites import measured_rewrites
    from mmh.mitigated.rewriting import rewriting_table

    truth = read_truth(inputs["prompts"], inputs["images"], inputs["captions"])
    tools, record["classifier"] = instruments(truth, inputs["descriptor"], inputs["clip"], options, device)
    files = inputs["generations"]
    how = {"cut": options["copy_similarity"], "tuned": options["tune"], "report": progress(len(files))}
    found = measured_rewrites(files, truth, **tools, **how)
    write_table(found, out, REWRITTEN)
    compared = rewriting_table(
        found,
        read_table(inputs["rewrites"], REWRITES),
        truth.family.to_dict(),
        reference=options["reference"],
        tuned=options["tune"],
        similarities=options["similarities"],
        seed=seed,
    )
    write_csv(compared, table, digits=6)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            vars(run.input),
            run.output.generations,
            run.output.table,
            options=run.params.options,
            seed=run.params.seed,
            device=run.device,
            record=run.record,
            progress=run.progress,
        )
