"""Write the page on which people label the candidate pairs, its spreadsheet form, and the list of pairs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    candidates: Path,
    matches: Path,
    samples: list[Path],
    train: Path,
    disagreements: Path | None,
    page: Path,
    template: Path,
    sheet: Path,
    *,
    options: dict[str, Any],
    experiment: str,
    seed: int,
    record: dict[str, Any],
) -> None:
    """Write the label sheet.

    Parameters
    ----------
    candidates, matches : path
        `candidates.parquet`, `matches.parquet`.
    samples, train : list of path, path
        Image shards that hold the candidates, and `data/train.npz`.
    disagreements : path, optional
        CSV with a column `pair`: the pairs of a second round.
    page, template, sheet : path
        HTML, CSV and Parquet to write; the last lists every pair, whichever are on the page.
    options : dict
        `only`: `all`, or `disagreements` for a second round.
    experiment : str
        Shown on the page, and part of the pairs' names.
    seed : int
        Root seed of the run; decides on the order.
    record : dict
        Gets the number of pairs, the size of the page and the name of the sheet.
    """
    from mmh.io.table_files import read_table, write_table
    from mmh.io.tables import CANDIDATES, MATCHES, SHEET
    from mmh.labels.label_sheet import write_sheet
    from mmh.labels.sheet_pairs import second_round, sheet_images, sheet_pairs

    listed = read_table(candidates, CANDIDATES)
    generated = sheet_images(samples, listed["sample"])
    matched = sheet_images([train], listed["train"])
    pairs = sheet_pairs(
        listed, read_table(matches, MATCHES), generated, matched, seed=seed, experiment=experiment
    )
    if options["only"] == "disagreements":
        pairs = second_round(pairs, disagreements)
    record.update(write_sheet(pairs, generated, matched, page, template, experiment=experiment))
    write_table(pairs, sheet, SHEET)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.candidates,
            run.input.matches,
            [run.input.samples],
            run.input.train,
            getattr(run.input, "disagreements", None) or None,  # an empty list where there is none
            run.output.page,
            run.output.template,
            run.output.sheet,
            options=run.params.options,
            experiment=run.wildcards.experiment,
            seed=run.params.seed,
            record=run.record,
        )
