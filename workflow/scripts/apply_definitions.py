"""Apply earlier definitions of copying, and LID, to the samples of an experiment."""

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
    world: str,
    data: dict[str, Any],
    options: dict[str, Any],
    calibration: int,
    seed: int,
    plugins: Sequence[str] = (),
) -> None:
    """Write ``definitions.csv``: what each definition finds in each group of samples."""
    from mmh.copying.applying import apply
    from mmh.copying.options import Definitions
    from mmh.evaluation.selection import single
    from mmh.io.image_shards import read_images
    from mmh.io.table_files import read_table, write_csv
    from mmh.io.tables import ALL_SCORES, LABELS, MATCHES, TRAIN
    from mmh.rows import load_plugins
    from mmh.worlds.base import WORLDS

    load_plugins(plugins, WORLDS)
    how, row = Definitions.model_validate(options), WORLDS[world]
    contracts = {"labels": LABELS, "matches": MATCHES}
    lid = None
    if how.lid is not None:
        scores = single(read_table(inputs["scores"], ALL_SCORES), how.lid, "samples")
        lid = scores.set_index("item")["value"]
    table = apply(
        read_images(inputs["samples"]),
        read_images(inputs["images"])[0],
        read_table(inputs["table"], TRAIN),
        row.fresh_of(data),
        how,
        law=row.law_of(data) if row.law else None,
        lid=lid,
        labels={name: read_table(inputs[name], contracts[name]) for name in contracts if name in inputs},
        calibration=calibration,
        seed=seed,
    )
    write_csv(table, out, digits=6)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            vars(run.input),
            run.output.definitions,
            world=run.params.world,
            data=run.params.data,
            options=run.params.options,
            calibration=run.params.calibration,
            seed=run.params.seed,
            plugins=run.params.untracked.plugins,
        )
