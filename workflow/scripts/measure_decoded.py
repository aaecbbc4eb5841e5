"""Measure the PNG size in bits of decoded latents of one span: the divisor of Fig. 8 in a latent model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    latents: list[Path],
    model: Path,
    out: Path,
    *,
    span: str,
    estimator: str,
    options: dict[str, Any],
    device: str,
    record: dict[str, Any],
    progress: Any,
) -> None:
    """Write the PNG size of what the model decodes each latent to.

    Parameters
    ----------
    latents : list of Path
        Files of `encode_images`.
    model : Path
        Folder of a text-to-image model.
    out : Path
        Long table of scores.
    span, estimator
        Wildcards.
    options : dict
        `batch_size`; `load`, what `text_to_image.load_folder` takes.
    device, record, progress
        Of the job.
    """
    import numpy as np
    import pandas as pd

    from mmh.compute.job_batches import decode_in_fitting_batches
    from mmh.images.complexity import png_bits
    from mmh.io.files import read_present, write_table
    from mmh.io.tables import SCORES
    from mmh.models.text_to_image import load_folder

    z, ids = read_present(latents, span)
    loaded = load_folder(model, device=device, **options.get("load", {}))
    report = progress(len(ids), unit="image")
    pixels, size = decode_in_fitting_batches(loaded, z, ids, options["batch_size"], report)
    table = pd.DataFrame({"item": ids, "estimator": estimator, "t": None, "index": None, "sigma": None})
    table["value"] = png_bits(np.moveaxis(pixels, 1, -1)).astype(float)
    table["stderr"], table["probes"], table["seed"], table["dtype"] = None, None, None, "uint8"
    record["numerics"] = {"dtype": "float32", "batch_size": size, "items": len(ids)}
    write_table(table, out, SCORES)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.latents,
            run.input.model,
            run.output.scores,
            span=run.wildcards.span,
            estimator=run.wildcards.estimator,
            options=run.params.options,
            device=run.device,
            record=run.record,
            progress=run.progress,
        )
