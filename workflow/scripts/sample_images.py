"""Draw the samples of one span of ids; a sample depends on (seed, id) alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    model: Path,
    out: Path,
    *,
    span: str,
    options: dict[str, Any],
    seed: int,
    device: str,
    progress: Any,
    store: Any = None,
    plugins: Sequence[str] = (),
) -> None:
    """Write one shard of samples."""
    import numpy as np

    from mmh.compute.rng import item_seed
    from mmh.compute.rows import aligned_blocks
    from mmh.io.arrays import write_arrays
    from mmh.io.spans import span_range
    from mmh.job.chunks import blockwise
    from mmh.models.base import KINDS
    from mmh.models.loading import load_model
    from mmh.rows import load_plugins

    load_plugins(plugins, KINDS)
    ids = np.array(span_range(span), dtype=np.int64)
    loaded = load_model(model, device=device)

    def draw(rows: np.ndarray) -> dict[str, np.ndarray]:
        return {"x": loaded.sample(ids[rows], seed=seed, **options)}

    batches = [rows for rows, _ in aligned_blocks(ids, options["batch_size"])]
    drawn = blockwise(draw, batches, progress=progress, store=store, unit="sample")
    seeds = np.array([item_seed(seed, "initial-noise", i) for i in ids], dtype=np.uint64)
    write_arrays(out, x=drawn["x"], id=ids, seed=seeds, **loaded.latents(ids, seed=seed))


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.model,
            run.output.samples,
            span=run.wildcards.span,
            options=run.params.options,
            seed=run.params.seed,
            device=run.device,
            progress=run.progress,
            store=run.chunks,
            plugins=run.params.untracked.plugins,
        )
