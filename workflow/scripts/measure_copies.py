"""Count samples in balls whose mass under the true law is known, and training sets that hold a duplicate."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    inputs: dict[str, Path],
    outputs: dict[str, Path],
    *,
    world: str,
    data: dict[str, Any],
    sampling: dict[str, Any],
    options: dict[str, Any],
    seed: int,
    device: str,
    progress: Any,
    store: Any = None,
    plugins: Sequence[str] = (),
) -> None:
    """Write `balls` and `duplicates`; samples are those of `sample_images`, and more of them."""
    import numpy as np

    from mmh.compute.rows import aligned_blocks
    from mmh.copying import balls
    from mmh.copying.duplicates import duplicate_table
    from mmh.copying.options import Copies
    from mmh.io.image_shards import read_images
    from mmh.io.table_files import read_table, write_csv
    from mmh.io.tables import TRAIN
    from mmh.job.chunks import blockwise
    from mmh.models.base import KINDS
    from mmh.models.loading import load_model
    from mmh.rows import load_plugins
    from mmh.worlds.base import WORLDS

    load_plugins(plugins, KINDS, WORLDS)
    how, row = Copies.model_validate(options), WORLDS[world]
    law, (x, ids) = row.law_of(data), read_images(inputs["images"])
    places = row.places_of(x, read_table(inputs["table"], TRAIN))
    centres = x[np.searchsorted(ids, places["train"])].astype(np.float64)
    radii = balls.radii(how.smallest, how.largest, how.per_decade, how.inner, how.outer)
    loaded = load_model(inputs["model"], device=device)
    drawn = np.arange(how.n_samples, dtype=np.int64)

    def count(rows: np.ndarray) -> dict[str, np.ndarray]:
        samples = loaded.sample(drawn[rows], seed=seed, **sampling)
        return {"bin": balls.smallest_ball(samples, centres, radii)}

    blocks = [rows for rows, _ in aligned_blocks(drawn, sampling["batch_size"])]
    bins = blockwise(count, blocks, progress=progress, store=store, unit="sample")["bin"]
    mass = np.stack([law.mass(centre, radii) for centre in centres])
    table = balls.ball_table(places, bins, radii, mass, (how.inner, how.outer))
    write_csv(table, outputs["balls"])
    laws = {"with atom": (law, law.atom), "without atom": (law.without_atom(), 0.0)}
    write_csv(duplicate_table(laws, how.sizes, how.sets, seed), outputs["duplicates"])


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            vars(run.input),
            vars(run.output),
            world=run.params.world,
            data=run.params.data,
            sampling=run.params.sampling,
            options=run.params.options,
            seed=run.params.seed,
            device=run.device,
            progress=run.progress,
            store=run.chunks,
            plugins=run.params.untracked.plugins,
        )
