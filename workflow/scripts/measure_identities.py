"""Measure identities between score and Hessian at noised items: a network, and the law where it is known."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    images: list[Path],
    captions: Path | list[Path],
    model: Path,
    out: Path,
    *,
    world: str,
    data: dict[str, Any],
    options: dict[str, Any],
    load: dict[str, Any],
    seed: int,
    device: str,
    plugins: Sequence[str] = (),
) -> None:
    """Write the ratio of both sides of each identity, by score and noise level.

    Parameters
    ----------
    images, captions : path
        Items, and the table of an image set with captions; nothing without captions.
    model, out : path
        Model folder, and the CSV to write.
    world, data : str, dict
        World and its options: its law gives the exact score, where it is known.
    options : dict
        `n`, `t`, `condition` and `batch_size` of the figure; equal items are one cluster.
    """
    import numpy as np

    from mmh.io.image_shards import read_images
    from mmh.io.table_files import write_csv
    from mmh.landscape.measuring import evenly, measure_identities
    from mmh.landscape.plane import EXACT, LEARNED
    from mmh.models.base import KINDS
    from mmh.models.latent.captions import image_score
    from mmh.models.loading import load_model
    from mmh.rows import load_plugins
    from mmh.worlds.base import WORLDS

    load_plugins(plugins, KINDS, WORLDS)
    x, ids = read_images(images)
    chosen = evenly(len(x), options["n"])
    x, ids = x[chosen], ids[chosen]
    loaded = load_model(model, device=device, **load)
    models = {LEARNED: image_score(loaded, images, captions, ids, options["condition"])}
    if WORLDS[world].oracle:
        models[EXACT] = WORLDS[world].oracle_of(data, models[LEARNED].schedule).model
    same = np.unique(x.reshape(len(x), -1), axis=0, return_inverse=True)[1].reshape(-1)
    how = {"seed": seed, "batch_size": options["batch_size"], "clusters": same}
    write_csv(measure_identities(models, x, ids, options["t"], **how), out)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.images,
            run.input.captions,
            run.input.model,
            run.output.identities,
            world=run.params.world,
            data=run.params.data,
            options=run.params.options,
            load=run.params.load,
            seed=run.params.seed,
            device=run.device,
            plugins=run.params.untracked.plugins,
        )
