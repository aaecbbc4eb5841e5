"""Draw the six situations of the manifold memorization hypothesis with measured LID (paper Fig. 1)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(cartoon: Path, pdf: Path, png: Path, csv: Path, *, options: dict[str, Any]) -> None:
    """Draw the figure.

    Parameters
    ----------
    cartoon : path
        Table of `compute_cartoon`.
    pdf, png, csv : path
        Files to write.
    options : dict
        Optionally `paper` for the title.
    """
    from mmh.io.files import read_table
    from mmh.oracles.cartoon import CARTOON
    from mmh.plotting import sketch, style

    table = read_table(cartoon, CARTOON)
    sigma = table["sigma"].dropna().iloc[0]
    n = int(((table["panel"] == "a") & (table["kind"] == "train")).sum())
    title = style.heading(
        options.get("paper", "1"),
        f"closed-form laws in the plane, $n$ = {n} training points each; "
        rf"LID (dimensions) by exact FLIPD at $\sigma$ = {sigma:.3g}",
    )
    fig = sketch.sketch_figure(table, title)
    style.save(fig, pdf, png)
    style.write_numbers(table, csv)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.cartoon,
            run.output.pdf,
            run.output.png,
            run.output.csv,
            options=run.params.options,
        )
