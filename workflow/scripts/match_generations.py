"""Compare each generation with the training image of its prompt, by the copy descriptor."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    prompts: Path,
    generations: list[Path],
    images: Path,
    captions: Path | list[Path],
    descriptor: Path,
    out: Path,
    *,
    preprocess: str,
    batch_size: int,
    device: str,
    progress: Any,
) -> None:
    """Write ``generation_matches.parquet``: cosine of the embeddings.

    Parameters
    ----------
    prompts : path
        ``prompts.parquet``; `train` names the training image.
    generations : list of path
        ``generations/<prompt_set>/<span>.npz``.
    images : path
        ``.npz`` with `image` and `id`: the training set, or an image set.
    captions : path or list
        Table of that image set, by whose captions prompts are looked up; nothing for the training set.
    descriptor : path
        TorchScript.
    out : path
        Parquet to write; prompts whose training image is not at hand are absent.
    preprocess, batch_size, device, progress
        Of the embedding.
    """
    import numpy as np

    from mmh.io.arrays import read_arrays
    from mmh.io.table_files import read_table, write_table
    from mmh.io.tables import GENERATION_MATCHES, IMAGE_SET, PROMPTS
    from mmh.retrieval.embedding import embed, load_descriptor
    from mmh.retrieval.generation_matches import generation_matches, training_images

    listed = [captions] if isinstance(captions, Path) else captions
    table = read_table(listed[0], IMAGE_SET) if listed else None
    known = training_images(read_table(prompts, PROMPTS), table)
    pixels, ids = read_arrays(images, "image", "id")
    model = load_descriptor(descriptor, device=device)

    def embedded(x: np.ndarray, names: np.ndarray) -> np.ndarray:
        channels_last = np.ascontiguousarray(np.moveaxis(x, 1, -1))
        return embed(model, channels_last, preprocess, batch_size, names, device=device)

    found = generation_matches(generations, known, pixels, ids, embedded, progress(len(generations)))
    write_table(found, out, GENERATION_MATCHES)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.prompts,
            run.input.generations,
            run.input.images,
            run.input.captions,
            run.input.descriptor,
            run.output.matches,
            preprocess=run.params.options["preprocess"],
            batch_size=run.params.options["batch_size"],
            device=run.device,
            progress=run.progress,
        )
