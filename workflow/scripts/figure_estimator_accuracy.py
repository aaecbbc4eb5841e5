"""Draw estimates of LID against the truth, and their mean absolute error, over the noise level."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(accuracy: Path, pdf: Path, png: Path, csv: Path, *, options: dict[str, Any]) -> None:
    """Draw the figure.

    Parameters
    ----------
    accuracy : path
        `accuracy.csv`.
    pdf, png, csv : path
        Files to write.
    options : dict
        `estimates`: estimators whose mean is drawn against the truth, from the exact and the learned score;
        `errors`: two lists of estimators whose errors are compared, one per column; optionally `experiment`
        for the title.
    """
    import pandas as pd

    from mmh.plotting import accuracy as panels
    from mmh.plotting import style

    numbers = panels.accuracy_numbers(pd.read_csv(accuracy), options["estimates"], options["errors"])
    title = style.heading(
        None, "estimate against truth, from exact scores unless learned", options.get("experiment")
    )
    fig = panels.accuracy_figure(numbers, options["errors"], title=title)
    style.save(fig, pdf, png)
    style.write_numbers(numbers, csv)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.accuracy,
            run.output.pdf,
            run.output.png,
            run.output.csv,
            options=run.params.options,
        )
