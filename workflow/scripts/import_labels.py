"""Check label files, merge the raters, and write the labels, who said what, and how far raters agree."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    files: list[Path],
    matches: Path,
    sheet: Path | None,
    labels: Path,
    votes: Path,
    agreement: Path,
    disagreements: Path,
    *,
    source: str,
    seed: int,
    record: dict[str, Any],
) -> None:
    """Write one row for each labelled pair, and what it is made of.

    Parameters
    ----------
    files : list of path
        Label files; may be none.
    matches : path
        `matches.parquet`.
    sheet : path, optional
        `label_sheet.parquet`, where the experiment has a label sheet.
    labels, votes : path
        Parquet to write: the merged labels, and one row for each word of a rater.
    agreement, disagreements : path
        CSV to write: `agreement.agreement_table`, and the pairs of a second round.
    source : str
        `people` or `planted`.
    seed : int
        Root seed of the run; decides on the resamples of the intervals.
    record : dict
        Gets the number of files, of votes, of rows passed over and of disagreements.
    """
    from mmh.io.table_files import read_table, write_csv, write_table
    from mmh.io.tables import LABELS, MATCHES, SHEET, VOTES
    from mmh.labels.agreement import agreement_table
    from mmh.labels.agreement import disagreements as list_disagreements
    from mmh.labels.label_files import read_label_files, sheet_of
    from mmh.labels.merging import merge_labels

    known = None if sheet is None else sheet_of(read_table(sheet, SHEET))
    said, passed_over = read_label_files(files, matches=read_table(matches, MATCHES), sheet=known)
    apart = list_disagreements(said)
    record.update(files=len(files), votes=len(said), without_label=passed_over, disagreements=len(apart))
    write_table(merge_labels(said, source=source), labels, LABELS)
    write_table(said, votes, VOTES)
    write_csv(agreement_table(said, seed=seed), agreement, digits=6)
    write_csv(apart, disagreements)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.files,
            run.input.matches,
            getattr(run.input, "sheet", None) or None,  # an empty list where there is none
            run.output.labels,
            run.output.votes,
            run.output.agreement,
            run.output.disagreements,
            source="planted" if run.params.options["source"] == "planted" else "people",
            seed=run.params.seed,
            record=run.record,
        )
