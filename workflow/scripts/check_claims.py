"""Test the papers' claims on an experiment: holds, fails or undecided."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    inputs: dict[str, Any],
    out: Path,
    *,
    calibration: int,
    resamples: int,
    options: dict[str, Any],
    seed: int,
    plugins: Sequence[str] = (),
) -> None:
    """Write ``claims.csv`` from whichever tables the experiment has."""
    import pandas as pd

    from mmh.claims.base import CLAIMS
    from mmh.claims.table import check_claims
    from mmh.evaluation.image_sets import read_sets
    from mmh.io.image_shards import read_images
    from mmh.io.table_files import read_table, write_csv
    from mmh.io.tables import ALL_SCORES, LABELS, MATCHES, TRAIN
    from mmh.rows import load_plugins
    from mmh.worlds.sets.von_mises import regions

    load_plugins(plugins, CLAIMS)
    contracts = {"scores": ALL_SCORES, "labels": LABELS, "matches": MATCHES, "train": TRAIN}
    tables = {name: read_table(inputs[name], contracts[name]) for name in contracts if name in inputs}
    for name in ("evaluation", "paired", "balls", "duplicates", "conditioned"):
        if name in inputs:
            tables[name] = pd.read_csv(inputs[name])
    if "image_sets" in inputs:
        tables["image_sets"] = read_sets(inputs["image_sets"])
    if "images" in inputs:
        x, ids = read_images(inputs["samples"])
        points, _ = read_images(inputs["images"])
        tables["regions"] = pd.DataFrame({"sample": ids, "region": regions(x, points)})
    settings = {key: value for key, value in options.items() if key != "check"}
    how: dict[str, Any] = {"exclude": range(calibration), "resamples": resamples, "seed": seed}
    table = check_claims(options["check"], tables, options=settings, **how)
    write_csv(table, out, digits=6)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            vars(run.input),
            run.output.claims,
            calibration=run.params.calibration,
            resamples=run.params.resamples,
            options=run.params.options,
            seed=run.params.seed,
            plugins=run.params.untracked.plugins,
        )
