"""Draw the densities of FLIPD, with and without caption, and of the CFG-vector norm by set (paper Fig. 6)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    scores: Path,
    image_sets: list[Path],
    evaluation: Path,
    counts: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    *,
    options: dict[str, Any],
) -> None:
    """Draw the figure: one panel per score, one row per image set.

    Parameters
    ----------
    scores, evaluation : path
        `scores.parquet`, `evaluation.csv`.
    image_sets : list of path
        Tables of the image sets, ``image_sets/<set>.parquet``.
    counts : list of path
        ``image_sets/<set>.counts.json`` of the sets by URL: how many images were asked for.
    pdf, png, csv : path
        Files to write.
    options : dict
        `sets`: names, the memorized one first; `estimators`: names, one t each; `large`: those of them of
        which large values speak for memorization; optionally `experiment` and `paper` for the title.
    """
    from mmh.evaluation import image_sets as sets
    from mmh.evaluation import selection
    from mmh.io.files import read_table
    from mmh.io.tables import ALL_SCORES
    from mmh.plotting import set_panels, style

    names, estimators = options["sets"], options["estimators"]
    looks, table = set_panels.set_looks(names), sets.read_sets(image_sets)
    rows = read_table(scores, ALL_SCORES)
    frame = sets.long_form(sets.side_by_side(rows, table, names, estimators), estimators)
    large = options["large"]
    titles = set_panels.score_names(rows, estimators)
    axis = r"$\|\varepsilon_c - \varepsilon_\varnothing\|$ (units of the noise)"
    panels = {
        name: (title, set_panels.axis_label(axis if name in large else "dimensions", large=name in large))
        for name, title in titles.items()
    }
    summary = selection.medians(frame, ["estimator", "label"], clusters="family")
    areas = set_panels.read_areas(evaluation, names)
    fig = set_panels.sets_figure(
        frame,
        summary,
        areas,
        panels,
        looks,
        held=table["items"].value_counts().to_dict() | set_panels.read_counts(counts),
        title=style.heading(
            options.get("paper", "6"),
            "scores of real images with their captions, by image set",
            options.get("experiment"),
        ),
    )
    style.save(fig, pdf, png)
    style.write_numbers(set_panels.numbers(frame, summary, areas), csv)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.scores,
            run.input.image_sets,
            run.input.evaluation,
            run.input.counts,
            run.output.pdf,
            run.output.png,
            run.output.csv,
            options=run.params.options,
        )
