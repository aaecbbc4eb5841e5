"""Draw LID_* and LID_θ of an overfit model and of its control on the same images, paired."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    scores: Path,
    train: Path,
    control_scores: Path,
    control_train: Path,
    pdf: Path,
    png: Path,
    csv: Path,
    *,
    options: dict[str, Any],
) -> None:
    """Draw the figure, with the share of images that are OD-Mem (LID_θ < LID_*) for each model.

    Parameters
    ----------
    scores, train : path
        `scores.parquet` and `data/train.parquet` of the overfit experiment.
    control_scores, control_train : path
        The same of the control, whose scores hold LID_* too.
    pdf, png, csv : path
        Files to write.
    options : dict
        `estimator`: LID_θ, on the training images; `data_estimator`: LID_*; `items`: the control's
        image set of these images; optionally `margin`, dimensions by which LID_θ must fall short (0), and
        `experiment` for the title.
    """
    from mmh.io import read_table
    from mmh.plotting import paired, style, tables

    name, data_name, margin = options["estimator"], options["data_estimator"], options.get("margin", 0.0)
    own = read_table(scores, "all_scores")
    values = paired.paired_values(
        own,
        read_table(train, "train"),
        read_table(control_scores, "all_scores"),
        read_table(control_train, "train"),
        estimator=name,
        data_estimator=data_name,
        items=options["items"],
    )
    fig = paired.paired_figure(
        values,
        margin,
        estimator=tables.printed(name, own.loc[own["estimator"] == name, "t"].iloc[0]),
        data_estimator=tables.printed(data_name),
        title=style.heading(None, "overfit model and control on the same images", options.get("experiment")),
    )
    style.save(fig, pdf, png)
    style.write_numbers(values, csv)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.scores,
            run.input.train,
            run.input.control_scores,
            run.input.control_train,
            run.output.pdf,
            run.output.png,
            run.output.csv,
            options=run.params.options,
        )
