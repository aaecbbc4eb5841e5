"""Draw the densities of LID_* of the matched training images by label (paper Fig. 5d)."""

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
    """Draw the figure: each training image counts once per label, however many samples match it.

    Parameters
    ----------
    scores, labels, matches : path
        `scores.parquet`, `labels.parquet`, `matches.parquet`.
    candidates : path, list of path
        `candidates.parquet`, which is drawn while nobody has labelled, or nothing.
    pdf, png, csv : path
        Files to write.
    options : dict
        `estimator`: name on the training images; optionally `experiment` and `paper` for the title, and
        `calibration`: the first sample ids, whose matches are left out.
    """
    from mmh.evaluation import selection
    from mmh.plotting import groups, panels, style, tables

    name = options["estimator"]
    compared = groups.read_groups(labels, matches, candidates)
    frame = selection.matched_images(scores, compared.rows, name, calibration=options.get("calibration", 0))
    fig = panels.density_figure(
        frame,
        selection.medians(frame, ["estimator", "label"]),
        {name: tables.printed(name)},
        compared.looks,
        xlabel=r"$\widehat{\mathrm{LID}}_*$ of the training image (dimensions)",
        counted="training images",
        title=style.heading(
            options.get("paper", "5d"),
            rf"$\widehat{{\mathrm{{LID}}}}_*$ of the match by {compared.by}",
            options.get("experiment"),
        ),
        note="Mark and bar: median, 95 % bootstrap interval.\n"
        f"Tick: a training image, once per {'label' if compared.labelled else 'group'}.",
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
