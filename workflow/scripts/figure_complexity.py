"""Draw the density of the PNG size of the decoded images, by image set (paper Fig. 8c)."""

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
    """Draw the figure: one row per image set.

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
        `sets`: names, the memorized one first; `estimator`: PNG bits on the sets; optionally
        `experiment` and `paper` for the title.

    Notes
    -----
    Values in the CSV are bits, whatever the figure's unit.
    """
    from mmh.evaluation import image_sets as sets
    from mmh.evaluation import selection
    from mmh.io.files import read_table
    from mmh.io.tables import ALL_SCORES
    from mmh.plotting import set_panels, style

    names, estimator = options["sets"], options["estimator"]
    looks, table = set_panels.set_looks(names), sets.read_sets(image_sets)
    rows = read_table(scores, ALL_SCORES)
    frame = sets.long_form(sets.side_by_side(rows, table, names, [estimator]), [estimator])
    summary = selection.medians(frame, ["estimator", "label"], clusters="family")
    areas = set_panels.read_areas(evaluation, names)
    factor, unit = set_panels.scaled_bits(frame["value"])
    ends = ["median", "low", "high", "lower_quartile", "upper_quartile"]
    fig = set_panels.sets_figure(
        frame.assign(value=factor * frame["value"]),
        summary.assign(**{name: factor * summary[name] for name in ends}),
        areas,
        {estimator: ("", set_panels.axis_label(f"PNG size of the decoded image ({unit})", large=False))},
        looks,
        held=table["items"].value_counts().to_dict() | set_panels.read_counts(counts),
        title=style.heading(options.get("paper", "8c"), "PNG size by image set", options.get("experiment")),
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
