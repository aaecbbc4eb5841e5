"""Draw LID_* and LID_θ of an overfit model and of its control on the same images, paired."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(paired: Path, pdf: Path, png: Path, csv: Path, *, options: dict[str, Any]) -> None:
    """Draw the figure, with the share of images that are OD-Mem (LID_θ < LID_*) for each model.

    Parameters
    ----------
    paired : path
        `paired.csv`.
    pdf, png, csv : path
        Files to write.
    options : dict
        All optional: `margin`, dimensions by which LID_θ must fall short (0); `estimator` and
        `data_estimator`, to be named on the axes; `experiment` for the title.
    """
    from mmh.plotting import paired as panels
    from mmh.plotting import style, tables

    values = panels.read_values(paired)
    names = {
        key: tables.printed(options[key]) if key in options else "" for key in ("estimator", "data_estimator")
    }
    title = style.heading(None, "overfit model and control on the same images", options.get("experiment"))
    fig = panels.paired_figure(values, options.get("margin", 0.0), **names, title=title)
    style.save(fig, pdf, png)
    style.write_numbers(values, csv)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.paired,
            run.output.pdf,
            run.output.png,
            run.output.csv,
            options=run.params.options,
        )
