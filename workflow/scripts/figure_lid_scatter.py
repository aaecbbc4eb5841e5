"""Draw the von Mises mixture and a model's samples coloured by FLIPD (paper Fig. 4)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    scores: Path,
    samples: list[Path],
    train: Path,
    pdf: Path,
    png: Path,
    csv: Path,
    *,
    options: dict[str, Any],
) -> None:
    """Draw the figure; its CSV lists all samples, the drawn ones first.

    Parameters
    ----------
    scores : path
        `scores.parquet`.
    samples, train : paths, path
        Shards of the samples in the plane, and `data/train.npz`.
    pdf, png, csv : path
        Files to write.
    options : dict
        `estimator`: name on the samples; `shown`: samples drawn; optionally `concentration` and
        `centre_weight` of the law (the world's defaults), and `experiment` and `paper` for the title.
    """
    from mmh.evaluation import selection
    from mmh.io.files import read_images, read_table
    from mmh.io.tables import ALL_SCORES
    from mmh.plotting import plane, style, tables
    from mmh.worlds import von_mises

    name = options["estimator"]
    rows = selection.single(read_table(scores, ALL_SCORES), name, "samples")
    x = read_images(samples, rows["item"].to_numpy())[0]
    points = read_images(train)[0]
    frame = rows[["item", "value"]].assign(x=x[:, 0], y=x[:, 1], region=von_mises.regions(x, points))
    fig = plane.scatter_figure(
        points,
        frame,
        options["shown"],
        concentration=options.get("concentration", von_mises.CONCENTRATION),
        centre_weight=options.get("centre_weight", von_mises.WEIGHT_AT_ORIGIN),
        estimator=tables.printed(name, rows["t"].iloc[0]),
        title=style.heading(
            options.get("paper", "4"), "a diffusion model on a von Mises mixture", options.get("experiment")
        ),
    )
    style.save(fig, pdf, png)
    style.write_numbers(frame[["item", "x", "y", "region", "value"]], csv)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.scores,
            run.input.samples,
            run.input.train,
            run.output.pdf,
            run.output.png,
            run.output.csv,
            options=run.params.options,
        )
