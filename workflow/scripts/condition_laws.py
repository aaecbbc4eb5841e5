"""Compute LID given a condition beside LID without it, at points of laws whose scores are known."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(out: Path, *, laws: dict[str, Any], options: dict[str, Any], seed: int, progress: Any) -> None:
    """Write `mmh.oracles.conditioning.COLUMNS` for each law that is conditioned."""
    import pandas as pd

    from mmh.diffusion.schedule import Schedule
    from mmh.io.table_files import write_csv
    from mmh.oracles.conditioning import measure

    schedule, asked = Schedule.linear_vp(**options["schedule"]), options["conditioned"]
    report, tables = progress(len(asked), "law"), []
    for done, (name, how) in enumerate(asked.items(), start=1):
        one = measure(laws[name], name, how["measurements"], schedule, options["t"], seed)
        tables.append(one)
        report(done)
    write_csv(pd.concat(tables, ignore_index=True), out)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.output.conditioned,
            laws=run.params.laws,
            options=run.params.options,
            seed=run.params.seed,
            progress=run.progress,
        )
