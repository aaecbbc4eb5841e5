"""Test the papers' claims on an experiment: holds, fails or undecided."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    inputs: dict[str, Any],
    out: Path,
    *,
    calibration: int,
    resamples: int,
    options: dict[str, Any],
    seed: int,
    plugins: Sequence[str] = (),
) -> None:
    """Write ``claims.csv`` from whichever tables the experiment has."""
    from mmh.claims.base import CLAIMS
    from mmh.claims.reading import read_tables
    from mmh.claims.table import check_claims
    from mmh.io.table_files import write_csv
    from mmh.metrics.base import METRICS
    from mmh.rows import load_plugins

    load_plugins(plugins, CLAIMS, METRICS)
    tables = read_tables(inputs)
    settings = {key: value for key, value in options.items() if key != "check"}
    how: dict[str, Any] = {"exclude": range(calibration), "resamples": resamples, "seed": seed}
    table = check_claims(options["check"], tables, options=settings, **how)
    write_csv(table, out, digits=6)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            vars(run.input),
            run.output.claims,
            calibration=run.params.calibration,
            resamples=run.params.resamples,
            options=run.params.options,
            seed=run.params.seed,
            plugins=run.params.untracked.plugins,
        )
