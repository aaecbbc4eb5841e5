"""Put all scores of an experiment into one long table and add those that follow from others."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    files: list[Path],
    out: Path,
    *,
    items: list[str],
    ratios: dict[str, dict[str, Any]],
    record: dict[str, Any],
    calibration: int = 0,
    plugins: Sequence[str] = (),
) -> None:
    """Write the table of all scores, item sets and estimators in the order of the configuration.

    A ratio of a ratio stands after it. What each was made with, such as a fitted line, goes into `record`.
    """
    import pandas as pd

    from mmh.errors import InputError
    from mmh.io.spans import SELECTED
    from mmh.io.table_files import read_table, write_table
    from mmh.io.tables import ALL_SCORES, SCORES
    from mmh.rows import load_plugins
    from mmh.scores import base
    from mmh.scores.order import in_order

    load_plugins(plugins, base.SCORES)

    def set_of(name: str) -> str:
        """Name whose ids these are: selected samples are samples."""
        return "samples" if name == SELECTED else name

    parts = []
    for file, name in zip(files, items, strict=True):
        part = read_table(file, SCORES)
        part.insert(0, "items", set_of(name))
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    # Each span has all levels and parts of its items: they are put into an order that no cut changes.
    blocks = table.groupby(["items", "estimator", "t"], sort=False, dropna=False).ngroup()
    table = table.loc[blocks.sort_values(kind="stable").index].reset_index(drop=True)
    for name, options in in_order(ratios).items():
        score: Any = base.SCORES[options["method"]]
        for items_name in map(set_of, options["items"]):
            rows, made = score.combined(table, name, items_name, options, calibration=calibration)
            if rows.empty:
                raise InputError(
                    f"{name}: gives no value for {items_name}; what it follows from has none there"
                )
            record.setdefault("follows", {}).setdefault(name, {})[items_name] = made
            table = pd.concat([table, rows], ignore_index=True)
    write_table(table[list(ALL_SCORES.columns)], out, ALL_SCORES)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.scores,
            run.output.scores,
            items=run.params.item_sets,
            ratios=run.params.ratios,
            record=run.record,
            calibration=run.params.calibration,
            plugins=run.params.untracked.plugins,
        )
