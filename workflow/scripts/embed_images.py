"""Embed the images of one span with the copy descriptor (SSCD)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    images: list[Path], descriptor: Path, out: Path, *, span: str, options: dict[str, Any], device: str
) -> None:
    """Write unit embeddings, one row per id of the span."""
    import numpy as np

    from mmh.compute.complexity import to_uint8
    from mmh.io.arrays import write_arrays
    from mmh.io.image_shards import read_images
    from mmh.io.spans import span_range
    from mmh.retrieval.embedding import embed, load_descriptor

    x, ids = read_images(images, np.array(span_range(span)))
    pixels = np.moveaxis(to_uint8(x), 1, -1)
    network = load_descriptor(descriptor, device=device)
    write_arrays(out, embedding=embed(network, pixels, ids=ids, device=device, **options), id=ids)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.images,
            run.input.descriptor,
            run.output.embeddings,
            span=run.wildcards.span,
            options=run.params.options,
            device=run.device,
        )
