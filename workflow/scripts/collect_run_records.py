"""Gather how every score was computed, from the run records beside the score files."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

IDENTITY = [
    "experiment",
    "item_set",
    "estimator",
    "method",
    "dtype",
    "attention",
    "device",
    "threads",
    "torch",
    "code",
]
SUMMED = ["items", "non_finite", "seconds"]


def main(scores: list[Path], out: Path) -> None:
    """Write one row per experiment, item set and estimator."""
    import json

    import pandas as pd

    from mmh.errors import InputError
    from mmh.io.table_files import write_csv

    rows = []
    for file in scores:
        path = file.with_name(file.name + ".json")
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            rows.append(
                {
                    **dict(zip(("experiment", "item_set", "estimator"), _names(record), strict=True)),
                    **{key: record["numerics"][key] for key in ("method", "dtype", "attention")},
                    "device": record["device"],
                    "threads": record["threads"],
                    "torch": record["versions"].get("torch"),
                    "code": record["code"],
                    **{key: record["numerics"][key] for key in ("items", "non_finite")},
                    "seconds": record["seconds"],
                }
            )
        except (OSError, KeyError, ValueError) as error:
            raise InputError(f"{path}: no run record ({error}); delete {file} and run again") from error
    table = pd.DataFrame(rows, columns=[*IDENTITY, *SUMMED])
    write_csv(table.groupby(IDENTITY, sort=False, as_index=False, dropna=False)[SUMMED].sum().round(1), out)


def _names(record: dict[str, Any]) -> list[str]:
    return [record["wildcards"][key] for key in ("experiment", "item_set", "estimator")]


if __name__ == "__main__":
    with job(snakemake) as run:
        main(run.input.scores, run.output.run_records)
