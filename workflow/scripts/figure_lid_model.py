"""Draw the densities of LID_θ of generated samples by label, one panel per estimator (paper Figs. 5b, 5c)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    scores: Path, labels: Path, matches: Path, pdf: Path, png: Path, csv: Path, *, options: dict[str, Any]
) -> None:
    """Draw the figure.

    Parameters
    ----------
    scores, labels, matches : path
        `scores.parquet`, `labels.parquet`, `matches.parquet`.
    pdf, png, csv : path
        Files to write.
    options : dict
        `estimators`: names on the samples, one t each; optionally `experiment` and `paper` for the title, and
        `calibration`: the first sample ids, which are left out.
    """
    from mmh.plotting import panels, style, tables

    frame = tables.labelled_samples(
        scores, labels, matches, options["estimators"], calibration=options.get("calibration", 0)
    )
    names = tables.panel_names(frame, options["estimators"])
    fig = panels.density_figure(
        frame,
        tables.medians(frame, ["estimator", "label"], clusters="train"),
        names,
        xlabel=r"$\widehat{\mathrm{LID}}_\theta$ of the sample (dimensions)",
        counted="samples",
        title=style.heading(
            options.get("paper", "5c"), r"$\widehat{\mathrm{LID}}_\theta$ by label", options.get("experiment")
        ),
        note=panels.NOTE,
    )
    style.save(fig, pdf, png)
    style.write_numbers(frame, csv)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.scores,
            run.input.labels,
            run.input.matches,
            run.output.pdf,
            run.output.png,
            run.output.csv,
            options=run.params.options,
        )
