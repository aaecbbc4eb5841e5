"""Check label files against the retrieved pairs, merge the raters, and write the table of labels."""

from pathlib import Path
from typing import TYPE_CHECKING

from mmh.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(files: list[Path], matches: Path, out: Path, *, source: str) -> None:
    """Write one row per labelled pair."""
    from mmh.io import read_table, write_table
    from mmh.labels import merge_labels, read_label_file

    pairs = read_table(matches, "matches")
    tables = [read_label_file(file) for file in files]
    labels = merge_labels(tables, samples=pairs["sample"].unique(), matches=pairs, source=source)
    write_table(labels, out, "labels")


if __name__ == "__main__":
    with job(snakemake) as run:
        kind = "planted" if run.params.options["source"] == "planted" else "people"
        main(run.input.files, run.input.matches, run.output.labels, source=kind)
