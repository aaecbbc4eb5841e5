"""Draw every labelled pair, generated above its match, by label and retrieval metric (paper Figs. 12-18)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    labels: Path,
    matches: Path,
    candidates: Path | list[Path],
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
    candidates : path, list of path
        `candidates.parquet`, which is drawn while nobody has labelled, or nothing.
    samples, train : paths, path
        Image shards of the samples, and `data/train.npz`.
    pdf, png, csv : path
        Files to write.
    options : dict
        `per_class`: most pairs of one label and metric that are drawn; optionally `experiment` and `paper`
        for the title.
    """
    from mmh.plotting import choice, groups, pairs, style

    compared, most = groups.read_groups(labels, matches, candidates, lists=True), options["per_class"]
    if compared.labelled:
        blocks, totals = choice.labelled_pairs(labels, matches, most)
    else:
        blocks, totals = choice.ranked_pairs(groups.read_candidates(labels, candidates), matches, most)
    images = choice.images_of(blocks["sample"], blocks["train"], samples, train)
    title = style.heading(
        options.get("paper", "12-18"),
        f"{'labelled' if compared.labelled else 'closest'} pairs, sample above match",
        options.get("experiment"),
    )

    def draw(pieces: list[pairs.Piece]) -> Any:
        looks, warning = compared.looks, compared.note
        return pairs.pairs_figure(pieces, totals, *images, looks, title=title, warning=warning)

    pieces = pairs.pieces_of(blocks, compared.looks)
    pages = pairs.paginate(pieces)
    if len(pages) == 1:
        style.save(draw(pieces), pdf, png)
    else:
        style.save_sheet(draw(pieces), map(draw, pages), pdf, png)
    style.write_numbers(compared.numbers(blocks), csv)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.labels,
            run.input.matches,
            run.input.candidates,
            run.input.samples,
            run.input.train,
            run.output.pdf,
            run.output.png,
            run.output.csv,
            options=run.params.options,
        )
