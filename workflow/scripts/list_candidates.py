"""List the samples closest to a training image by each distance; collect them with a draw of the others."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    matches: Path,
    samples: list[Path],
    out: Path,
    selected: Path,
    *,
    options: dict[str, Any],
    calibration: int,
    seed: int,
    record: dict[str, Any],
) -> None:
    """Write the table of candidates, and one shard with the selected samples.

    Parameters
    ----------
    matches : path
        `matches.parquet`.
    samples : list of path
        Shards of the samples.
    out, selected : path
        `candidates.parquet` and `selected.npz`, whose rows are sorted by id.
    options : dict
        `top`: candidates by each distance; `total`: samples selected.
    calibration : int
        The first sample ids, which are never evaluated and so are left out.
    seed : int
        Root seed of the run.
    record : dict
        Gets the counts.
    """
    from mmh.io.arrays import write_arrays
    from mmh.io.table_files import read_table, write_table
    from mmh.io.tables import CANDIDATES, MATCHES
    from mmh.retrieval.candidates import candidates, gather, selection

    pairs = read_table(matches, MATCHES).query("sample >= @calibration")
    table = candidates(pairs, options["top"])
    ids = selection(table, pairs["sample"].unique(), options["total"], seed)
    write_table(table, out, CANDIDATES)
    write_arrays(selected, **gather(samples, ids))
    record.update(candidates=int(table["sample"].nunique()), selected=len(ids))


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.matches,
            run.input.samples,
            run.output.candidates,
            run.output.selected,
            options=run.params.options,
            calibration=run.params.calibration,
            seed=run.params.seed,
            record=run.record,
        )
