"""Put all scores of an experiment into one long table and add the ratios such as LID / PNG size."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(files: list[Path], out: Path, *, items: list[str], ratios: dict[str, dict[str, Any]]) -> None:
    """Write the table of all scores, item sets and estimators in the order of the configuration."""
    import pandas as pd

    from mmh.errors import InputError
    from mmh.io.files import read_table, write_table
    from mmh.io.spans import SELECTED
    from mmh.io.tables import ALL_SCORES, SCORES

    def set_of(name: str) -> str:
        """Name whose ids these are: selected samples are samples."""
        return "samples" if name == SELECTED else name

    parts = []
    for file, name in zip(files, items, strict=True):
        part = read_table(file, SCORES)
        part.insert(0, "items", set_of(name))
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    for name, options in ratios.items():
        for items_name in map(set_of, options["items"]):
            chosen = table[table["items"] == items_name]
            top = chosen[chosen["estimator"] == options["numerator"]].copy()
            bottom = chosen[chosen["estimator"] == options["denominator"]].set_index("item")["value"]
            divisor = top["item"].map(bottom)
            if divisor.isna().any() or (divisor == 0).any():
                first = top["item"][divisor.isna() | (divisor == 0)].iloc[0]
                raise InputError(
                    f"{name}: item {first} of {items_name} has no nonzero {options['denominator']} score"
                )
            top["value"] = top["value"] / divisor
            top["stderr"] = top["stderr"] / divisor
            top["estimator"] = name
            table = pd.concat([table, top], ignore_index=True)
    write_table(table[list(ALL_SCORES.columns)], out, ALL_SCORES)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(run.input.scores, run.output.scores, items=run.params.item_sets, ratios=run.params.ratios)
