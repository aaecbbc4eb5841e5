"""Encode one span of an image set to latents: the posterior's mean times the scaling factor."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    images: Path,
    model: Path,
    out: Path,
    *,
    span: str,
    options: dict[str, Any],
    device: str,
    record: dict[str, Any],
    progress: Any,
    store: Any = None,
) -> None:
    """Write the latents of one span, as other steps read images.

    Parameters
    ----------
    images : Path
        ``<set>.npz``, uint8 RGB of the model's size.
    model : Path
        Folder of a text-to-image model.
    out : Path
        ``.npz`` with `x` float32 (n, c, h, w) and `id`.
    span : str
        Items of the set.
    options : dict
        `batch_size`; `load`, what `mmh.models.latent.folder.load_folder` takes.
    """
    import numpy as np

    from mmh.compute.blocks import blockwise_in_fitting_batches
    from mmh.io.arrays import read_arrays, write_arrays
    from mmh.io.spans import span_range
    from mmh.models.latent.folder import load_folder

    pixels, items = read_arrays(images, "image", "id")
    wanted = span_range(span)
    # A set of images by URL may end early: some could not be had.
    rows = np.flatnonzero((items >= wanted.start) & (items < wanted.stop))
    ids = items[rows]
    loaded = load_folder(model, device=device, **options.get("load", {}))

    def encode(block: np.ndarray, numbers: np.ndarray, size: int) -> dict[str, np.ndarray]:
        return {"x": loaded.encode(pixels[rows[block]], batch_size=size, ids=numbers)}

    found, size = blockwise_in_fitting_batches(
        options["batch_size"], [encode], ids, device=loaded.device, progress=progress, store=store
    )
    latents = found.get("x", np.zeros((0, *loaded.score_model().shape), dtype=np.float32))
    record["numerics"] = {
        "scaling_factor": float(loaded.vae.config.scaling_factor),
        "dtype": "float32",
        "batch_size": size,
    }
    write_arrays(out, x=latents, id=ids)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.images,
            run.input.model,
            run.output.latents,
            span=run.wildcards.span,
            options=run.params.options,
            device=run.device,
            record=run.record,
            progress=run.progress,
            store=run.chunks,
        )
