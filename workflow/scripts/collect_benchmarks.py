"""Gather wall time and peak memory of every job into one table."""

from pathlib import Path
from typing import TYPE_CHECKING

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(folder: Path, out: Path) -> None:
    """Write one row per job that has run, and one per rule with its totals."""
    import json

    import pandas as pd

    from mmh.errors import InputError
    from mmh.io.table_files import write_csv

    rows = []
    for path in sorted(folder.rglob("*.jsonl")):
        lines = path.read_text(encoding="utf-8").splitlines()
        try:
            entry = json.loads(lines[-1])
            rows.append(
                {
                    "rule": path.relative_to(folder).parts[0].removesuffix(".jsonl"),
                    "job": path.relative_to(folder).with_suffix("").as_posix(),
                    "seconds": round(float(entry["s"]), 2),
                    "max_rss_mb": float(entry["max_rss"])
                    if entry["max_rss"] not in (None, "NA", "-")
                    else None,
                }
            )
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: not a benchmark record ({error}); delete it") from error
    table = pd.DataFrame(rows, columns=["rule", "job", "seconds", "max_rss_mb"])
    totals = table.groupby("rule", as_index=False).agg({"seconds": "sum", "max_rss_mb": "max"})
    totals["seconds"] = totals["seconds"].round(2)
    totals.insert(1, "job", "(all)")
    write_csv(pd.concat([totals.sort_values("seconds", ascending=False), table]), out)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(Path(run.params.folder), run.output.runtime)
