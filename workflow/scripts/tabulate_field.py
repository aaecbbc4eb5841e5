"""List all detectors of prompts, with interval and cost, beside what was published."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    evaluation: Path,
    combined: Path | None,
    out: Path,
    *,
    metrics: dict[str, Any],
    options: dict[str, Any],
    plugins: Sequence[str] = (),
) -> None:
    """Write ``field.csv``; `options`: steps, dim, model."""
    import pandas as pd

    from mmh.detection.field import field_table
    from mmh.io.table_files import write_csv
    from mmh.metrics.base import METRICS
    from mmh.rows import load_plugins

    load_plugins(plugins, METRICS)
    taken = {name: METRICS[name].Options.model_validate(given) for name, given in metrics.items()}
    found = None if combined is None else pd.read_csv(combined)
    table = field_table(pd.read_csv(evaluation), found, taken, **options)
    write_csv(table, out, digits=6)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.evaluation,
            getattr(run.input, "combination", None) or None,  # an empty list where there is none
            run.output.table,
            metrics=run.params.metrics,
            options=run.params.options,
            plugins=run.params.untracked.plugins,
        )
