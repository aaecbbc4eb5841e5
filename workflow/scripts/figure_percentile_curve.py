"""Draw how well a spectral LID tells memorized samples, against the percentile of its pooled threshold."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(percentiles: Path, pdf: Path, png: Path, csv: Path, *, options: dict[str, Any]) -> None:
    """Draw the figure.

    Parameters
    ----------
    percentiles : path
        `percentiles.csv`.
    pdf, png, csv : path
        Files to write.
    options : dict
        `estimator`: of the spectra; optionally `percentile`, the one that is marked (10, the paper's),
        and `experiment` for the title.
    """
    from mmh.plotting import percentile, style, tables

    table = percentile.read_sweep(percentiles)
    fig = percentile.percentile_figure(
        table,
        options.get("percentile", 10),
        estimator=tables.printed(options["estimator"]),
        title=style.heading(None, "the threshold of LID", options.get("experiment")),
    )
    style.save(fig, pdf, png)
    style.write_numbers(table, csv)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.percentiles,
            run.output.pdf,
            run.output.png,
            run.output.csv,
            options=run.params.options,
        )
