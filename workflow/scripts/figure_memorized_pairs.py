"""Draw every labelled pair, generated above its match, by label and retrieval metric (paper Figs. 12-18)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    labels: Path,
    matches: Path,
    samples: list[Path],
    train: Path,
    pdf: Path,
    png: Path,
    csv: Path,
    *,
    options: dict[str, Any],
) -> None:
    """Draw the figure; each block shows its closest pairs first, and says how many there are.

    Parameters
    ----------
    labels, matches : path
        `labels.parquet`, `matches.parquet`.
    samples, train : paths, path
        Image shards of the samples, and `data/train.npz`.
    pdf, png, csv : path
        Files to write.
    options : dict
        `per_class`: most pairs of one label and metric that are drawn; optionally `experiment` and `paper`
        for the title.
    """
    from mmh.plotting import pairs, style

    blocks, totals = pairs.labelled_pairs(labels, matches, options["per_class"])
    fig = pairs.pairs_figure(
        blocks,
        totals,
        *pairs.images_of(blocks["sample"], blocks["train"], samples, train),
        title=style.heading(
            options.get("paper", "12-18"), "labelled pairs, sample above match", options.get("experiment")
        ),
    )
    style.save(fig, pdf, png)
    style.write_numbers(blocks, csv)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.labels,
            run.input.matches,
            run.input.samples,
            run.input.train,
            run.output.pdf,
            run.output.png,
            run.output.csv,
            options=run.params.options,
        )
