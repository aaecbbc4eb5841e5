"""Draw FLIPD and its AUC against the noise level t, which is how t0 is chosen (calibration samples)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

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
        `estimator`: FLIPD on samples at a list of t; `chosen`: the estimator in use, whose t0 is marked;
        optionally `experiment` for the title, and `calibration`: only the ids below it are used.
    """
    from mmh.evaluation import selection
    from mmh.io.files import read_table
    from mmh.io.tables import ALL_SCORES
    from mmh.plotting import curve, groups, style

    table = read_table(scores, ALL_SCORES)
    frame = selection.select(table, options["estimator"], "samples").merge(
        groups.read_classes(labels, matches), left_on="item", right_on="sample"
    )
    if "calibration" in options:
        frame = frame[frame["item"] < options["calibration"]]
    numbers = curve.curve_numbers(frame)
    chosen = float(selection.single(table, options["chosen"], "samples")["t"].iloc[0])
    heading = f"FLIPD against the noise level, {frame['item'].nunique()} calibration samples"
    fig = curve.curve_figure(numbers, chosen, title=style.heading(None, heading, options.get("experiment")))
    style.save(fig, pdf, png)
    style.write_numbers(numbers, csv)


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
