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
    import pandas as pd

    from mmh.io.arrays import read_arrays
    from mmh.io.table_files import read_table, write_table
    from mmh.io.tables import GENERATION_MATCHES, IMAGE_SET, PROMPTS
    from mmh.retrieval.embedding import embed, load_descriptor

    rows = read_table(prompts, PROMPTS)
    if captions:
        table = read_table(captions if isinstance(captions, Path) else captions[0], IMAGE_SET)
        first = table.drop_duplicates("caption").set_index("caption")["item"]
        rows["train"] = rows["text"].map(first).astype("Int64")
    known = rows.dropna(subset=["train"]).set_index(["prompt_set", "prompt"])["train"].astype(np.int64)
    pixels, ids = read_arrays(images, "image", "id")
    place = pd.Series(np.arange(len(ids)), index=ids)
    model, report, done, parts = load_descriptor(descriptor, device=device), progress(len(generations)), 0, []

    def embedded(x: np.ndarray, ids: np.ndarray) -> np.ndarray:
        image = np.ascontiguousarray(np.moveaxis(x, 1, -1))
        return embed(model, image, preprocess, batch_size, ids, device=device)

    for path in generations:
        drawn, number, prompt, generation = read_arrays(path, "image", "id", "prompt", "generation")
        keys = pd.MultiIndex.from_arrays([np.full(len(prompt), path.parent.name), prompt])
        train = known.reindex(keys).to_numpy(dtype=np.float64)
        here = np.isfinite(train) & np.isin(train, ids)
        if here.any():
            own, which = np.unique(train[here].astype(np.int64), return_inverse=True)
            images_own = embedded(pixels[place[own]], own)
            cosine = (embedded(drawn[here], number[here]) * images_own[which]).sum(axis=1, dtype=np.float64)
            columns = {"prompt": prompt[here], "generation": generation[here], "train": own[which]}
            parts.append(pd.DataFrame({"prompt_set": path.parent.name, **columns, "similarity": cosine}))
        report(done := done + 1)
    empty = pd.DataFrame(columns=["prompt_set", "prompt", "generation", "train", "similarity"])
    write_table(pd.concat(parts, ignore_index=True) if parts else empty, out, GENERATION_MATCHES)


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
