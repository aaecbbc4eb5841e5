"""Draw the densities of LID_θ of generated samples by label, one panel per estimator (paper Figs. 5b, 5c)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    scores: Path,
    labels: Path,
    matches: Path,
    candidates: Path | list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    *,
    options: dict[str, Any],
) -> None:
    """Draw the figure.

    Parameters
    ----------
    scores, labels, matches : path
        `scores.parquet`, `labels.parquet`, `matches.parquet`.
    candidates : path, list of path
        `candidates.parquet`, which is drawn while nobody has labelled, or nothing.
    pdf, png, csv : path
        Files to write.
    options : dict
        `estimators`: names on the samples, one t each; optionally `experiment` and `paper` for the title, and
        `calibration`: the first sample ids, which are left out.
    """
    from mmh.evaluation import selection
    from mmh.plotting import groups, panels, style, tables

    compared = groups.read_groups(labels, matches, candidates)
    names = options["estimators"]
    frame = selection.grouped_samples(scores, compared.rows, names, calibration=options.get("calibration", 0))
    fig = panels.density_figure(
        frame,
        selection.medians(frame, ["estimator", "label"], clusters="train"),
        tables.panel_names(frame, names),
        compared.looks,
        xlabel=r"$\widehat{\mathrm{LID}}_\theta$ of the sample (dimensions)",
        counted="samples",
        title=style.heading(
            options.get("paper", tables.paper_figure(names, "5c", "5b")),
            rf"$\widehat{{\mathrm{{LID}}}}_\theta$ by {compared.by}",
            options.get("experiment"),
        ),
        note=panels.NOTE,
        warning=compared.note,
    )
    style.save(fig, pdf, png)
    style.write_numbers(compared.numbers(frame), csv)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.scores,
            run.input.labels,
            run.input.matches,
            run.input.candidates,
            run.output.pdf,
            run.output.png,
            run.output.csv,
            options=run.params.options,
        )
